"""The reports of OpenAI's organization API: which ones exist, and what one result of each contains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.core.errors import SourceError
from exporter.sources.llm.costs import CostLine
from exporter.sources.llm.pages import Dialect, Report, Result, SetAsideError, amount, count, text
from exporter.sources.llm.tokens import CACHE_READ, INPUT, OUTPUT, Part, PartKind, Terms, Tokens
from exporter.sources.llm.usage import HOUR, Usage, UsageReport

if TYPE_CHECKING:
    from exporter.sources.http.json_api import JsonApi


def _moment(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no Unix time")
    return datetime.fromtimestamp(value, UTC)


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())


_DIALECT: Final = Dialect("start_time", "end_time", "group_by", _unix, _moment)
_USAGE: Final = "/v1/organization/usage/"
_HOURS_A_PAGE: Final = 168
_DAYS_A_PAGE: Final = 180
_LARGEST_QUANTITY: Final = Decimal(10) ** 18


def organization(api: JsonApi) -> str:
    """Ask which organization the key is of: OpenAI names it in a header of each answer. Raises SourceError.

    https://platform.openai.com/docs/api-reference/debugging-requests
    """
    day = api.now().replace(hour=0, minute=0, second=0, microsecond=0)
    api.get(
        "/v1/organization/costs",
        {
            "start_time": _unix(day),
            "end_time": _unix(day + timedelta(days=1)),
            "bucket_width": "1d",
            "limit": 1,
        },
    )
    return api.answer_headers.get("openai-organization", "")


def cost_report(api: JsonApi) -> Report:
    """What was billed, by project and line item; days only."""
    return Report(
        api, _DIALECT, "/v1/organization/costs", ("project_id", "line_item"), timedelta(days=1), _DAYS_A_PAGE
    )


def cost_line(result: Result) -> CostLine:
    """Read one result of the cost report. Raises SetAsideError."""
    money = result.get("amount")
    if not isinstance(money, dict):
        raise SetAsideError("bad_cost", "a line without an amount")
    usd = amount(money.get("value"))
    currency = money.get("currency")
    if not isinstance(currency, str) or currency.lower() != "usd":
        raise SetAsideError("foreign_currency", f"{str(currency)[:8]!r} instead of USD")
    line_item = text(result, "line_item")
    quantity, unit = _quantity(result)
    return CostLine(text(result, "project_id"), sku_id(line_item), line_item, unit, usd, quantity)


def sku_id(line_item: str) -> str:
    """Return `<model>/<what>` of a line item; the model is empty where the line names none.

    As OpenAI writes them: `gpt-5.5-2026-04-23, cached input`; `gpt-image-1 text, input`; `priority |
    gpt-5.6, output, long context`; `web search tool calls`.
    """
    before, _, rest = line_item.rpartition("|")
    named, *what = (part.strip() for part in rest.split(","))
    model, _, modality = named.partition(" ")
    if not what and (modality or not _MODEL.search(model)):
        model, modality = "", named
    words = " ".join((before, modality, *what)).replace("/", " ").replace("|", " ").split()
    return f"{model}/{'_'.join(words).lower()}" if line_item else ""


_MODEL: Final = re.compile(r"\d")


def _quantity(result: Result) -> tuple[float, str]:
    value, unit = result.get("quantity"), result.get("quantity_unit")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not isinstance(unit, str):
        return 0.0, ""
    if not -_LARGEST_QUANTITY < value < _LARGEST_QUANTITY:
        return 0.0, ""
    if unit == "1000_tokens":
        return float(value * 1000), "tokens"
    return float(value), text(result, "quantity_unit")


def usage_reports(api: JsonApi) -> Iterator[UsageReport]:
    """All reports of usage that costs money, by project and model and what else decides the price."""
    for name, group_by, usage in _USAGE_REPORTS:
        report = Report(api, _DIALECT, f"{_USAGE}{name}", group_by, HOUR, _HOURS_A_PAGE)
        yield UsageReport(report, usage, _KNOWN_COUNTS)


def _completions(result: Result) -> Usage:
    # The input tokens have in them what was read from the cache and what was written to it.
    cached, written = count(result, "input_cached_tokens"), count(result, "input_cache_write_tokens")
    uncached = max(0, count(result, "input_tokens") - cached - written)
    requests = count(result, "num_model_requests")
    try:
        tokens = Tokens(uncached, cached, written, count(result, "output_tokens"), _parts(result))
    except ValueError as error:
        raise SetAsideError("bad_usage", str(error)) from error
    return Usage(
        text(result, "project_id"),
        text(result, "model"),
        tokens,
        requests,
        requests_for_price=requests,
        terms=Terms("batch" if result.get("batch") is True else text(result, "service_tier")),
    )


def _parts(result: Result) -> tuple[Part, ...]:
    """Sound and images: what was read from the cache is not in `input_audio_tokens`."""
    found = (Part(token_type, kind, count(result, name)) for name, token_type, kind in _PARTS)
    return tuple(part for part in found if part.tokens)


_PARTS: Final[tuple[tuple[str, str, PartKind], ...]] = (
    ("input_audio_tokens", INPUT, "audio"),
    ("input_image_tokens", INPUT, "image"),
    ("input_cached_audio_tokens", CACHE_READ, "audio"),
    ("input_cached_image_tokens", CACHE_READ, "image"),
    ("output_audio_tokens", OUTPUT, "audio"),
    ("output_image_tokens", OUTPUT, "image"),
)


_KNOWN_COUNTS: Final = frozenset(
    {"input_cached_tokens", "input_uncached_tokens", "input_cache_write_tokens", "input_cached_text_tokens"}
    | {name for name, _, _ in _PARTS}
    | {"images", "num_images"}
)


def _input_only(*, free: bool = False) -> Callable[[Result], Usage]:
    def usage(result: Result) -> Usage:
        requests = count(result, "num_model_requests")
        return Usage(
            text(result, "project_id"),
            text(result, "model"),
            Tokens(count(result, "input_tokens")),
            requests,
            requests_for_price=requests,
            free=free,
        )

    return usage


def _counted(
    name: str, meter: str, times: int = 1, requests: str = "num_model_requests"
) -> Callable[[Result], Usage]:
    def usage(result: Result) -> Usage:
        return Usage(
            text(result, "project_id"),
            text(result, "model"),
            requests=count(result, requests) if requests else 0,
            others={meter: times * count(result, name)},
        )

    return usage


_BY_MODEL: Final = ("project_id", "model")
_USAGE_REPORTS: Final = (
    ("completions", (*_BY_MODEL, "batch", "service_tier"), _completions),
    ("embeddings", _BY_MODEL, _input_only()),
    # Nothing is charged for them.
    ("moderations", _BY_MODEL, _input_only(free=True)),
    ("images", _BY_MODEL, _counted("images", "llm_images")),
    ("audio_speeches", _BY_MODEL, _counted("characters", "llm_characters")),
    ("audio_transcriptions", _BY_MODEL, _counted("seconds", "llm_audio_seconds")),
    # Storage is a level, reported as level times time.
    ("vector_stores", ("project_id",), _counted("usage_bytes", "llm_vector_store_byte_seconds", 3600, "")),
    ("code_interpreter_sessions", ("project_id",), _counted("num_sessions", "llm_sessions", requests="")),
    ("file_search_calls", ("project_id",), _counted("num_requests", "llm_file_searches", requests="")),
    # Their model requests are among the completions.
    ("web_search_calls", _BY_MODEL, _counted("num_requests", "llm_web_searches", requests="")),
)
"""https://platform.openai.com/docs/api-reference/usage"""


def spend_limit_usd(api: JsonApi) -> Decimal | None:
    """Return the organization's spend limit for a month; None without a limit or without access to it.

    Raises SourceError.
    """
    try:
        found = api.get("/v1/organization/spend_limit")
    except SourceError as error:
        if error.reason in ("permission_denied", "not_found"):
            return None
        raise
    currency = found.get("currency")
    if not isinstance(currency, str) or currency.upper() != "USD" or found.get("interval") != "month":
        return None
    try:
        limit = amount(found.get("threshold_amount"), cents=True)
    except SetAsideError:
        return None
    return limit if limit > 0 else None
