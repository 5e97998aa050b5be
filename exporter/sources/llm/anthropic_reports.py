"""The reports of Anthropic's admin API: which ones exist, and what one result of each contains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from exporter.sources.llm.costs import CostLine
from exporter.sources.llm.pages import Dialect, Report, Result, SetAsideError, amount, count, text
from exporter.sources.llm.tokens import CACHE_WRITE, Part, Terms, Tokens
from exporter.sources.llm.usage import HOUR, Usage, UsageReport

if TYPE_CHECKING:
    from exporter.sources.http.json_api import JsonApi


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("no time")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_DIALECT: Final = Dialect("starting_at", "ending_at", "group_by[]", _rfc3339, _moment)
_DAYS_A_PAGE: Final = 31
_HOURS_A_PAGE: Final = 168
_LONG_CONTEXT: Final = frozenset({"200k-1M"})
_SHORT_CONTEXT: Final = {"0-200k": 200_000}
"""Most input tokens that a call in the window had."""
_WHAT: Final = {
    "uncached_input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
}


def organization(api: JsonApi) -> str:
    """Ask which organization the key is of. Raises SourceError.

    https://platform.claude.com/docs/en/api/admin/organizations/me
    """
    found = api.get("/v1/organizations/me").get("id")
    return found if isinstance(found, str) else ""


def cost_report(api: JsonApi) -> Report:
    """What was billed, by workspace and description; days only."""
    return Report(
        api,
        _DIALECT,
        "/v1/organizations/cost_report",
        ("workspace_id", "description"),
        timedelta(days=1),
        _DAYS_A_PAGE,
    )


def cost_line(result: Result) -> CostLine:
    """Read one result of the cost report: amounts are in cents. Raises SetAsideError."""
    usd = amount(result.get("amount"), cents=True)
    currency = text(result, "currency")
    if currency.upper() != "USD":
        raise SetAsideError("foreign_currency", f"{currency[:8]!r} instead of USD")
    return CostLine(text(result, "workspace_id"), _sku_id(result), text(result, "description"), "", usd, 0.0)


def _sku_id(result: Result) -> str:
    """`<model>/<what>`; the type of the tokens, or else the kind of cost."""
    token_type, tier = text(result, "token_type"), text(result, "service_tier")
    words = [_WHAT.get(token_type, token_type) or text(result, "cost_type")]
    words += ["long_context"] * (text(result, "context_window") in _LONG_CONTEXT)
    words += [tier] * (tier not in ("", "standard"))
    what = "_".join(word.replace("/", "_") for word in words if word)
    model = text(result, "model")
    return f"{model}/{what}" if model or what else ""


_GROUPS: Final = ("model", "workspace_id", "service_tier", "context_window", "inference_geo", "speed")


def usage_reports(api: JsonApi) -> Iterator[UsageReport]:
    """The report of messages, by workspace and model and what else decides the price."""
    path = "/v1/organizations/usage_report/messages"
    report = Report(api, _DIALECT, path, _GROUPS, HOUR, _HOURS_A_PAGE, optional_groups=2)
    yield UsageReport(report, _messages, _KNOWN_COUNTS)


_KNOWN_COUNTS: Final = frozenset(
    {
        "uncached_input_tokens",
        "cache_read_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
    }
)


def _messages(result: Result) -> Usage:
    written, tools = _object(result, "cache_creation"), _object(result, "server_tool_use")
    hour_long = count(written, "ephemeral_1h_input_tokens")
    return Usage(
        text(result, "workspace_id"),
        text(result, "model"),
        Tokens(
            count(result, "uncached_input_tokens"),
            count(result, "cache_read_input_tokens"),
            hour_long + count(written, "ephemeral_5m_input_tokens"),
            count(result, "output_tokens"),
            (Part(CACHE_WRITE, "1h", hour_long),) if hour_long else (),
        ),
        # The report has no number of calls, only whether each of them was a long one.
        requests_for_price=1 if text(result, "context_window") in _LONG_CONTEXT else 0,
        longest_call=_SHORT_CONTEXT.get(text(result, "context_window")),
        terms=Terms(text(result, "service_tier"), text(result, "speed"), text(result, "inference_geo")),
        others={
            "llm_web_searches": count(tools, "web_search_requests"),
            "llm_sessions": count(tools, "code_execution_requests"),
        },
    )


def _object(result: Result, name: str) -> Result:
    value = result.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SetAsideError("bad_usage", f"`{name}` is not an object")
    return value
