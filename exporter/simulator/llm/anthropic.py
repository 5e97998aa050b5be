"""Anthropic's usage and cost reports of the demo world, in the API's own words."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from exporter.simulator.llm.arrival import LlmArrival
from exporter.simulator.llm.company import Workload
from exporter.simulator.llm.prices import Amount, billed_usd
from exporter.simulator.llm.reports import (
    USAGE_LIMITS,
    WIDTHS,
    BadRequestError,
    Params,
    Query,
    Totals,
    choice,
    grouped,
    one,
    several,
    total,
    whole_number,
)
from exporter.simulator.llm.usage import LlmUse

_USAGE_DIMENSIONS: Final = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
_FILTERS: Final = {
    "account_ids": "account_id",
    "api_key_ids": "api_key_id",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "models": "model",
    "service_account_ids": "service_account_id",
    "service_tiers": "service_tier",
    "workspace_ids": "workspace_id",
}
_CENTS: Final = 100

_TOKEN_TYPES: Final[dict[Amount, tuple[str, str]]] = {
    "input": ("uncached_input_tokens", "Input Tokens"),
    "cache_read": ("cache_read_input_tokens", "Input Tokens, Cache Read"),
    "cache_write": ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write (5m)"),
    "cache_write_1h": ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write (1h)"),
    "output": ("output_tokens", "Output Tokens"),
}
_MODEL_NAMES: Final = {
    "claude-sonnet-4-5-20250929": "Claude Sonnet 4.5",
    "claude-haiku-4-5-20251001": "Claude Haiku 4.5",
}
_ABOUT: Final = ("description", "model", "cost_type", "token_type", "service_tier", "context_window")
"""Fields of a cost that are filled when it is grouped by description."""


class AnthropicReports:
    """Answers of the API, apart from HTTP. `now` is in seconds since the epoch."""

    def __init__(self, arrival: LlmArrival) -> None:
        self._arrival = arrival

    def usage(self, params: Params, now: int) -> dict[str, Any]:
        """Answer /v1/organizations/usage_report/messages. Raises BadRequestError."""
        query = _query(params, now, _USAGE_DIMENSIONS, USAGE_LIMITS)

        def results(start: int) -> Iterator[dict[str, Any]]:
            used = self._arrival.used("anthropic", start, start + query.width, now)
            for values, uses in grouped(used, _dimensions, query):
                yield {**_counts(total(uses)), **values}

        return _page(query, params, results)

    def costs(self, params: Params, now: int) -> dict[str, Any]:
        """Answer /v1/organizations/cost_report. Raises BadRequestError."""
        query = _query(params, now, ("workspace_id", "description"), {"1d": USAGE_LIMITS["1d"]})

        def results(start: int) -> Iterator[dict[str, Any]]:
            billed = self._arrival.billed("anthropic", start, start + query.width, now)
            for values, uses in grouped(billed, _workspace, query):
                for about, usd in _lines(uses, by_description="description" in query.group_by):
                    cents = f"{(usd * _CENTS).normalize():f}"
                    money = {"amount": cents, "currency": "USD"}
                    yield {**money, **values, **about, "inference_geo": None}

        return _page(query, params, results)


def _query(params: Params, now: int, names: tuple[str, ...], limits: dict[str, tuple[int, int]]) -> Query:
    width_name = choice(one(params, "bucket_width", "1d") or "", "bucket_width", limits)
    width = WIDTHS[width_name]
    start = _time(params, "starting_at")
    if start is None:
        raise BadRequestError("starting_at: Field required", "starting_at")
    end = _time(params, "ending_at")
    if end is not None and end <= start:
        raise BadRequestError("ending_at: must be after starting_at", "ending_at")
    usual, most = limits[width_name]
    group_by = several(params, "group_by")
    for name in group_by:
        choice(name, "group_by", names)
    wanted = {dimension: several(params, name) for name, dimension in _FILTERS.items() if dimension in names}
    return Query(
        start=start // width * width,
        # Only buckets that end by then are reported: not the open one, if the end is within it.
        end=now if end is None else min(now, end // width * width),
        width=width,
        limit=whole_number(one(params, "limit", str(usual)) or "", "limit", 1, most),
        group_by=group_by,
        filters={dimension: values for dimension, values in wanted.items() if values},
    )


def _time(params: Params, name: str) -> int | None:
    text = one(params, name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"{name}: Input should be a valid datetime", name) from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _page(query: Query, params: Params, results: Callable[[int], Iterator[dict[str, Any]]]) -> dict[str, Any]:
    token = one(params, "page")
    first = query.start if token is None else _opened(token, query)
    starts, following = query.page(first)
    data = [
        {
            "starting_at": _written(start),
            "ending_at": _written(start + query.width),
            "results": list(results(start)),
        }
        for start in starts
    ]
    next_page = None if following is None else _sealed(following)
    return {"data": data, "has_more": next_page is not None, "next_page": next_page}


def _sealed(start: int) -> str:
    return "page_" + urlsafe_b64encode(_written(start).encode()).decode()


def _opened(token: str, query: Query) -> int:
    try:
        text = urlsafe_b64decode(token.removeprefix("page_")).decode()
        start = int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        start = -1
    if start < query.start or (start - query.start) % query.width:
        raise BadRequestError("page: not a page of this query", "page")
    return start


def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _counts(totals: Totals) -> dict[str, Any]:
    amounts = totals.amounts
    return {
        "uncached_input_tokens": amounts["input"],
        "cache_creation": {
            "ephemeral_1h_input_tokens": amounts["cache_write_1h"],
            "ephemeral_5m_input_tokens": amounts["cache_write"],
        },
        "cache_read_input_tokens": amounts["cache_read"],
        "output_tokens": amounts["output"],
        "server_tool_use": {"web_search_requests": amounts["web_searches"]},
    }


def _dimensions(workload: Workload) -> dict[str, Hashable]:
    return {
        "account_id": None,
        "api_key_id": workload.project.api_key_id,
        "context_window": "0-200k",
        "inference_geo": "not_available",
        "model": workload.model,
        "service_account_id": None,
        "service_tier": _tier(workload),
        "speed": "standard",
        **_workspace(workload),
    }


def _workspace(workload: Workload) -> dict[str, Hashable]:
    return {"workspace_id": workload.project.id or None}


def _tier(workload: Workload) -> str:
    return "batch" if workload.batch else "standard"


def _lines(uses: list[LlmUse], *, by_description: bool) -> Iterator[tuple[dict[str, Any], Decimal]]:
    """Price uses: what each cost is about, and US dollars; or all of them as one."""
    usd: dict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for use in uses:
        workload = use.workload
        prices = billed_usd(workload.provider, workload.model, use.amounts, batch=workload.batch)
        for kind, price in prices.items():
            about = _about(workload, kind) if by_description else (None,) * len(_ABOUT)
            usd[about] += price
    for about, amount in usd.items():
        if amount:
            yield dict(zip(_ABOUT, about, strict=True)), amount


def _about(workload: Workload, kind: Amount) -> tuple[str | None, ...]:
    if kind == "web_searches":
        return ("Web Search Usage", None, "web_search", None, None, None)
    token_type, words = _TOKEN_TYPES[kind]
    batch = " - Batch" if workload.batch else ""
    description = f"{_MODEL_NAMES[workload.model]} Usage - {words}{batch}"
    return (description, workload.model, "tokens", token_type, _tier(workload), "0-200k")
