"""Usage logs: no line, however odd or broken, changes what the lines around it count."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ledger.usage.store import UsageLedger
from exporter.sources.usage_logs.source import UsageLogsSource
from tests.fuzz.hostile import VALUES, broken, changed, fuzzing, written
from tests.fuzz.reading import NOW, Reading, reading
from tests.sources.usage_logs.log_world import call, text

pytestmark = pytest.mark.slow

GOOD = [call(gen_ai__request__model="good-model", gen_ai__usage__input_tokens=tokens) for tokens in (1, 2, 4)]
SHAPES: list[dict[str, Any]] = [
    call(cost_usd=0.5, service_tier="batch", trace="t"),
    {
        "id": "chatcmpl-1",
        "created": 1795174200,
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    },
    {
        "type": "assistant",
        "timestamp": "2026-11-20T11:30:00Z",
        "sessionId": "s",
        "requestId": "r",
        "message": {
            "id": "m",
            "model": "claude-opus-5",
            "usage": {"input_tokens": 3, "output_tokens": 4, "cache_creation_input_tokens": 5},
        },
    },
    {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "a",
                                "spanId": "b",
                                "endTimeUnixNano": "1795174200000000000",
                                "attributes": [
                                    {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                                    {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
                                ],
                            }
                        ]
                    }
                ],
            }
        ]
    },
]


def good_tokens(program: Reading) -> float:
    """Input tokens of the good lines' model."""
    with UsageLedger(program.ledger).view() as view:
        return sum(
            each.amount
            for each in view.hourly(NOW.replace(hour=0), NOW, ["llm_tokens"])
            if each.resource == "good-model" and each.dimension == "input"
        )


@fuzzing()
@given(odd=st.lists(st.sampled_from(SHAPES).flatmap(changed), min_size=4, max_size=4))
def test_no_line_changes_what_the_others_count(tmp_path: Path, odd: list[Any]) -> None:
    path = tmp_path / "calls.jsonl"
    lines = [
        line for pair in zip(map(written, odd), [*map(written, GOOD), b""], strict=True) for line in pair
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with reading(UsageLogsSource((str(path),))) as program:
        status = program.refresh()
        assert status.up, status.last_error
        assert good_tokens(program) == 7
        # A line that is there is read once.
        program.refresh()
        assert good_tokens(program) == 7


@fuzzing()
@given(data=st.data(), packed=st.booleans())
def test_a_broken_log_leaves_the_log_beside_it_alone(
    tmp_path: Path, data: st.DataObject, packed: bool
) -> None:
    (tmp_path / "good.jsonl").write_bytes(text(*GOOD))
    content = text(*SHAPES, *SHAPES)
    odd = tmp_path / ("odd.jsonl.gz" if packed else "odd.jsonl")
    odd.write_bytes(data.draw(broken(gzip.compress(content, mtime=0) if packed else content)))
    with reading(UsageLogsSource((str(tmp_path / "*.jsonl*"),))) as program:
        program.refresh()
        assert good_tokens(program) == 7


@fuzzing(2)
@given(value=VALUES)
def test_any_json_value_as_a_line_is_counted_or_set_aside(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(written(value) + b"\n" + text(*GOOD))
    with reading(UsageLogsSource((str(path),))) as program:
        assert program.refresh().up
        assert good_tokens(program) == 7
