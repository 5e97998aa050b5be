"""Counts as Anthropic, Bedrock and Gemini write them themselves: each token once, at its own price."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.llm_cases import Outcome, outcome_of_log

ESTIMATED, UNPRICED = "spend_llm_estimated_usd_total", "spend_llm_unpriced_tokens_total"

Json = dict[str, Any]

SONNET: Final = ("anthropic", "claude-sonnet-4-5")
BEDROCK: Final = ("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")
FLASH: Final = ("gcp.gemini", "gemini-2.5-flash")

CACHED: Json = {"cache_read_input_tokens": 128_955, "cache_creation_input_tokens": 1_253}
NATIVE: Json = {"input_tokens": 5, "output_tokens": 340, **CACHED}
OF_BEDROCK: Json = {
    "inputTokens": 5,
    "outputTokens": 340,
    "cacheReadInputTokens": 128_955,
    "cacheWriteInputTokens": 1_253,
}
FOR_AN_HOUR: Json = {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1_253}}


def of(who: tuple[str, str], tmp_path: Path, **more: Any) -> Outcome:
    provider, model = who
    line = {
        "timestamp": "2026-11-25T09:15:02Z",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        **more,
    }
    return outcome_of_log(tmp_path, line)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "counts", "usd"),
    [
        # 5 at 3 $ a million, 128,955 at 0.3, 1,253 at 3.75 and 340 at 15.
        (SONNET, {"usage": NATIVE}, 0.04850025),
        (SONNET, {f"gen_ai.usage.{name}": count for name, count in NATIVE.items()}, 0.04850025),
        (SONNET, {"usage": {**NATIVE, "total_tokens": 130_553}}, 0.04850025),
        (BEDROCK, {"usage": OF_BEDROCK}, 0.04850025),
        (BEDROCK, {"usage": {**OF_BEDROCK, "totalTokens": 130_553}}, 0.04850025),
        # What stays in the cache for an hour costs twice the input.
        (SONNET, {"usage": {**NATIVE, **FOR_AN_HOUR}}, 0.0513195),
        # More input than what the cache had: the shape alone shows that the cache is beside it.
        (
            SONNET,
            {"usage": {"input_tokens": 1000, "output_tokens": 0, "cache_read_input_tokens": 900}},
            0.00327,
        ),
        # A total shows that somebody has added the cache to the input.
        (SONNET, {"usage": {**NATIVE, "input_tokens": 130_213, "total_tokens": 130_553}}, 0.04850025),
        # As tools write it that translate to OpenAI's names.
        (SONNET, {"usage": {"prompt_tokens": 130_213, "completion_tokens": 340, **CACHED}}, 0.04850025),
    ],
)
def test_a_cache_beside_the_input_is_priced_as_cache_and_the_input_as_input(
    tmp_path: Path, who: tuple[str, str], counts: Json, usd: float
) -> None:
    found = of(who, tmp_path, **counts)
    assert found.total(ESTIMATED) == pytest.approx(usd)
    assert (found.total(UNPRICED), found.reasons) == (0, {})


@pytest.mark.slow
def test_a_cache_that_exceeds_the_input_of_another_provider_is_refused(tmp_path: Path) -> None:
    counts = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 6}
    assert of(("openai", "gpt-5.4"), tmp_path, **counts).reasons == {"cache_exceeds_input": 1.0}


def gemini(**modalities: int) -> list[Json]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in modalities.items()]


def in_snake_case(listed: list[Json]) -> list[Json]:
    return [{"modality": each["modality"], "token_count": each["tokenCount"]} for each in listed]


SOUND: Final = gemini(text=100, audio=1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        # Text, images and video at 0.3 $ a million, sound at 1, and 50 at 2.5 out.
        ({"promptTokenCount": 1100, "promptTokensDetails": SOUND}, 0.001155),
        ({"prompt_token_count": 1100, "prompt_tokens_details": in_snake_case(SOUND)}, 0.001155),
        ({"promptTokenCount": 1100, "promptTokensDetails": gemini(image=600, video=500)}, 0.000455),
        # 500 of the sound are from the cache, at 0.1.
        (
            {
                "promptTokenCount": 1100,
                "promptTokensDetails": SOUND,
                "cachedContentTokenCount": 500,
                "cacheTokensDetails": gemini(audio=500),
            },
            0.000705,
        ),
        # What its tools found is sent as well, beside the prompt.
        ({"promptTokenCount": 100, "toolUsePromptTokenCount": 1000, "totalTokenCount": 1150}, 0.000455),
        ({"promptTokenCount": 100, "thoughtsTokenCount": 200, "totalTokenCount": 350}, 0.000655),
    ],
)
def test_each_modality_of_gemini_has_its_own_price(tmp_path: Path, usage: Json, usd: float) -> None:
    snake = "prompt_token_count" in usage
    made = {"candidates_token_count" if snake else "candidatesTokenCount": 50}
    found = of(FLASH, tmp_path, **{"usage_metadata" if snake else "usageMetadata": {**usage, **made}})
    assert found.total(ESTIMATED) == pytest.approx(usd)
    assert (found.total(UNPRICED), found.reasons) == (0, {})


@pytest.mark.slow
def test_images_that_gemini_draws_have_their_own_price(tmp_path: Path) -> None:
    usage = {
        "promptTokenCount": 100,
        "candidatesTokenCount": 1290,
        "candidatesTokensDetails": gemini(image=1290),
    }
    found = of(("gcp.gemini", "gemini-2.5-flash-image"), tmp_path, usageMetadata=usage)
    assert found.total(ESTIMATED) == pytest.approx(0.03873)


@pytest.mark.slow
def test_sound_without_a_known_price_is_unpriced_and_never_taken_for_text(tmp_path: Path) -> None:
    usage = {"promptTokenCount": 1100, "candidatesTokenCount": 0, "promptTokensDetails": SOUND}
    found = of(("gcp.gemini", "gemini-2.5-pro"), tmp_path, usageMetadata=usage)
    # Pro has one price for all that is sent, but no price of sound.
    assert found.total(UNPRICED) == 1000
    assert found.total(ESTIMATED) == pytest.approx(100 * 1.25 / 1e6)
    assert "gemini-2.5-pro (audio)" in found.report


@pytest.mark.slow
def test_a_list_of_modalities_in_a_span_is_read(tmp_path: Path) -> None:
    entry = {
        "kvlistValue": {
            "values": [
                {"key": "modality", "value": {"stringValue": "AUDIO"}},
                {"key": "tokenCount", "value": {"intValue": "1000"}},
            ]
        }
    }
    attributes = {
        "gen_ai.provider.name": {"stringValue": FLASH[0]},
        "gen_ai.request.model": {"stringValue": FLASH[1]},
        "gen_ai.usage.input_tokens": {"intValue": "1100"},
        "gen_ai.usage.output_tokens": {"intValue": "50"},
        "gen_ai.usage.prompt_tokens_details": {"arrayValue": {"values": [entry]}},
    }
    span = {
        "endTimeUnixNano": "1795597002000000000",
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }
    line = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}
    assert outcome_of_log(tmp_path, line).total(ESTIMATED) == pytest.approx(0.001155)
