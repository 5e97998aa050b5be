"""List prices of tokens: the same as the price data say, by token type, in force at the time, per call."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.llm.tokens import Part, PartKind, Terms, Tokens

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 9, tzinfo=UTC)
MILLION = 10**6
counts = st.integers(0, 3 * MILLION)
plain_tokens = st.builds(Tokens, input=counts, cache_read=counts, cache_write=counts, output=counts)
PARTS = (
    ("input", "audio"),
    ("input", "image"),
    ("cache_read", "audio"),
    ("cache_read", "image"),
    ("cache_write", "1h"),
    ("output", "audio"),
    ("output", "image"),
    ("output", "reasoning"),
)


@st.composite
def tokens_used(draw: st.DrawFn) -> Tokens:
    """Tokens of all types, some of them of kinds with a price of their own."""
    tokens = draw(plain_tokens)
    left, parts = tokens.by_type(), []
    for token_type, kind in draw(st.lists(st.sampled_from(PARTS), unique=True)):
        count = draw(st.integers(0, left[token_type]))
        left[token_type] -= count
        parts.append(Part(token_type, kind, count))
    return replace(tokens, parts=tuple(parts))


terms_used = st.builds(
    Terms,
    st.sampled_from(["", "default", "flex", "priority", "batch", "scale"]),
    st.sampled_from(["", "standard", "fast"]),
    st.sampled_from(["", "us", "global", "mars"]),
)
models = st.sampled_from(
    [
        ("openai", "gpt-5.4"),
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5"),
        ("gcp", "gemini-2.5-pro"),
        ("mistral", "mistral-large-latest"),
        ("perplexity", "sonar"),
    ]
)


def usd(provider: str, model: str, tokens: Tokens, at: datetime = AT, requests: int | None = None) -> Decimal:
    priced = TokenPrices().price(provider, model, tokens, at, requests=requests)
    assert priced is not None
    return priced.usd


@given(model=models, tokens=plain_tokens, requests=st.none() | st.integers(0, 10**5))
def test_the_parts_by_token_type_sum_to_the_total_exactly(
    model: tuple[str, str], tokens: Tokens, requests: int | None
) -> None:
    priced = TokenPrices().price(*model, tokens, AT, requests=requests)
    assert priced is not None
    assert sum(priced.by_token_type.values()) == priced.usd
    used = {token_type for token_type, count in tokens.by_type().items() if count}
    assert priced.by_token_type.keys() - {""} == used


@given(model=models, tokens=tokens_used(), terms=terms_used, at=st.sampled_from([AT, LATER]))
def test_every_token_is_either_priced_or_counted_as_unpriced(
    model: tuple[str, str], tokens: Tokens, terms: Terms, at: datetime
) -> None:
    priced = TokenPrices().price(*model, tokens, at, terms=terms)
    assert sum(tokens.plain().values()) + sum(part.tokens for part in tokens.parts) == sum(
        tokens.by_type().values()
    )
    if priced is None:
        return
    assert sum(priced.by_token_type.values()) == priced.usd
    used = {token_type for token_type, count in tokens.by_type().items() if count}
    assert priced.by_token_type.keys() | priced.unpriced.keys() == used | (priced.by_token_type.keys() & {""})
    assert all(count <= tokens.by_type()[token_type] for token_type, count in priced.unpriced.items())
    # A part of tokens that costs nothing of its own would not be in the price.
    assert all(priced.by_token_type[each] > 0 for each in priced.by_token_type.keys() - {""})


@pytest.mark.parametrize(
    ("provider", "model", "terms", "times"),
    [
        ("openai", "gpt-5.4", Terms("flex"), "0.5"),
        ("openai", "gpt-5.4", Terms("batch"), "0.5"),
        ("openai", "gpt-5.4", Terms("priority"), "2"),
        ("openai", "gpt-5.4", Terms("default"), "1"),
        ("openai", "gpt-5.4", Terms("auto"), "1"),
        ("openai", "gpt-5.4", Terms("scale"), None),
        ("openai", "o1-pro", Terms("priority"), None),
        ("openai", "gpt-5.4", Terms(inference_geo="eu"), None),
        # What the maker of a model charges for a tier says nothing of those who resell it.
        ("azure", "gpt-5.4", Terms("batch"), "0.5"),
        ("azure", "gpt-5.4", Terms("priority"), None),
        ("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0", Terms("flex"), None),
        ("anthropic", "claude-opus-4-6", Terms("standard"), "1"),
        ("anthropic", "claude-opus-4-6", Terms("batch"), "0.5"),
        ("anthropic", "claude-opus-4-6", Terms("batch", inference_geo="us"), "0.55"),
        ("anthropic", "claude-opus-4-6", Terms("priority"), None),
        ("anthropic", "claude-opus-4-6", Terms(speed="fast"), "6"),
        ("anthropic", "claude-opus-5-5", Terms(speed="fast"), "2"),
        ("anthropic", "claude-opus-5-5", Terms(speed="fast", inference_geo="us"), "2.2"),
        ("anthropic", "claude-opus-5-5", Terms("batch", speed="fast"), None),
        ("anthropic", "claude-sonnet-4-6", Terms(speed="fast"), None),
        ("anthropic", "claude-opus-4-6", Terms(inference_geo="not_available"), "1"),
        ("anthropic", "claude-opus-4-6", Terms(inference_geo="eu"), None),
    ],
)
def test_terms_of_a_call_have_their_own_price_or_none(
    provider: str, model: str, terms: Terms, times: str | None
) -> None:
    tokens = Tokens(input=10_000, output=1_000)
    ordinary = usd(provider, model, tokens, LATER)
    priced = TokenPrices().price(provider, model, tokens, LATER, terms=terms)
    assert (priced and priced.usd) == (times and ordinary * Decimal(times))


@pytest.mark.parametrize(
    ("provider", "model", "part", "usd_per_million"),
    [
        ("openai", "gpt-realtime", ("input", "audio"), "32"),
        ("openai", "gpt-realtime", ("cache_read", "audio"), "0.4"),
        ("openai", "gpt-realtime", ("output", "audio"), "64"),
        ("openai", "gpt-realtime", ("input", "image"), "5"),
        ("openai", "gpt-4o", ("input", "image"), "2.5"),
        ("openai", "gpt-4o", ("input", "audio"), None),
        ("gcp", "gemini-2.5-flash", ("input", "audio"), "1"),
        ("openai", "gpt-5.4", ("output", "reasoning"), "15"),
        ("perplexity", "sonar-deep-research", ("output", "reasoning"), "3"),
        ("anthropic", "claude-opus-4-6", ("cache_write", "1h"), "10"),
        # No price of its own in the data: twice the input's, as with every model of Anthropic.
        ("anthropic", "claude-3-haiku", ("cache_write", "1h"), "0.5"),
        ("openai", "gpt-4o", ("cache_write", "1h"), None),
    ],
)
def test_a_part_of_a_token_type_has_its_own_price_or_none(
    provider: str, model: str, part: tuple[str, PartKind], usd_per_million: str | None
) -> None:
    tokens = Tokens(**{part[0]: 1000}, parts=(Part(*part, 1000),))
    priced = TokenPrices().price(provider, model, tokens, LATER)
    assert (priced and priced.usd * 1000) == (usd_per_million and Decimal(usd_per_million))


def test_parts_are_never_more_than_the_whole() -> None:
    with pytest.raises(ValueError, match="the parts of output add up to more than all of it"):
        Tokens(output=5, parts=(Part("output", "audio", 3), Part("output", "image", 3)))


@given(model=models, tokens=plain_tokens, requests=st.integers(1, 10**5))
def test_many_calls_of_one_size_cost_that_many_times_one_call(
    model: tuple[str, str], tokens: Tokens, requests: int
) -> None:
    together = Tokens(*(count * requests for count in tokens.by_type().values()))
    assert usd(*model, together, requests=requests) == usd(*model, tokens) * requests


def _priced_by_the_package(provider_id: str, model: ModelInfo, tokens: Tokens) -> Decimal:
    usage = Usage(
        input_tokens=tokens.all_input,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
    )
    return calc_price(usage, model.id, provider_id=provider_id, genai_request_timestamp=AT).total_price


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [Tokens(1000, 2000, 30, 400), Tokens(300_000, 100_000, 7, 900)])
def test_every_model_that_has_a_price_costs_what_the_price_data_say(tokens: Tokens) -> None:
    prices, compared = TokenPrices(), 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            priced = prices.price(provider.id, model.id, tokens, AT)
            if priced is not None:
                assert priced.usd == _priced_by_the_package(provider.id, model, tokens), model.id
                compared += 1
    assert compared > 1500


def test_calls_summed_in_a_bucket_are_not_one_call_with_a_long_context() -> None:
    bucket = Tokens(input=500_000, output=50_000)
    # 2.5 $ and 15 $ a million tokens; twice the input's price, and 22.5 $, for calls of more than 272,000.
    assert usd("openai", "gpt-5.4", bucket) == Decimal("3.625")
    assert usd("openai", "gpt-5.4", bucket, requests=100) == Decimal("2.0")
    assert usd("openai", "gpt-5.4", bucket, requests=0) == Decimal("2.0")


def test_what_is_read_from_a_cache_makes_a_context_long_too() -> None:
    short = usd("anthropic", "claude-sonnet-4-5", Tokens(input=1000, cache_read=199_000))
    long = usd("anthropic", "claude-sonnet-4-5", Tokens(input=1000, cache_read=199_001))
    assert (short, long) == (Decimal("0.0627"), Decimal("0.1254006"))


@pytest.mark.parametrize(
    ("model", "at", "expected"),
    [
        (("openai", "o3"), datetime(2025, 6, 9, 23, 59, tzinfo=UTC), Decimal(10)),
        (("openai", "o3"), datetime(2025, 6, 10, tzinfo=UTC), Decimal(2)),
        # At night in China a token costs half.
        (("deepseek", "deepseek-chat"), datetime(2025, 6, 10, 16, 29, tzinfo=UTC), Decimal("0.27")),
        (("deepseek", "deepseek-chat"), datetime(2025, 6, 10, 16, 30, tzinfo=UTC), Decimal("0.135")),
    ],
)
def test_the_time_of_the_call_decides_the_price(
    model: tuple[str, str], at: datetime, expected: Decimal
) -> None:
    assert usd(*model, Tokens(input=MILLION), at) == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o"),
        # Names that contain a provider's, or that only name a proxy, are not that provider.
        ("my-openai-proxy", "gpt-4o"),
        ("litellm", "openai/gpt-4o"),
        ("", "gpt-4o"),
        ("openai", ""),
        # Priced by the minute of sound, so the price of a token is unknown.
        ("openai", "whisper-1"),
    ],
)
def test_what_has_no_known_price_has_none(provider: str, model: str) -> None:
    assert TokenPrices().price(provider, model, Tokens(input=1000, output=10), AT) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("gcp", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro"),
        ("gcp.gemini", "models/gemini-2.5-pro"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        (
            "aws",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        ),
        ("azure.ai.openai", "gpt-4o"),
        ("azure", "gpt-4o"),
        ("mistral_ai", "mistral-large-latest"),
        ("x_ai", "grok-4"),
        ("deepseek", "deepseek-chat"),
        ("groq", "llama-3.3-70b-versatile"),
        ("cohere", "command-r"),
        ("openrouter", "openai/gpt-4o"),
        ("OpenAI", "GPT-4o-2024-08-06"),
    ],
)
def test_names_as_they_are_used_in_the_field_are_found(provider: str, model: str) -> None:
    assert usd(provider, model, Tokens(input=1000, output=10)) > 0


def test_the_price_data_are_not_loaded_before_the_first_price_is_needed() -> None:
    program = (
        "import sys; from exporter.sources.llm import token_prices; token_prices.TokenPrices(); "
        "print('genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
