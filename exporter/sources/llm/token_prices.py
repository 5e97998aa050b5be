"""What LLM tokens cost at list prices: the price data of the package genai-prices, read without a network.

The package takes 150 ms and 40 MB to load, so that happens when the first price is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.core.providers import price_name, provider_label, slug

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

INPUT: Final = "input"
CACHE_READ: Final = "cache_read"
CACHE_WRITE: Final = "cache_write"
OUTPUT: Final = "output"

TOKEN_TYPES: Final = (INPUT, CACHE_READ, CACHE_WRITE, OUTPUT)
"""Values of the label `token_type`; disjoint, so that their sum is all tokens."""

_FALLS_BACK_TO: Final[Mapping[str, tuple[str, ...]]] = {
    INPUT: ("input_mtok",),
    CACHE_READ: ("cache_read_mtok", "input_mtok"),
    CACHE_WRITE: ("cache_write_mtok", "input_mtok"),
    OUTPUT: ("output_mtok",),
}
"""Which prices of genai-prices hold for a token type, first one there is. As there, cached tokens of a model
without a price for them cost what other input does."""

_MILLION: Final = Decimal(10**6)
_THOUSAND: Final = Decimal(1000)
_MODELS_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts by type; no token is in two of them."""

    input: int = 0
    """Sent and neither read from a cache nor written to one."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    def by_type(self) -> dict[str, int]:
        """Return the counts by TOKEN_TYPES."""
        counts = (self.input, self.cache_read, self.cache_write, self.output)
        return dict(zip(TOKEN_TYPES, counts, strict=True))

    @property
    def all_input(self) -> int:
        """All that was sent; it decides whether the prices for a long context hold."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Priced:
    """What some tokens cost, in US dollars."""

    usd: Decimal
    by_token_type: Mapping[str, Decimal]
    """Parts that sum to `usd`, by the token types that there were tokens of. A fee for each request, which a
    few models have, is under the empty string."""


@dataclass(slots=True)
class TokenPrices:
    """List prices of LLM tokens."""

    _models: dict[tuple[str, str], ModelInfo | None] = field(default_factory=dict, init=False, repr=False)
    """What was looked up, also what was not found: looking for that takes milliseconds."""

    def price(
        self, provider: str, model: str, tokens: Tokens, at: datetime, *, requests: int | None = None
    ) -> Priced | None:
        """Price tokens used at a moment (aware); None when nobody knows a price for some of them.

        Without `requests` they are those of one call. With it they are those of so many calls together,
        priced as calls of the average size, so that the prices for a long context do not depend on how many
        calls were summed. 0 says that their number is not known: no call counts as long then.
        """
        found = self._model(provider, model)
        if found is None:
            return None
        calls = 1 if requests is None else requests
        prices = found.get_prices(at)
        parts: dict[str, Decimal] = {}
        for token_type, count in tokens.by_type().items():
            if count:
                usd_per_million = _usd_per_unit(prices, _FALLS_BACK_TO[token_type], tokens.all_input, calls)
                if usd_per_million is None:
                    return None
                parts[token_type] = usd_per_million * count / _MILLION
        fee = _usd_per_unit(prices, ("requests_kcount",), tokens.all_input, calls)
        if fee is not None and calls:
            parts[""] = fee * calls / _THOUSAND
        return Priced(sum(parts.values(), Decimal(0)), parts)

    def _model(self, provider: str, model: str) -> ModelInfo | None:
        key = (provider, model)
        known = self._models
        if key in known:
            return known[key]
        # Resources and proxies put a path before the name: `publishers/google/models/gemini-2.5-pro`.
        found = _look_up(provider, model) or _look_up(provider, model.rpartition("/")[2])
        if len(self._models) >= _MODELS_REMEMBERED:
            self._models = {}
        self._models[key] = found
        return found


def _look_up(provider: str, model: str) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    snapshot = get_snapshot()
    # A name of the price data itself says more than the label: `huggingface_groq` has prices of its own.
    ids = {slug(each.id): each.id for each in snapshot.providers}
    priced_as = ids.get(slug(provider)) or price_name(provider_label(provider))
    if not priced_as or not model:
        return None
    try:
        owner, found = snapshot.find_provider_model(model, None, priced_as, None)
    except LookupError:
        return None
    # A name that is not known is taken for that of a provider which it contains: rather no price than that.
    return found if owner.id == priced_as else None


def _usd_per_unit(prices: ModelPrice, names: tuple[str, ...], all_input: int, calls: int) -> Decimal | None:
    """Return the price in force for calls of the average size; None where the model has none."""
    for name in names:
        price: object = getattr(prices, name)
        if isinstance(price, Decimal):
            return price
        if price is not None:
            from genai_prices.types import TieredPrices  # noqa: PLC0415

            if isinstance(price, TieredPrices):
                reached = (tier.price for tier in reversed(price.tiers) if all_input > tier.start * calls)
                return next(reached, price.base) if calls else price.base
    return None
