"""OpenAI's organization usage, costs and spend limit of the demo world, in the API's own words."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from decimal import Decimal
from typing import Any, Final

from exporter.simulator.llm.arrival import LlmArrival
from exporter.simulator.llm.company import (
    ORGANIZATION_ID,
    ORGANIZATION_NAME,
    SPEND_LIMIT_CENTS,
    WORKLOADS,
    Workload,
)
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

_PROJECTS: Final = {workload.project.id: workload.project for workload in WORKLOADS}

_DAY: Final = 86_400
_BY_CALLER: Final = ("project_id", "user_id", "api_key_id", "model")
_FILTERS: Final = {"project_ids": "project_id", "user_ids": "user_id", "api_key_ids": "api_key_id"}

_NO_AUDIO_OR_IMAGES: Final = dict.fromkeys(
    (
        "input_audio_tokens",
        "input_cached_audio_tokens",
        "output_audio_tokens",
        "input_image_tokens",
        "input_cached_image_tokens",
        "output_image_tokens",
    ),
    0,
)


_Counts = Callable[[Totals, int], dict[str, Any]]
"""The counts of a result, from what it sums up and the seconds of its bucket."""


def _completions(totals: Totals, _width: int) -> dict[str, Any]:
    amounts = totals.amounts
    return {
        "input_tokens": totals.input_tokens,
        "input_cached_tokens": amounts["cache_read"],
        "input_cache_write_tokens": amounts["cache_write"],
        "input_uncached_tokens": amounts["input"],
        "output_tokens": amounts["output"],
        "input_text_tokens": amounts["input"],
        "output_text_tokens": amounts["output"],
        "input_cached_text_tokens": amounts["cache_read"],
        **_NO_AUDIO_OR_IMAGES,
        "num_model_requests": totals.requests,
    }


def _calls(field: str, kind: Amount) -> _Counts:
    return lambda totals, _: {field: totals.amounts[kind], "num_model_requests": totals.requests}


_COUNTS: Final[dict[str, _Counts]] = {
    "completions": _completions,
    "embeddings": _calls("input_tokens", "input"),
    "moderations": _calls("input_tokens", "input"),
    "images": _calls("images", "images"),
    "audio_speeches": _calls("characters", "characters"),
    "audio_transcriptions": _calls("seconds", "seconds"),
    # The mean amount that was stored over the bucket, as far as it is reported.
    "vector_stores": lambda totals, width: {"usage_bytes": totals.amounts["byte_days"] * _DAY // width},
    "code_interpreter_sessions": lambda totals, _: {"num_sessions": totals.amounts["sessions"]},
}
ENDPOINTS: Final = tuple(_COUNTS)
"""Names after /v1/organization/usage/ that answer."""

_DIMENSIONS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(ENDPOINTS, _BY_CALLER),
    "completions": (*_BY_CALLER, "batch", "service_tier"),
    "images": (*_BY_CALLER, "size", "source"),
    "vector_stores": ("project_id",),
    "code_interpreter_sessions": ("project_id",),
}

_LINE_ITEMS: Final[dict[Amount, tuple[str, str | None]]] = {
    "input": ("{model}, {batch}input", "tokens"),
    "cache_read": ("{model}, {batch}cached input", "tokens"),
    "output": ("{model}, {batch}output", "tokens"),
    "images": ("{model}, images", "images"),
    "characters": ("{model}, characters", "characters"),
    "seconds": ("{model}, audio", "duration_seconds"),
    "byte_days": ("vector store storage", None),
    "sessions": ("code interpreter sessions", None),
}
"""What a cost is called on the bill, and the unit of its quantity."""


class OpenAiReports:
    """Answers of the API, apart from HTTP. All times are seconds since the epoch."""

    def __init__(self, arrival: LlmArrival, *, amounts_as_text: bool = False) -> None:
        """With `amounts_as_text` costs are strings, as they have been seen; else JSON numbers."""
        self._arrival = arrival
        self._value = str if amounts_as_text else float

    def usage(self, endpoint: str, params: Params, now: int) -> dict[str, Any]:
        """Answer /v1/organization/usage/{endpoint}. Raises BadRequestError."""
        names = _DIMENSIONS[endpoint]
        query = _query(params, now, names, USAGE_LIMITS)

        def results(start: int) -> Iterator[dict[str, Any]]:
            used = self._arrival.used("openai", start, start + query.width, now)
            of_endpoint = (use for use in used if use.workload.endpoint == endpoint)
            for values, uses in grouped(of_endpoint, lambda each: _dimensions(each, names), query):
                kind = f"organization.usage.{endpoint}.result"
                yield {"object": kind, **_COUNTS[endpoint](total(uses), query.width), **values}

        return _page(query, params, results)

    def costs(self, params: Params, now: int) -> dict[str, Any]:
        """Answer /v1/organization/costs. Raises BadRequestError."""
        query = _query(params, now, ("project_id", "line_item", "api_key_id"), {"1d": (7, 180)})

        def results(start: int) -> Iterator[dict[str, Any]]:
            billed = self._arrival.billed("openai", start, start + query.width, now)
            for values, uses in grouped(billed, _caller, query):
                for item, usd, quantity, unit in _lines(uses, by_item="line_item" in query.group_by):
                    yield {
                        "object": "organization.costs.result",
                        "amount": {"value": self._value(usd), "currency": "usd"},
                        "line_item": item,
                        **values,
                        "quantity": quantity,
                        "quantity_unit": unit,
                        "project_name": _name(values["project_id"]),
                        "organization_id": ORGANIZATION_ID,
                        "organization_name": ORGANIZATION_NAME,
                    }

        return _page(query, params, results)


def spend_limit() -> dict[str, Any]:
    """Answer /v1/organization/spend_limit; the amount is in cents."""
    return {
        "object": "organization.spend_limit",
        "threshold_amount": SPEND_LIMIT_CENTS,
        "currency": "USD",
        "interval": "month",
        "enforcement": {"status": "enforcing"},
    }


def _query(params: Params, now: int, names: tuple[str, ...], limits: dict[str, tuple[int, int]]) -> Query:
    width_name = choice(one(params, "bucket_width", "1d") or "", "bucket_width", limits)
    width = WIDTHS[width_name]
    start_text = one(params, "start_time")
    if start_text is None:
        raise BadRequestError("Missing required parameter: 'start_time'.", "start_time")
    start = whole_number(start_text, "start_time", 0, 1 << 40)
    end_text = one(params, "end_time")
    end = now if end_text is None else whole_number(end_text, "end_time", start + 1, 1 << 40)
    usual, most = limits[width_name]
    group_by = several(params, "group_by")
    for name in group_by:
        choice(name, "group_by", names)
    known = {**_FILTERS, "models": "model", "batch": "batch", "sizes": "size", "sources": "source"}
    wanted = {dimension: several(params, name) for name, dimension in known.items() if dimension in names}
    return Query(
        start=start // width * width,
        end=min(now, end),
        width=width,
        limit=whole_number(one(params, "limit", str(usual)) or "", "limit", 1, most),
        group_by=group_by,
        filters={dimension: values for dimension, values in wanted.items() if values},
    )


def _page(query: Query, params: Params, results: Callable[[int], Iterator[dict[str, Any]]]) -> dict[str, Any]:
    token = one(params, "page")
    first = query.start if token is None else _opened(token, query)
    starts, following = query.page(first)
    data = [
        {
            "object": "bucket",
            "start_time": start,
            "end_time": start + query.width,
            "results": list(results(start)),
        }
        for start in starts
    ]
    next_page = None if following is None else _sealed(following)
    return {"object": "page", "data": data, "has_more": next_page is not None, "next_page": next_page}


def _sealed(start: int) -> str:
    return "page_" + urlsafe_b64encode(start.to_bytes(20, "big")).decode()


def _opened(token: str, query: Query) -> int:
    try:
        start = int.from_bytes(urlsafe_b64decode(token.removeprefix("page_")), "big")
    except ValueError:
        start = -1
    if start < query.start or (start - query.start) % query.width:
        raise BadRequestError("Invalid 'page': it is not a cursor of this query.", "page")
    return start


def _dimensions(workload: Workload, names: tuple[str, ...]) -> dict[str, Hashable]:
    values: dict[str, Hashable] = {
        "project_id": workload.project.id,
        "user_id": workload.project.user_id,
        "api_key_id": workload.project.api_key_id,
        "model": workload.model,
        "batch": workload.batch,
        "service_tier": "default",
        "size": "1024x1024",
        "source": "image.generation",
    }
    return {name: values[name] for name in names}


def _caller(workload: Workload) -> dict[str, Hashable]:
    return {"project_id": workload.project.id, "api_key_id": workload.project.api_key_id}


def _name(project_id: Hashable) -> str | None:
    return _PROJECTS[str(project_id)].name if project_id is not None else None


def _lines(
    uses: list[LlmUse], *, by_item: bool
) -> Iterator[tuple[str | None, Decimal, int | None, str | None]]:
    """Price uses: name, US dollars, quantity and its unit of each line item, or all of them as one."""
    usd: dict[tuple[str | None, str | None], Decimal] = defaultdict(Decimal)
    quantities: dict[tuple[str | None, str | None], int] = defaultdict(int)
    for use in uses:
        workload = use.workload
        prices = billed_usd(workload.provider, workload.model, use.amounts, batch=workload.batch)
        for kind, price in prices.items():
            name, unit = _LINE_ITEMS[kind]
            item = name.format(model=workload.model, batch="batch " if workload.batch else "")
            key: tuple[str | None, str | None] = (item, unit) if by_item else (None, None)
            usd[key] += price
            quantities[key] += use.amounts[kind]
    for key, amount in usd.items():
        if amount:
            yield key[0], amount, quantities[key] if key[1] else None, key[1]
