"""Why a line of a usage log is set aside, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXAMPLE: Final = (
    '{"timestamp": "2026-11-20T12:00:00Z", "gen_ai.provider.name": "openai", '
    '"gen_ai.request.model": "gpt-5.4", "gen_ai.usage.input_tokens": 1200, '
    '"gen_ai.usage.output_tokens": 340}'
)
"""A line as it is expected, for people to compare with."""

_WRITE_ONE: Final = f"write one line for each call from it, such as {EXAMPLE}, or log OTLP spans"

REASONS: Final[Mapping[str, str]] = {
    "bad_json": f"not a JSON object on one line; one call a line is expected, such as {EXAMPLE}",
    "missing_field": "timestamp, gen_ai.provider.name, gen_ai.request.model or gen_ai.response.model, and "
    f"tokens or cost_usd are needed, such as {EXAMPLE}",
    "bad_name": "the provider, the model and service.name are texts of 256 characters at most",
    "bad_timestamp": "the time is not RFC 3339 with an offset, such as 2026-11-20T12:00:00Z, or before 2015",
    "future_timestamp": "the time is more than a day ahead: check the clock of the machine that wrote it",
    "bad_tokens": "a token count is not a whole number, or implausibly large",
    "negative_tokens": "a token count is below zero",
    "cache_exceeds_input": "more tokens from and to the cache than input tokens, which have to include them",
    "part_exceeds_whole": "more audio or image tokens than the input or output that includes them",
    "unknown_token_key": "a count of cached, audio, image or reasoning tokens under an unknown "
    "name, which may have its own price: rename it to gen_ai.usage.cache_read.input_tokens, "
    "gen_ai.usage.cache_creation.input_tokens, gen_ai.usage.input_audio_tokens, "
    "gen_ai.usage.output_audio_tokens, gen_ai.usage.input_image_tokens, gen_ai.usage.output_image_tokens or "
    "gen_ai.usage.reasoning.output_tokens, or add cost_usd",
    "bad_cost": "the cost is not a number, below zero or implausibly large",
    "line_too_long": "longer than the line of any call; something else was written to the file",
    "bad_otlp": "OTLP JSON that is damaged: resourceSpans, scopeSpans, spans and attributes are lists",
    "otlp_without_spans": "OTLP logs or metrics; only spans have a call's tokens, so let the collector "
    "export traces to a file",
    "openai_object": "an unchanged answer of OpenAI's API, which does not say who bills the call: "
    f"{_WRITE_ONE}",
    "anthropic_message": "an unchanged answer of Anthropic's Messages API, which has no time: "
    f"{_WRITE_ONE}; its `usage` may stay as it is",
    "claude_code_session": "a session of Claude Code, which repeats the same usage on several lines and is "
    "often paid for by subscription: let Claude Code export OpenTelemetry, or read Anthropic's bill "
    "with llm.anthropic",
    "langfuse_export": f"an export of Langfuse, which does not say who bills the call: {_WRITE_ONE}",
    "gemini_response": "an unchanged answer of the Gemini API, which has no time and does not say who "
    f"bills the call: {_WRITE_ONE}; its `usageMetadata` may stay as it is",
    "bedrock_invocation_log": "a model invocation log of Amazon Bedrock; AWS bills these calls, read its "
    f"bill with focus.files, or {_WRITE_ONE}",
}
"""Labels of `reason`, each with what a person reads."""


class UnusableLineError(Exception):
    """A line, or a span of one, with nothing that can be counted."""

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(f"{reason}: {REASONS[reason]}" + (f" ({what})" if what else ""))
        self.reason = reason
        """One of REASONS."""
        self.what = what
        """What exactly is wrong with this line, such as the name of a key; may be empty."""
