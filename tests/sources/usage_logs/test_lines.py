"""No line breaks the reading of a log: it has calls, or it is set aside, or it costs nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.usage_logs.lines import read_line
from exporter.sources.usage_logs.refusals import REASONS

LATEST = datetime(2026, 11, 26, tzinfo=UTC)
KEYS = st.sampled_from(
    [
        *[
            "timestamp",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "service.name",
            "cost_usd",
            "service_tier",
        ],
        *["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cached_tokens", "gen_ai"],
        *[
            "usage",
            "input_audio_tokens",
            "cache_tokens",
            "reasoning_tokens",
            "total_tokens",
            "error",
            "status",
        ],
        *[
            "custom_llm_provider",
            "call_type",
            "metadata",
            "usage_object",
            "endTime",
            "model",
            "model_parameters",
        ],
        *["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "intValue", "kvlistValue"],
        *["type", "sessionId", "object", "response", "message", "usageDetails", "resource", "values"],
    ]
)
TEXTS = st.sampled_from(
    ["2026-11-25T09:15:02Z", "openai", "gpt-4o", "gen_ai.usage.input_tokens", "12", "\ud800"]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 10**13) | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_json_object_is_counted_or_set_aside_with_a_known_reason(line: dict[str, Any]) -> None:
    content = read_line(json.dumps(line).encode(), LATEST)
    assert {error.reason for error in content.refused} <= REASONS.keys()
    for call in content.calls:
        assert call.provider
        assert call.model
        assert call.tokens.by_type().keys() == call.tokens.plain().keys()
    if "resourceSpans" not in line and "resource_spans" not in line:
        assert len(content.calls) + len(content.refused) + content.costing_nothing.total() == 1
