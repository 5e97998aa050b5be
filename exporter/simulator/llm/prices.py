"""List prices of the models that the demo world's company calls, and what its contracts make of them.

Its own small table: the world must not price its bill with what the exporter estimates with.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

Amount = Literal[
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output",
    "web_searches",
    "images",
    "seconds",
    "characters",
    "byte_days",
    "sessions",
]
"""What is counted and has a price. The first five are tokens; no token is in two of them, and `input` is
what was neither read from a cache nor written to one."""

TOKENS: Final[tuple[Amount, ...]] = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
INPUT_TOKENS: Final[tuple[Amount, ...]] = TOKENS[:-1]

_MILLION: Final = Decimal(10**6)


def _tokens(**usd_per_million: str) -> dict[str, Decimal]:
    return {kind: Decimal(usd) / _MILLION for kind, usd in usd_per_million.items()}


_WEB_SEARCH: Final = {"web_searches": Decimal("0.01")}

LIST_PRICES: Final[Mapping[str, Mapping[str, Decimal]]] = {
    "gpt-4o-2024-08-06": _tokens(input="2.5", cache_read="1.25", output="10"),
    "gpt-4o-mini-2024-07-18": _tokens(input="0.15", cache_read="0.075", output="0.6"),
    "gpt-5.1-2025-11-13": _tokens(input="1.25", cache_read="0.125", output="10"),
    "gpt-5.4-mini-2026-03-17": _tokens(input="0.75", cache_read="0.075", output="4.5"),
    "text-embedding-3-small": _tokens(input="0.02"),
    "omni-moderation-latest": _tokens(input="0"),
    "gpt-image-1": {"images": Decimal("0.042")},
    "whisper-1": {"seconds": Decimal("0.0001")},
    "tts-1": {"characters": Decimal("0.000015")},
    "vector-stores": {"byte_days": Decimal("1e-10")},
    "code-interpreter": {"sessions": Decimal("0.03")},
    "claude-sonnet-4-5-20250929": _WEB_SEARCH
    | _tokens(input="3", cache_read="0.3", cache_write="3.75", cache_write_1h="6", output="15"),
    "claude-haiku-4-5-20251001": _WEB_SEARCH
    | _tokens(input="1", cache_read="0.1", cache_write="1.25", cache_write_1h="2", output="5"),
    "mistral-medium-2508": _tokens(input="0.4", cache_read="0.04", output="2"),
    "mistral-small-2506": _tokens(input="0.1", output="0.3"),
}
"""US dollars for one, by model and what is counted.

Tokens and searches as the data of the PyPI package genai-prices 0.2.3 has them (MIT, collected from the
providers' price pages); images (medium, 1024 x 1024), speech, storage and sessions from OpenAI's price page,
https://platform.openai.com/docs/pricing. `vector-stores` and `code-interpreter` are no models."""

BATCH_SHARE: Final = Decimal("0.5")
"""The price of a batch call at OpenAI and Anthropic, as a share of the list price."""

CONTRACT_SHARE: Final[Mapping[str, Decimal]] = {
    "openai": Decimal(1),
    "anthropic": Decimal("0.97"),
    "mistral": Decimal("0.95"),
}
"""What the company pays by its (invented) contracts, as a share of the list price."""


def billed_usd(
    provider: str, model: str, amounts: Mapping[Amount, int], *, batch: bool
) -> dict[Amount, Decimal]:
    """Price amounts as the provider bills them, exactly. Raises KeyError for what has no price here."""
    share = CONTRACT_SHARE[provider] * (BATCH_SHARE if batch else 1)
    prices = LIST_PRICES[model]
    return {kind: amount * prices[kind] * share for kind, amount in amounts.items()}
