"""Which lines are calls that cost something, and their terms: no agents that repeat them, no failed calls."""

from __future__ import annotations

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
