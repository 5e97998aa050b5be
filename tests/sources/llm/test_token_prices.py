"""List prices of tokens: the same as the price data say, by token type, in force at the time, per call."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.llm.token_prices import TokenPrices, Tokens

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
MILLION = 10**6
counts = st.integers(0, 3 * MILLION)
tokens_used = st.builds(Tokens, input=counts, cache_read=counts, cache_write=counts, output=counts)
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


@given(model=models, tokens=tokens_used, requests=st.none() | st.integers(0, 10**5))
def test_the_parts_by_token_type_sum_to_the_total_exactly(
    model: tuple[str, str], tokens: Tokens, requests: int | None
) -> None:
    priced = TokenPrices().price(*model, tokens, AT, requests=requests)
    assert priced is not None
    assert sum(priced.by_token_type.values()) == priced.usd
    used = {token_type for token_type, count in tokens.by_type().items() if count}
    assert priced.by_token_type.keys() - {""} == used


@given(model=models, tokens=tokens_used, requests=st.integers(1, 10**5))
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
        # Priced by the minute of sound, so nobody knows what a token costs.
        ("openai", "whisper-1"),
    ],
)
def test_what_nobody_knows_a_price_for_has_none(provider: str, model: str) -> None:
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


def test_the_price_data_are_not_loaded_before_the_first_price_is_asked_for() -> None:
    program = (
        "import sys; from exporter.sources.llm import token_prices; token_prices.TokenPrices(); "
        "print('genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
