"""One call of a model, from flat keys named by the OpenTelemetry GenAI conventions.

Spans of agents and tools repeat the tokens of the calls that they made, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, LARGEST_PLAUSIBLE
from exporter.core.providers import provider_label
from exporter.sources.llm.tokens import Terms, Tokens
from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.token_counts import (
    count_reasoning_beyond_output,
    counts_of,
    disjoint,
    has_tokens,
    number,
)

_LONGEST_NAME: Final = 256

_AGENTS: Final = frozenset({"invoke_agent", "create_agent", "execute_tool", "invoke_workflow"})
"""Values of gen_ai.operation.name."""
_NO_MODEL_CALLS: Final[Mapping[str, frozenset[str]]] = {
    "traceloop.span.kind": frozenset({"workflow", "task", "agent", "tool"}),
    "openinference.span.kind": frozenset({"agent", "chain", "tool", "retriever", "guardrail", "evaluator"}),
    "langfuse.observation.type": frozenset({"span", "agent", "chain", "tool", "retriever", "evaluator"}),
}
"""What other libraries write of the same."""

_REASONING_BEYOND_OUTPUT: Final = frozenset({"xai"})
"""Providers that count reasoning tokens next to the output, by their label. https://docs.x.ai/docs/models"""

AGENT_SPAN: Final = "agent or tool"
FAILED_CALL: Final = "failed call"
COSTING_NOTHING: Final[Mapping[str, str]] = {
    AGENT_SPAN: "such spans repeat the tokens of their model calls, which are counted themselves",
    FAILED_CALL: "a call that failed before it used any tokens costs nothing",
}
"""What is not counted, and why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model."""

    provider: str
    """Label value of `provider`: whose bill it is on."""
    priced_as: str
    """The provider as the log names it."""
    model: str
    """As the provider reported it, or else as it was requested."""
    project_id: str
    """The caller by service.name, or empty."""
    at: datetime
    tokens: Tokens
    terms: Terms
    cost_usd: Decimal | None
    """What the log says it cost."""


def call_of(flat: Mapping[str, Any], latest_plausible: datetime) -> Call | str:
    """Return the call, or why it costs nothing: AGENT_SPAN, FAILED_CALL. Raises UnusableLineError."""
    if _is_of_an_agent(flat):
        return AGENT_SPAN
    cost_usd = _cost(flat.get("cost_usd"))
    counts = counts_of(flat, priced=cost_usd is not None)
    if not any(counts.values()) and not cost_usd and _failed(flat):
        return FAILED_CALL
    named = name(flat, "gen_ai.provider.name", "gen_ai.system")
    model = name(flat, "gen_ai.response.model", "gen_ai.request.model")
    at = _moment(flat.get("timestamp"), latest_plausible)
    provider = provider_label(named)
    if not provider or not model or (not has_tokens(counts) and cost_usd is None):
        raise UnusableLineError("missing_field")
    if provider in _REASONING_BEYOND_OUTPUT:
        count_reasoning_beyond_output(counts)
    return Call(
        provider,
        named,
        model,
        name(flat, "service.name"),
        at,
        disjoint(counts),
        _terms(flat),
        cost_usd,
    )


def name(flat: Mapping[str, Any], *keys: str) -> str:
    """Return the first of some texts that is there and not empty. Raises UnusableLineError."""
    for key in keys:
        value = flat.get(key)
        if value is None or value == "":
            continue
        # A lone surrogate is a text in JSON but in no encoding.
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not _encodable(value):
            raise UnusableLineError("bad_name", key)
        if value.strip():
            return value.strip()
    return ""


def _encodable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text))


def _is_of_an_agent(flat: Mapping[str, Any]) -> bool:
    if flat.get("gen_ai.operation.name") in _AGENTS:
        return True
    return any(str(flat.get(key, "")).lower() in kinds for key, kinds in _NO_MODEL_CALLS.items())


def _failed(flat: Mapping[str, Any]) -> bool:
    if any(flat.get(key) for key in ("error.type", "error", "error.message", "exception.type")):
        return True
    if str(flat.get("status", "")).lower() in ("error", "failed", "failure"):
        return True
    try:
        return int(str(flat.get("http.response.status_code") or 0)) >= 400
    except ValueError:
        return False


def _moment(value: object, latest_plausible: datetime) -> datetime:
    if value is None:
        raise UnusableLineError("missing_field")
    try:
        # RFC 3339 allows lower-case letters, which Python does not.
        at = datetime.fromisoformat(value.upper()) if isinstance(value, str) else None
        if at is None or at.tzinfo is None or at < EARLIEST_PLAUSIBLE:
            raise UnusableLineError("bad_timestamp")
    except (ValueError, OverflowError):
        raise UnusableLineError("bad_timestamp") from None
    if at > latest_plausible:
        raise UnusableLineError("future_timestamp")
    return at


def _terms(flat: Mapping[str, Any]) -> Terms:
    """Return how the call was served; what the answer says wins over what was requested."""
    if any(flat.get(key) is True for key in ("batch", "is_batch", "gen_ai.batch", "gen_ai.request.batch")):
        tier = "batch"
    else:
        tier = _last_named(flat, "service_tier")
    return Terms(tier, _last_named(flat, "speed"), _last_named(flat, "inference_geo"))


def _last_named(flat: Mapping[str, Any], last: str) -> str:
    keys = [key for key in flat if key == last or key.endswith(f".{last}")]
    if not keys:
        return ""
    keys.sort(key=lambda key: ("response" not in key and "usage" not in key, "request" in key))
    return name(flat, *(key for key in keys if isinstance(flat[key], str)))


def _cost(value: object) -> Decimal | None:
    if value is None:
        return None
    usd = number(value, "bad_cost")
    if usd < 0 or usd >= LARGEST_PLAUSIBLE:
        raise UnusableLineError("bad_cost")
    return usd
