"""Which lines are calls that cost something, and their terms: no agents that repeat them, no failed calls."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.sources.usage_logs.log_world import call
from tests.support.llm_cases import outcome_of_log

ESTIMATED, REQUESTS = "spend_llm_estimated_usd_total", "spend_llm_requests_total"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.operation.name", "invoke_agent"),
        ("gen_ai.operation.name", "run_agent"),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.operation.name", "handoff"),
        ("gen_ai.span.kind", "AGENT"),
        ("openinference.span.kind", "CHAIN"),
        ("traceloop.span.kind", "workflow"),
        ("mlflow.spanType", "AGENT"),
        ("langsmith.span.kind", "chain"),
        ("langfuse.observation.type", "span"),
        ("ai.operationId", "ai.streamText"),
    ],
)
def test_a_span_that_repeats_the_tokens_of_calls_is_not_counted(tmp_path: Path, key: str, value: str) -> None:
    found = outcome_of_log(tmp_path, call(**{key: value}), call())
    assert found.total(REQUESTS) == 1
    assert found.reasons == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.span.kind", "LLM"),
        ("mlflow.spanType", "CHAT_MODEL"),
        ("logfire.span_type", "span"),
        ("langfuse.observation.type", "generation"),
        ("ai.operationId", "ai.streamText.doStream"),
        ("gen_ai.agent.name", "planner"),
    ],
)
def test_a_call_of_a_model_is_counted_whatever_else_it_says(tmp_path: Path, key: str, value: str) -> None:
    assert outcome_of_log(tmp_path, call(**{key: value})).total(REQUESTS) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "failure",
    [
        {"http.status_code": 429},
        {"status_code": 500},
        {"otel.status_code": "ERROR"},
        {"status": {"code": "ERROR", "message": "x"}},
        {"error": {"type": "rate_limit"}},
        {"exception.type": "Timeout"},
        {"success": False},
        {"level": "ERROR"},
        {"gen_ai.response.finish_reasons": ["error"]},
    ],
)
def test_a_failed_call_without_tokens_costs_nothing_however_it_says_so(
    tmp_path: Path, failure: dict[str, Any]
) -> None:
    line = call(gen_ai__usage__input_tokens=None, gen_ai__usage__output_tokens=..., **failure)
    found = outcome_of_log(tmp_path, line)
    assert found.reasons == {}
    assert found.total(ESTIMATED) == 0
    paid = outcome_of_log(tmp_path, call(**failure))
    assert paid.total(ESTIMATED) == pytest.approx(0.0075)


@pytest.mark.slow
@pytest.mark.parametrize(
    "terms",
    [
        {"serviceTier": "flex"},
        {"gen_ai.openai.response.service_tier": "flex"},
        {"usage": {"service-tier": "flex"}},
        {"gen_ai.request.is_batch": True},
        {"isBatch": "true"},
    ],
)
def test_the_terms_of_a_call_are_read_in_every_spelling(tmp_path: Path, terms: dict[str, Any]) -> None:
    line = call(
        gen_ai__request__model="gpt-5.4",
        gen_ai__usage__input_tokens=100_000,
        gen_ai__usage__output_tokens=0,
        **terms,
    )
    assert outcome_of_log(tmp_path, line).total(ESTIMATED) == pytest.approx(0.125)


LITELLM: dict[str, Any] = {
    "call_type": "acompletion",
    "custom_llm_provider": "openai",
    "model": "gpt-4o",
    "prompt_tokens": 1000,
    "completion_tokens": 500,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "ended",
    ["2026-11-25T09:15:02Z", "2026-11-25 09:15:02.120", "2026-11-25T09:15:02", 1795598102.2, 1795598102200],
)
def test_the_time_of_litellm_is_read_as_its_callbacks_and_its_database_write_it(
    tmp_path: Path, ended: object
) -> None:
    found = outcome_of_log(tmp_path, {**LITELLM, "endTime": ended})
    assert found.total(ESTIMATED) == pytest.approx(0.0075)
    assert found.reasons == {}


SPAN = {"endTimeUnixNano": "1795598102000000000", "startTimeUnixNano": "1795598100000000000"}
NAMES_OF_SPANS: list[dict[str, object]] = [
    {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 1000}
    | {"gen_ai.usage.completion_tokens": 500},
    {"llm.provider": "openai", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 1000}
    | {"llm.token_count.completion": 500, "openinference.span.kind": "LLM"},
    {"ai.model.provider": "openai.chat", "ai.model.id": "gpt-4o", "ai.usage.promptTokens": 1000}
    | {"ai.usage.completionTokens": 500, "ai.operationId": "ai.generateText.doGenerate"},
]


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES_OF_SPANS)
@pytest.mark.parametrize("snake", [False, True], ids=["camel case", "snake case"])
def test_spans_of_other_conventions_are_calls(tmp_path: Path, names: dict[str, object], snake: bool) -> None:
    attributes = [
        {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
        for key, value in names.items()
    ]
    line = json.dumps(
        {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [{**SPAN, "attributes": attributes}]}]}]}
    )
    if snake:
        for word in ("resourceSpans", "scopeSpans", "stringValue", "intValue", *SPAN):
            line = line.replace(word, re.sub(r"(?=[A-Z])", "_", word).lower())
    found = outcome_of_log(tmp_path, line)
    assert found.total(ESTIMATED) == pytest.approx(0.0075)
    assert found.reasons == {}
