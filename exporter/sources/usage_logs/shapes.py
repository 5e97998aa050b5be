"""The shapes of log lines that people have: which one a JSON object is of, and the calls in it.

Read are our own flat lines, spans of OTLP and LiteLLM's standard logging payload; others are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from exporter.sources.usage_logs.refusals import UnusableLineError

Flat = dict[str, Any]
Json = Mapping[str, Any]

_DEEPEST: Final = 5
_WRAPPERS: Final = ("response", "body", "result", "message", "data", "output")
"""Keys under which batch files and loggers put the answer of an API."""


def flat_calls(line: Json) -> Iterator[Flat]:
    """Yield the flat keys of each call of a line. Raises UnusableLineError for a shape that is not read."""
    if "resourceSpans" in line or "resource_spans" in line:
        yield from _spans(line)
    elif "resourceLogs" in line or "resourceMetrics" in line:
        raise UnusableLineError("otlp_without_spans")
    elif "custom_llm_provider" in line and line.keys() & {"call_type", "response_cost", "spend"}:
        yield _of_litellm(line)
    else:
        flat = _flattened(line)
        if not any(key.startswith("gen_ai.") for key in flat):
            shape = _known_shape(line)
            if shape:
                raise UnusableLineError(shape)
        yield flat


def _flattened(line: Json) -> Flat:
    """Return the keys of a line, and with dots between them those of objects with attributes or usage."""
    flat: Flat = {}
    for key, value in line.items():
        if not isinstance(value, dict):
            flat[key] = value
        elif key in ("attributes", "span_attributes", "resource", "resource_attributes"):
            flat |= _flattened(value)
        elif key.startswith("gen_ai") or "usage" in key.lower() or "token" in key.lower() or key == "error":
            flat |= _dotted(key, value)
    return flat


def _dotted(prefix: str, inner: Json, depth: int = 1) -> Flat:
    flat: Flat = {}
    for key, value in inner.items():
        if not isinstance(value, dict):
            flat[f"{prefix}.{key}"] = value
        elif depth < _DEEPEST:
            flat |= _dotted(f"{prefix}.{key}", value, depth + 1)
    return flat


def _spans(line: Json) -> Iterator[Flat]:
    """Yield the spans of generative AI that a line of the collector's file exporter has."""
    for resource in _objects(line, "resourceSpans", "resource_spans"):
        about = _attributes(resource.get("resource") or {})
        for scope in _objects(
            resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans", missing_is_empty=True
        ):
            for span in _objects(scope, "spans", missing_is_empty=True):
                flat = _attributes(span)
                if not any(key.startswith(("gen_ai.", "llm.")) for key in flat):
                    continue
                flat.setdefault("service.name", about.get("service.name"))
                flat["timestamp"] = _time_of_nanoseconds(
                    span.get("endTimeUnixNano") or span.get("startTimeUnixNano")
                )
                status = span.get("status")
                if isinstance(status, dict) and status.get("code") in (2, "2", "STATUS_CODE_ERROR"):
                    flat.setdefault("error", "span status")
                yield flat


def _objects(parent: Json, *names: str, missing_is_empty: bool = False) -> Iterator[Json]:
    found = next((parent[each] for each in names if parent.get(each) is not None), None)
    if found is None and missing_is_empty:
        return
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnusableLineError("bad_otlp", names[0])
    yield from found


def _attributes(holder: object) -> Flat:
    """Return typed attributes, `[{"key": …, "value": {"intValue": "1"}}]`, as plain keys and values."""
    if not isinstance(holder, dict):
        raise UnusableLineError("bad_otlp", "resource")
    flat: Flat = {}
    for each in _objects(holder, "attributes", missing_is_empty=True):
        key = each.get("key")
        if not isinstance(key, str):
            raise UnusableLineError("bad_otlp", "attributes")
        value = _plain_value(each.get("value"))
        flat |= _dotted(key, value) if isinstance(value, dict) else {key: value}
    return flat


def _plain_value(value: object) -> Any:
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("kvlistValue"), dict):
        return {
            str(each.get("key")): _plain_value(each.get("value"))
            for each in _objects(value["kvlistValue"], "values", missing_is_empty=True)
        }
    # A list says nothing about a call's tokens.
    plain = ("stringValue", "intValue", "doubleValue", "boolValue")
    return next((value[name] for name in plain if name in value), None)


def _time_of_nanoseconds(value: object) -> str | None:
    try:
        return None if value is None else _written(Decimal(int(str(value))) / 10**9)
    except ValueError:
        raise UnusableLineError("bad_timestamp") from None


def _written(seconds: Decimal) -> str:
    try:
        return datetime.fromtimestamp(float(seconds), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise UnusableLineError("bad_timestamp") from None


def _of_litellm(line: Json) -> Flat:
    """Return LiteLLM's standard logging payload under our keys."""
    metadata = _object(line, "metadata")
    usage = _object(metadata, "usage_object") or _object(line, "usage_object")
    flat = _dotted("usage", usage)
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        flat.setdefault(f"usage.{key}", line.get(key))
    ended = line.get("endTime")
    # Rows of its database have the cost as `spend`.
    cost = line.get("response_cost", line.get("spend"))
    hit = line.get("cache_hit") in (True, "True", "true")
    return {
        **flat,
        "timestamp": _written(Decimal(ended)) if isinstance(ended, int | Decimal) else ended,
        "gen_ai.provider.name": line.get("custom_llm_provider"),
        "gen_ai.request.model": line.get("model"),
        "service.name": metadata.get("user_api_key_team_alias"),
        "service_tier": _object(line, "model_parameters").get("service_tier"),
        # Without a price of its own LiteLLM writes 0, which would make the call free.
        "cost_usd": 0 if hit else cost or None,
        "status": line.get("status"),
    }


def _object(parent: Json, key: str) -> Json:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _known_shape(line: Json) -> str:
    """Return the reason of a shape that is known and not read; empty for any other."""
    usage = _object(line, "usage")
    is_of_openai = "object" in line or {"prompt_tokens", "completion_tokens"} <= usage.keys()
    signs = {
        "claude_code_session": "sessionId" in line and "type" in line,
        "langfuse_export": line.get("type") in ("GENERATION", "SPAN", "EVENT") or "usageDetails" in line,
        "bedrock_invocation_log": line.get("schemaType") == "ModelInvocationLog",
        "gemini_response": "usageMetadata" in line or "usage_metadata" in line,
        "anthropic_message": bool(usage) and line.get("type") == "message",
        "openai_object": bool(usage) and is_of_openai,
    }
    inner = (line[key] for key in _WRAPPERS if isinstance(line.get(key), dict))
    found = (reason for reason, is_it in signs.items() if is_it)
    return next(found, "") or next(filter(None, map(_known_shape, inner)), "")
