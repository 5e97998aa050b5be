"""One call of a model, from flat keys named by the OpenTelemetry GenAI conventions.

Spans of agents and tools repeat the tokens of the calls that they made, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, LARGEST_PLAUSIBLE
from exporter.core.providers import provider_label
from exporter.sources.llm.tokens import Terms, Tokens
from exporter.sources.usage_logs.fees import fee_meter, fees_of
from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.token_counts import (
    CacheBeside,
    count_reasoning_beyond_output,
    counts_of,
    disjoint,
    has_cache_beside_input,
    has_tokens,
    number,
)
from exporter.sources.usage_logs.token_keys import snake_case

_LONGEST_NAME: Final = 256

_AGENTS: Final = re.compile(r"agent|tool|workflow|handoff|guardrail|\bplan\b")
"""In values of gen_ai.operation.name: invoke_agent, create_agent, execute_tool, invoke_workflow, …"""
_KIND_OF_SPAN: Final = re.compile(r"(?:^|[._])(?:span|observation|run)[._]?(?:kind|type)$", re.IGNORECASE)
_NO_MODEL_CALLS: Final = frozenset(
    {
        "agent",
        "tool",
        "chain",
        "workflow",
        "task",
        "retriever",
        "guardrail",
        "evaluator",
        "reranker",
        "parser",
    }
)
"""What other libraries write of the same: traceloop.span.kind, openinference.span.kind, mlflow.spanType, …"""
_VERCEL_CALL: Final = re.compile(r"^ai\.(?!.*\.do[A-Z])\w")
"""`ai.generateText` repeats the tokens of its `ai.generateText.doGenerate`."""

_REASONING_BEYOND_OUTPUT: Final = frozenset({"xai"})
"""Providers that count reasoning tokens next to the output, by their label. https://docs.x.ai/docs/models"""

_PROVIDER_KEYS: Final = (
    *("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
)
_MODEL_KEYS: Final = (
    *("gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model"),
    *("llm.model_name", "ai.response.model", "ai.model.id"),
)
"""OpenTelemetry's names, then those of OpenInference and Vercel's SDK; the first that says something."""

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
    unpriced_fees: Mapping[str, int]
    """What has a fee beside the tokens, by meter; nothing where the log says the cost."""


def call_of(flat: Mapping[str, Any], latest_plausible: datetime) -> Call | str:
    """Return the call, or why it costs nothing: AGENT_SPAN, FAILED_CALL. Raises UnusableLineError."""
    if _is_of_an_agent(flat):
        return AGENT_SPAN
    cost_usd = _cost(flat.get("cost_usd"))
    fees = fees_of(flat)
    counts = counts_of(
        {key: value for key, value in flat.items() if fee_meter(key) is None}, priced=cost_usd is not None
    )
    if not any(counts.values()) and not cost_usd and not fees and _failed(flat):
        return FAILED_CALL
    named = name(flat, *_PROVIDER_KEYS)
    model = name(flat, *_MODEL_KEYS)
    at = _moment(flat.get("timestamp"), latest_plausible)
    provider = provider_label(named)
    if not provider or not model or (not has_tokens(counts) and cost_usd is None and not fees):
        raise UnusableLineError("missing_field")
    if provider in _REASONING_BEYOND_OUTPUT:
        count_reasoning_beyond_output(counts)
    return Call(
        provider,
        named,
        model,
        name(flat, "service.name"),
        at,
        disjoint(counts, _cache_beside_input(flat, provider, model)),
        _terms(flat),
        cost_usd,
        fees if cost_usd is None else {},
    )


def _cache_beside_input(flat: Mapping[str, Any], provider: str, model: str) -> CacheBeside:
    if has_cache_beside_input(flat):
        return "yes"
    # Whoever hands on the counts of Anthropic or Bedrock as they are.
    return "perhaps" if provider in ("anthropic", "aws") or "claude" in model.lower() else "no"


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
    operation, of_vercel = flat.get("gen_ai.operation.name"), flat.get("ai.operationId")
    if isinstance(operation, str) and _AGENTS.search(operation.lower()):
        return True
    if isinstance(of_vercel, str) and _VERCEL_CALL.match(of_vercel):
        return True
    kinds = {str(value).lower() for key, value in flat.items() if _KIND_OF_SPAN.search(key)}
    # Langfuse has observations that are spans, and others that are generations.
    return bool(kinds & _NO_MODEL_CALLS) or flat.get("langfuse.observation.type") == "span"


def _failed(flat: Mapping[str, Any]) -> bool:
    if flat.get("success") is False or any(
        value for key, value in flat.items() if key.partition(".")[0] in ("error", "exception")
    ):
        return True
    if any(_says_failed(flat[key]) for key in _FAILURES if key in flat):
        return True
    try:
        return any(int(str(flat.get(key) or 0)) >= 400 for key in _STATUS_CODES)
    except ValueError:
        return False


_FAILURES: Final = (
    *("status", "status.code", "status.status_code", "otel.status_code", "level", "outcome"),
    *("gen_ai.response.finish_reasons", "finish_reason"),
)
_STATUS_CODES: Final = (
    "http.response.status_code",
    "http.status_code",
    "status_code",
    "statusCode",
    "status",
)


def _says_failed(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_says_failed, value))
    return str(value).lower() in ("error", "failed", "failure", "status_code_error", "timeout", "cancelled")


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
    if any(
        _last_words(key) in ("batch", "is_batch") and str(value).lower() == "true"
        for key, value in flat.items()
    ):
        tier = "batch"
    else:
        tier = _last_named(flat, "service_tier")
    return Terms(tier, _last_named(flat, "speed"), _last_named(flat, "inference_geo"))


def _last_named(flat: Mapping[str, Any], last: str) -> str:
    keys = [key for key in flat if _last_words(key) == last]
    if not keys:
        return ""
    keys.sort(key=lambda key: ("response" not in key and "usage" not in key, "request" in key))
    return name(flat, *(key for key in keys if isinstance(flat[key], str)))


def _last_words(key: str) -> str:
    """Return what is behind the last dot, in snake case: `service_tier` of `openai.response.serviceTier`."""
    return snake_case(key.rpartition(".")[2])


def _cost(value: object) -> Decimal | None:
    if value is None:
        return None
    usd = number(value, "bad_cost")
    if usd < 0 or usd >= LARGEST_PLAUSIBLE:
        raise UnusableLineError("bad_cost")
    return usd
