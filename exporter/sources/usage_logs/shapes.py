"""The shapes of log lines that people have: which one a JSON object is of, and the calls in it.

Read are our own flat lines, spans of OTLP and LiteLLM's standard logging payload; others are named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.token_counts import whole_number

Flat = dict[str, Any]
Json = Mapping[str, Any]

_DEEPEST: Final = 5
_FLATTENED: Final = re.compile(r"^gen_ai|usage|token|^(error|status|server_tool_use)$", re.IGNORECASE)
"""Keys of objects whose own keys say something about a call."""
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
        if isinstance(value, list):
            flat |= _by_modality(key, value) or {key: value}
        elif not isinstance(value, dict):
            flat[key] = value
        elif key in ("attributes", "span_attributes", "resource", "resource_attributes"):
            flat |= _flattened(value)
        elif _FLATTENED.search(key):
            flat |= _dotted(key, value)
    return flat


def _dotted(prefix: str, inner: Json, depth: int = 1) -> Flat:
    flat: Flat = {}
    for key, value in inner.items():
        if isinstance(value, list):
            flat |= _by_modality(f"{prefix}.{key}", value) or {f"{prefix}.{key}": value}
        elif not isinstance(value, dict):
            flat[f"{prefix}.{key}"] = value
        elif depth < _DEEPEST:
            flat |= _dotted(f"{prefix}.{key}", value, depth + 1)
    return flat


def _by_modality(key: str, listed: list[Any]) -> Flat:
    """Return Gemini's `[{"modality": "AUDIO", "tokenCount": 9}]` as a count for each modality; else nothing.

    Google has one price for text, images and video that are sent, so that video counts as images.
    """
    counts: dict[str, Decimal | int] = {}
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("modality"), str):
            return {}
        modality = each["modality"].lower()
        count = each.get("tokenCount", each.get("token_count", 0))
        of_cache = ".read" if "cache" in key.lower() else ""
        name = f"{key}{of_cache}.{'image' if modality == 'video' else modality}"
        counts[name] = counts.get(name, 0) + whole_number(0 if count is None else count)
    return dict(counts)


def _spans(line: Json) -> Iterator[Flat]:
    """Yield the spans of generative AI that a line of the collector's file exporter has."""
    for resource in _objects(line, "resourceSpans", "resource_spans"):
        about = _attributes(resource.get("resource") or {})
        for scope in _objects(
            resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans", missing_is_empty=True
        ):
            for span in _objects(scope, "spans", missing_is_empty=True):
                flat = _attributes(span)
                if not any(key.startswith(("gen_ai.", "llm.", "ai.model.")) for key in flat):
                    continue
                flat.setdefault("service.name", about.get("service.name"))
                times = (span[each] for each in _TIMES_OF_A_SPAN if span.get(each))
                flat["timestamp"] = _time_of_nanoseconds(next(times, None))
                status = span.get("status")
                if isinstance(status, dict) and status.get("code") in (2, "2", "STATUS_CODE_ERROR"):
                    flat.setdefault("error", "span status")
                yield flat


_TIMES_OF_A_SPAN: Final = (
    *("endTimeUnixNano", "end_time_unix_nano", "startTimeUnixNano", "start_time_unix_nano"),
)


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
        if isinstance(value, list):
            flat |= _by_modality(key, value) or {key: value}
        else:
            flat |= _dotted(key, value) if isinstance(value, dict) else {key: value}
    return flat


def _plain_value(value: object) -> Any:
    if not isinstance(value, dict):
        return None
    # Some libraries keep the snake case of the protocol's definition.
    value = {_SNAKE.sub("V", key): inner for key, inner in value.items()}
    if isinstance(value.get("kvlistValue"), dict):
        return {
            str(each.get("key")): _plain_value(each.get("value"))
            for each in _objects(value["kvlistValue"], "values", missing_is_empty=True)
        }
    if isinstance(value.get("arrayValue"), dict):
        return [_plain_value(each) for each in _objects(value["arrayValue"], "values", missing_is_empty=True)]
    plain = ("stringValue", "intValue", "doubleValue", "boolValue")
    return next((value[name] for name in plain if name in value), None)


_SNAKE: Final = re.compile(r"_v(?=alue$)")


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
        "timestamp": _time_of_litellm(ended),
        "gen_ai.provider.name": line.get("custom_llm_provider"),
        "gen_ai.request.model": line.get("model"),
        "service.name": metadata.get("user_api_key_team_alias"),
        "service_tier": _object(line, "model_parameters").get("service_tier"),
        # Without a price of its own LiteLLM writes 0, which would make the call free.
        "cost_usd": 0 if hit else cost or None,
        "status": line.get("status"),
    }


def _time_of_litellm(ended: object) -> object:
    if isinstance(ended, int | Decimal):
        # Milliseconds from 2001 on are more seconds than there have been.
        return _written(Decimal(ended) / 1000 if ended >= 10**11 else Decimal(ended))
    # Its database has UTC without saying so.
    without_offset = isinstance(ended, str) and _LOCAL_TIME.fullmatch(ended)
    return f"{ended}+00:00" if without_offset else ended


_LOCAL_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?")


def _object(parent: Json, key: str) -> Json:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _known_shape(line: Json) -> str:
    """Return the reason of a shape that is known and not read; empty for any other."""
    usage = _object(line, "usage")
    is_of_openai = "object" in line or {"prompt_tokens", "completion_tokens"} <= usage.keys()
    signs = {
        "claude_code_session": ("sessionId" in line or "leafUuid" in line) and "type" in line,
        "langfuse_export": line.get("type") in ("GENERATION", "SPAN", "EVENT")
        or not line.keys().isdisjoint(("usageDetails", "usage_details", "observations")),
        "bedrock_invocation_log": line.get("schemaType") == "ModelInvocationLog",
        "gemini_response": "usageMetadata" in line or "usage_metadata" in line,
        "anthropic_message": bool(usage) and line.get("type") == "message",
        "openai_object": bool(usage) and is_of_openai,
    }
    inner = (line[key] for key in _WRAPPERS if isinstance(line.get(key), dict))
    found = (reason for reason, is_it in signs.items() if is_it)
    return next(found, "") or next(filter(None, map(_known_shape, inner)), "")
