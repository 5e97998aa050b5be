"""Log lines in the shapes that people have are read, or named with what to do; none is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sources.usage_logs.log_world import call
from tests.support.llm_cases import Outcome, outcome, outcome_of_log

pytestmark = pytest.mark.slow

ESTIMATED, UNPRICED = "spend_llm_estimated_usd_total", "spend_llm_unpriced_tokens_total"
TOKENS, REQUESTS = "spend_llm_tokens_total", "spend_llm_requests_total"


@pytest.mark.parametrize(
    ("case", "provider", "usd"),
    [
        # 1,258 plain, 128,955 from the cache and 340 out, at 3, 0.3 and 15 $ a million.
        ("01-names", "anthropic", 0.0475605),
        # 5 plain, 128,955 from the cache, 1,253 to it and 340 out.
        ("01a-cache-names-pydantic", "anthropic", 0.04850025),
        ("01b-cache-names-openllmetry-old", "anthropic", 0.04850025),
        ("40-litellm-standard-logging", "openai", 0.00512),
        ("40-otlp-file-exporter", "openai", 0.0064),
        ("42-service-tier-flex", "openai", 0.125),
        # Two failed calls, and one of a million tokens with a long context.
        ("43-failed-call", "openai", 5.0),
        ("45-audio-otel", "openai", 41.04),
    ],
)
def test_a_call_costs_what_its_tokens_cost(tmp_path: Path, case: str, provider: str, usd: float) -> None:
    found = outcome(case, tmp_path)
    assert found.sums(ESTIMATED, "provider") == {(provider,): pytest.approx(usd)}
    assert found.sums(REQUESTS, "provider") == {(provider,): 1.0}
    assert found.total(UNPRICED) == 0
    assert found.reasons == {}
    assert found.report == ""


@pytest.mark.parametrize(
    ("case", "reason", "words"),
    [
        (
            "40-anthropic-message",
            "anthropic_message",
            "unchanged answer of Anthropic's Messages API, which has no time",
        ),
        ("40-langfuse-export", "langfuse_export", "an export of Langfuse, which does not say who bills"),
        (
            "40-openai-responses",
            "openai_object",
            "unchanged answer of OpenAI's API, which does not say who bills",
        ),
    ],
)
def test_a_shape_that_is_not_read_is_named_with_what_to_do(
    tmp_path: Path, case: str, reason: str, words: str
) -> None:
    assert_named(outcome(case, tmp_path), reason, words)


CLAUDE_CODE = {
    "type": "assistant",
    "sessionId": "5b8e",
    "timestamp": "2026-11-25T09:15:02.120Z",
    "message": {
        "type": "message",
        "model": "claude-opus-5",
        "usage": {"input_tokens": 5, "output_tokens": 9},
    },
}
CHAT_COMPLETION = {"object": "chat.completion", "usage": {"prompt_tokens": 5, "completion_tokens": 9}}


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        (CLAUDE_CODE, "claude_code_session", "a session of Claude Code"),
        (
            {"type": "summary", "sessionId": "5b8e"},
            "claude_code_session",
            "let Claude Code export OpenTelemetry",
        ),
        (CHAT_COMPLETION, "openai_object", "OpenAI's API"),
        (
            {"custom_id": "7", "response": {"status_code": 200, "body": CHAT_COMPLETION}},
            "openai_object",
            "OpenAI",
        ),
        (
            {"result": {"message": {"type": "message", "usage": {"input_tokens": 5}}}},
            "anthropic_message",
            "its `usage` may stay as it is",
        ),
        ({"usageMetadata": {"promptTokenCount": 5}}, "gemini_response", "the Gemini API"),
        ({"schemaType": "ModelInvocationLog", "modelId": "m"}, "bedrock_invocation_log", "focus.files"),
        ({"resourceLogs": []}, "otlp_without_spans", "let the collector export traces"),
        ({"resourceSpans": 5}, "bad_otlp", "OTLP JSON that is damaged"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]}, "bad_otlp", "OTLP JSON that is damaged"),
        ({"level": "info", "msg": "ready"}, "missing_field", '"gen_ai.usage.input_tokens": 1200'),
        ("not JSON", "bad_json", '"gen_ai.usage.input_tokens": 1200'),
    ],
)
def test_any_other_line_is_counted_with_an_example_of_what_is_expected(
    tmp_path: Path, line: object, reason: str, words: str
) -> None:
    assert_named(outcome_of_log(tmp_path, line), reason, words)


def assert_named(found: Outcome, reason: str, words: str) -> None:
    assert found.reasons == {reason: 1.0}
    assert reason in found.report
    assert words in found.report
    assert not all(each.ok for each in found.findings)
    assert found.total(REQUESTS) == 0


def attributes(**values: object) -> list[dict[str, Any]]:
    """Typed attributes of OTLP; two underscores stand for the dot in a key."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    return [
        {
            "key": key.replace("__", "."),
            "value": {kinds[type(value)]: str(value) if type(value) is int else value},
        }
        for key, value in values.items()
    ]


def span(operation: str = "chat", tokens: int | None = 1000, **changes: Any) -> dict[str, Any]:
    values: dict[str, object] = {
        "gen_ai__operation__name": operation,
        "gen_ai__provider__name": "openai",
        "gen_ai__request__model": "gpt-4o",
    }
    if tokens is not None:
        values |= {"gen_ai__usage__input_tokens": tokens, "gen_ai__usage__output_tokens": 0}
    return {
        "name": f"{operation} gpt-4o",
        "startTimeUnixNano": "1795597000000000000",
        "endTimeUnixNano": "1795597002000000000",
        "attributes": attributes(**values, **changes.pop("more", {})),
        **changes,
    }


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": attributes(service__name="checkout")}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def test_each_model_call_of_a_trace_counts_once_and_agents_and_tools_do_not(tmp_path: Path) -> None:
    line = otlp(
        span("invoke_agent", 3000),
        span("chat", 1000),
        span("execute_tool", 2000),
        span("chat", 2000),
        span("create_agent", 50),
        {"name": "GET /", "attributes": attributes(http__request__method="GET"), "endTimeUnixNano": "1"},
    )
    found = outcome_of_log(tmp_path, line)
    assert found.sums(TOKENS, "token_type") == {("input",): 3000.0}
    assert found.total(REQUESTS) == 2
    assert found.total(ESTIMATED) == pytest.approx(0.0075)
    assert found.reasons == {}
    assert any("3 x agent or tool" in each.detail for each in found.findings)


@pytest.mark.parametrize(
    "changes",
    [
        {"gen_ai__operation__name": "invoke_agent"},
        {"gen_ai__operation__name": "create_agent"},
        {"gen_ai__operation__name": "execute_tool"},
        {"traceloop__span__kind": "workflow"},
        {"openinference__span__kind": "AGENT"},
        {"langfuse__observation__type": "span"},
    ],
)
def test_a_line_of_an_agent_that_repeats_its_calls_is_not_counted(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    at = {"timestamp": "2026-11-25T09:15:02Z"}
    found = outcome_of_log(tmp_path, call(**changes, **at), call(gen_ai__operation__name="chat", **at))
    assert found.total(REQUESTS) == 1
    assert found.total(ESTIMATED) == pytest.approx(0.0075)
    assert found.reasons == {}


def test_spans_that_failed_without_tokens_cost_nothing_and_others_without_tokens_are_set_aside(
    tmp_path: Path,
) -> None:
    failed = span(tokens=None, status={"code": 2})
    timed_out = span(tokens=None, more={"error__type": "timeout"})
    half = span(tokens=500, status={"code": "STATUS_CODE_ERROR"})
    found = outcome_of_log(tmp_path, otlp(failed, timed_out, half, span(tokens=None)))
    assert found.reasons == {"missing_field": 1.0}
    assert found.sums(TOKENS, "token_type") == {("input",): 500.0}


@pytest.mark.parametrize(
    "failure",
    [
        {"error.type": "429"},
        {"error": {"type": "timeout"}},
        {"status": "error"},
        {"http.response.status_code": 503},
    ],
)
def test_a_failed_call_without_tokens_is_no_error_whatever_else_it_lacks(
    tmp_path: Path, failure: dict[str, object]
) -> None:
    found = outcome_of_log(tmp_path, {"timestamp": "2026-11-25T09:15:02Z", **failure})
    assert found.reasons == {}
    assert all(each.ok for each in found.findings)


def litellm(**changes: Any) -> dict[str, Any]:
    return {
        "call_type": "acompletion",
        "status": "success",
        "custom_llm_provider": "bedrock_converse",
        "endTime": 1795597002.2,
        "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "metadata": {
            "user_api_key_team_alias": "shop",
            "usage_object": {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 400},
                "cache_read_input_tokens": 400,
            },
        },
        "response_cost": 0.5,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "usd", "requests"),
    [
        ({}, 0.5, 1),
        # LiteLLM knows no price: the list's, 600 at 3.3, 400 at 0.33 and 100 at 16.5 $ a million.
        ({"response_cost": None}, 0.003762, 1),
        ({"response_cost": 0.0}, 0.003762, 1),
        ({"response_cost": 0.0, "cache_hit": True}, 0, 1),
        ({"response_cost": 0, "status": "failure", "metadata": {}}, 0, 0),
        (
            {
                "status": "failure",
                "response_cost": 0,
                "metadata": {},
                "prompt_tokens": 0,
                "completion_tokens": 0,
            },
            0,
            0,
        ),
    ],
)
def test_litellm_payloads_cost_what_litellm_says_or_else_the_list_price(
    tmp_path: Path, changes: dict[str, Any], usd: float, requests: int
) -> None:
    found = outcome_of_log(tmp_path, litellm(**changes))
    assert found.total(ESTIMATED, provider="aws") == pytest.approx(usd)
    assert found.total(REQUESTS) == requests
    assert found.reasons == {}
    if requests:
        assert found.sums(TOKENS, "token_type") == {("input",): 600, ("cache_read",): 400, ("output",): 100}


def test_rows_of_litellms_database_are_read_as_well(tmp_path: Path) -> None:
    row = {
        "request_id": "1",
        "call_type": "acompletion",
        "custom_llm_provider": "openai",
        "endTime": "2026-11-25T09:15:02+00:00",
        "model": "gpt-4o",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "spend": 0.25,
        "metadata": "{}",
    }
    found = outcome_of_log(tmp_path, row)
    assert found.total(ESTIMATED, provider="openai") == 0.25
    assert found.sums(TOKENS, "token_type") == {("input",): 10, ("output",): 5}


def test_a_key_that_is_not_understood_is_named_and_its_line_set_aside(tmp_path: Path) -> None:
    at = {"timestamp": "2026-11-25T09:15:02Z"}
    lines = (call(**at), call(**at, gen_ai__usage__cache_warmed_tokens=900))
    found = outcome_of_log(tmp_path, *lines)
    assert found.reasons == {"unknown_token_key": 1.0}
    assert "(gen_ai.usage.cache_warmed_tokens)" in found.report
    assert found.total(REQUESTS) == 1


@pytest.mark.parametrize(
    ("changes", "usd", "unpriced"),
    [
        ({"openai.response.service_tier": "flex"}, 0.125, 0),
        ({"openai.request.service_tier": "flex", "openai.response.service_tier": "default"}, 0.25, 0),
        ({"gen_ai.openai.response.service_tier": "priority"}, 0.5, 0),
        ({"service_tier": "scale"}, 0, 100_000),
        ({"batch": True}, 0.125, 0),
        ({"usage": {"service_tier": "flex"}}, 0.125, 0),
    ],
)
def test_the_service_tier_decides_the_price(
    tmp_path: Path, changes: dict[str, object], usd: float, unpriced: int
) -> None:
    line = {
        "timestamp": "2026-11-25T09:15:02.120Z",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4",
        "gen_ai.usage.input_tokens": 100_000,
        **changes,
    }
    found = outcome_of_log(tmp_path, line)
    assert found.total(ESTIMATED) == pytest.approx(usd)
    assert found.total(UNPRICED) == unpriced
    assert ("without a price" in found.report) == (unpriced > 0)


def test_a_line_may_nest_its_attributes(tmp_path: Path) -> None:
    nested = {
        "timestamp": "2026-11-25T09:15:02Z",
        "attributes": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"},
        "gen_ai": {"usage": {"input_tokens": 1000, "output_tokens": 500}},
    }
    assert outcome_of_log(tmp_path, nested).total(ESTIMATED) == pytest.approx(0.0075)


@pytest.mark.parametrize("bad", [5, "x", [], {"a": 1}, None, True])
@pytest.mark.parametrize(
    "where", ["resource", "scopeSpans", "attributes", "endTimeUnixNano", "status", "value"]
)
def test_no_damage_of_an_otlp_line_breaks_the_reading(tmp_path: Path, where: str, bad: object) -> None:
    line = otlp(span())
    resource = line["resourceSpans"][0]
    one = resource["scopeSpans"][0]["spans"][0]
    holder = {"resource": resource, "scopeSpans": resource, "value": one["attributes"][0]}.get(where, one)
    holder[where] = bad
    found = outcome_of_log(tmp_path, json.dumps(line), otlp(span()))
    assert found.total(REQUESTS) >= 1
    assert sum(found.reasons.values()) <= 1


@pytest.mark.parametrize(
    ("provider", "counts", "output"),
    [
        ("openai", {"output_tokens": 100, "reasoning.output_tokens": 60}, 100),
        ("openai", {"output_tokens": 100, "reasoning_tokens": 60, "total_tokens": 110}, 100),
        ("openai", {"output_tokens": 100, "reasoning_tokens": 60, "total_tokens": 170}, 160),
        ("openai", {"output_tokens": 50, "reasoning_tokens": 60}, 110),
        # These providers count reasoning next to the output.
        ("x_ai", {"output_tokens": 100, "reasoning_tokens": 60}, 160),
        ("x_ai", {"output_tokens": 100, "reasoning_tokens": 60, "total_tokens": 110}, 100),
        ("gcp.gemini", {"candidatesTokenCount": 100, "thoughtsTokenCount": 60}, 160),
    ],
)
def test_reasoning_is_output_whether_it_is_counted_in_it_or_not(
    tmp_path: Path, provider: str, counts: dict[str, int], output: int
) -> None:
    line = {
        "timestamp": "2026-11-25T09:15:02Z",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": "some-model",
        "gen_ai.usage.input_tokens": 10,
        **{f"gen_ai.usage.{name}": count for name, count in counts.items()},
    }
    found = outcome_of_log(tmp_path, line)
    assert found.sums(TOKENS, "token_type") == {("input",): 10, ("output",): output}
