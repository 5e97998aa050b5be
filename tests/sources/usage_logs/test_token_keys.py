"""Token counts are understood in every spelling that tools write, and what is not understood is reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.usage_logs.refusals import UnusableLineError
from exporter.sources.usage_logs.token_counts import Counts, counts_of, disjoint
from exporter.sources.usage_logs.token_keys import UNKNOWN, Meaning, meaning

CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.input_cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.input_tokens_cached",
    "gen_ai.usage.input_tokens_details.cached_tokens",
    "gen_ai.usage.input_token_details.cache_read",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.prompt_cache_hit_tokens",
    "gen_ai.usage.cache_read",
    "llm.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "usage.cacheReadInputTokens",
    "usage.cacheReadInputTokenCount",
    "usage.cachedContentTokenCount",
    "usage_details.input_cached_tokens",
    "usageDetails.cache_read_input_tokens",
    "cache_read_input_tokens",
    "GEN_AI.USAGE.CACHED_TOKENS",
)
CACHE_WRITE = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_creation_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.input_token_details.cache_creation",
    "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "usage.cacheWriteInputTokens",
    "usage.input_cache_write_tokens",
)
OTHERS = {
    "gen_ai.usage.input_tokens": Meaning("input"),
    "gen_ai.usage.prompt_tokens": Meaning("input"),
    "llm.usage.prompt_tokens": Meaning("input"),
    "llm.token_count.prompt": Meaning("input"),
    "usage.inputTokens": Meaning("input"),
    "gen_ai.usage.output_tokens": Meaning("output"),
    "gen_ai.usage.completion_tokens": Meaning("output"),
    "usage.candidatesTokenCount": Meaning("output"),
    "llm.usage.total_tokens": Meaning("total"),
    "gen_ai.usage.reasoning.output_tokens": Meaning("output", "reasoning"),
    "gen_ai.usage.reasoning_tokens": Meaning("output", "reasoning"),
    "gen_ai.usage.details.reasoning_tokens": Meaning("output", "reasoning"),
    "gen_ai.usage.output_tokens_details.reasoning_tokens": Meaning("output", "reasoning"),
    "gen_ai.usage.completion_tokens_details.reasoning_tokens": Meaning("output", "reasoning"),
    "usage.thoughtsTokenCount": Meaning("output", "reasoning"),
    "gen_ai.usage.input_audio_tokens": Meaning("input", "audio"),
    "gen_ai.usage.prompt_tokens_details.audio_tokens": Meaning("input", "audio"),
    "gen_ai.usage.output_audio_tokens": Meaning("output", "audio"),
    "gen_ai.usage.completion_tokens_details.audio_tokens": Meaning("output", "audio"),
    "gen_ai.usage.details.cache_audio_read_tokens": Meaning("cache_read", "audio"),
    "usage.input_token_details.cached_tokens_details.audio_tokens": Meaning("cache_read", "audio"),
    "gen_ai.usage.input_image_tokens": Meaning("input", "image"),
    "usage.prompt_tokens_details.image_tokens": Meaning("input", "image"),
    "gen_ai.usage.output_image_tokens": Meaning("output", "image"),
    "usage.cache_creation.ephemeral_5m_input_tokens": Meaning("cache_write", "5m"),
    "usage.cache_creation.ephemeral_1h_input_tokens": Meaning("cache_write", "1h"),
    "gen_ai.usage.cache_write_1h_tokens": Meaning("cache_write", "1h"),
}
NOT_UNDERSTOOD = (
    "gen_ai.usage.cache_tokens",
    "gen_ai.usage.details.audio_tokens",
    "gen_ai.usage.image_tokens",
    "gen_ai.usage.cached_output_tokens",
    "gen_ai.usage.cache_storage_tokens",
    "gen_ai.usage.cache_read_hyper_tokens",
    "gen_ai.usage.input_reasoning_tokens",
    "gen_ai.usage.reasoning_summary_tokens",
    "gen_ai.usage.video_input_tokens",
    "usage.prompt_tokens_details.image_count",
    "audio_seconds",
    "cache_reads",
)
NO_COUNTS = (
    "gen_ai.request.max_tokens",
    "gen_ai.openai.request.reasoning_effort",
    "gen_ai.request.reasoning.max_tokens",
    "thinking_budget_tokens",
    "cache_ttl_seconds",
    "cache_read_input_token_cost",
    "saved_cache_cost",
    "image_width",
    "prompt_count",
    "message_count",
    "gen_ai.usage.prompt_cache_miss_tokens",
    "gen_ai.usage.input_text_tokens",
    "gen_ai.usage.accepted_prediction_tokens",
    "gen_ai.token.type",
    "response_time",
)


@pytest.mark.parametrize("key", CACHE_READ)
def test_what_was_read_from_a_cache_is_known_by_every_name(key: str) -> None:
    assert meaning(key) == Meaning("cache_read")


@pytest.mark.parametrize("key", CACHE_WRITE)
def test_what_was_written_to_a_cache_is_known_by_every_name(key: str) -> None:
    assert meaning(key) == Meaning("cache_write")


@pytest.mark.parametrize(("key", "expected"), OTHERS.items())
def test_other_counts_are_known_by_their_names(key: str, expected: Meaning) -> None:
    assert meaning(key) == expected


@pytest.mark.parametrize("key", NOT_UNDERSTOOD)
def test_a_count_with_a_price_of_its_own_that_is_not_understood_is_reported(key: str) -> None:
    assert meaning(key) == UNKNOWN
    with pytest.raises(UnusableLineError, match=key) as raised:
        counts_of({"gen_ai.usage.input_tokens": 10, key: 5}, priced=False)
    assert raised.value.reason == "unknown_token_key"
    # Where the cost is known, or where nothing was counted, it changes nothing.
    assert counts_of({key: 5}, priced=True) == counts_of({key: 0}, priced=False) == {}


@pytest.mark.parametrize("key", NO_COUNTS)
def test_settings_times_and_costs_are_no_counts(key: str) -> None:
    assert meaning(key) is None


@given(
    st.lists(st.sampled_from(["cache", "cached", "audio", "reasoning", "image"]), min_size=1).flatmap(
        lambda words: st.permutations([*words, "tokens", "gen", "ai", "usage", "more"])
    )
)
def test_no_order_of_words_makes_a_special_count_an_ordinary_one(words: list[str]) -> None:
    assert meaning("_".join(words)) == UNKNOWN


def counts(**values: int) -> Counts:
    """`input_audio=5` is the audio of the input; `input=5` is all of it."""
    types = ("cache_read", "cache_write", "input", "output", "total")
    found: Counts = {}
    for written, value in values.items():
        token_type = next(each for each in types if written.startswith(each))
        kind = written.removeprefix(token_type).strip("_")
        found[Meaning(token_type, kind)] = value  # type: ignore[arg-type]
    return found


HOUR_LONG = {("cache_write", "1h", 20)}
SOUND = {("input", "audio", 90), ("output", "audio", 8)}
CACHED_SOUND = {("cache_read", "audio", 10)}


@pytest.mark.parametrize(
    ("given_counts", "by_type", "parts"),
    [
        (counts(input=100, cache_read=30, cache_write=20, output=5), (50, 30, 20, 5), set()),
        # Only the parts of what was written to a cache are known.
        (counts(input=100, cache_write_5m=10, cache_write_1h=20), (70, 0, 30, 0), HOUR_LONG),
        (counts(input=100, cache_write=30, cache_write_1h=20), (70, 0, 30, 0), HOUR_LONG),
        (counts(output=100, output_reasoning=60), (0, 0, 0, 100), {("output", "reasoning", 60)}),
        # Beyond the output: by the total, or because it is more.
        (
            counts(input=10, output=100, output_reasoning=60, total=170),
            (10, 0, 0, 160),
            {("output", "reasoning", 60)},
        ),
        (
            counts(input=10, output=100, output_reasoning=60, total=110),
            (10, 0, 0, 100),
            {("output", "reasoning", 60)},
        ),
        (counts(output=50, output_reasoning=60), (0, 0, 0, 110), {("output", "reasoning", 60)}),
        (counts(input=100, input_audio=90, output=9, output_audio=8), (100, 0, 0, 9), SOUND),
        # Cached tokens beside the input, as the total shows.
        (counts(input=10, cache_read=5, output=3, total=18), (10, 5, 0, 3), set()),
        (counts(input=10, cache_read=5, output=3, total=13), (5, 5, 0, 3), set()),
        (counts(input=5, cache_read=50, cache_write=20, output=3, total=78), (5, 50, 20, 3), set()),
        # The sound that does not fit in the rest of the input came from the cache.
        (
            counts(input=100, cache_read=50, input_audio=90),
            (50, 50, 0, 0),
            {("input", "audio", 50), ("cache_read", "audio", 40)},
        ),
        (
            counts(input=100, cache_read=50, cache_read_audio=45, input_audio=60),
            (50, 50, 0, 0),
            {("input", "audio", 15), ("cache_read", "audio", 45)},
        ),
        (counts(input=100, cache_read_text=30, cache_read_audio=10), (60, 40, 0, 0), CACHED_SOUND),
    ],
)
def test_counts_become_disjoint_tokens(
    given_counts: Counts, by_type: tuple[int, ...], parts: set[tuple[str, str, int]]
) -> None:
    found = disjoint(given_counts)
    assert tuple(found.by_type().values()) == by_type
    assert set(found.parts) == parts


@pytest.mark.parametrize(
    ("given_counts", "reason"),
    [
        (counts(input=10, cache_read=11), "cache_exceeds_input"),
        (counts(cache_read=11), "cache_exceeds_input"),
        (counts(input=10, input_audio=11), "part_exceeds_whole"),
        (counts(input=10, input_audio=6, input_image=5), "part_exceeds_whole"),
        (counts(output=10, output_audio=11), "part_exceeds_whole"),
    ],
)
def test_counts_that_contradict_each_other_are_refused(given_counts: Counts, reason: str) -> None:
    with pytest.raises(UnusableLineError) as raised:
        disjoint(given_counts)
    assert raised.value.reason == reason


KINDS = st.sampled_from(
    [
        *[Meaning(each) for each in ("input", "cache_read", "cache_write", "output", "total")],
        *[Meaning(each, "audio") for each in ("input", "cache_read", "output")],
        *[Meaning(each, "image") for each in ("input", "output")],
        *[Meaning("cache_write", each) for each in ("5m", "1h")],  # type: ignore[arg-type]
        Meaning("output", "reasoning"),
    ]
)


@given(st.dictionaries(KINDS, st.integers(0, 1000)))
def test_no_token_is_lost_and_none_is_counted_twice(given_counts: Counts) -> None:
    try:
        found = disjoint(given_counts)
    except UnusableLineError:
        return
    sent = given_counts.get(Meaning("input"), 0)
    assert found.all_input in (sent, sent + found.cache_read + found.cache_write)
    output, reasoning = (
        given_counts.get(Meaning("output"), 0),
        given_counts.get(Meaning("output", "reasoning"), 0),
    )
    assert found.output in (output, output + reasoning)
    assert all(count >= 0 for count in found.plain().values())
    for token_type, rest in found.plain().items():
        parts = sum(part.tokens for part in found.parts if part.token_type == token_type)
        assert rest + parts == found.by_type()[token_type]
