"""What LLM tokens cost at list prices: the price data of the package genai-prices, read without a network.

The package takes 150 ms and 40 MB to load, so that happens when the first price is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.core.providers import price_name, provider_label, slug
from exporter.sources.llm.price_terms import prices_under
from exporter.sources.llm.tokens import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, STANDARD, Terms, Tokens

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

_FALLS_BACK_TO: Final[Mapping[str, tuple[str, ...]]] = {
    INPUT: ("input_mtok",),
    CACHE_READ: ("cache_read_mtok", "input_mtok"),
    CACHE_WRITE: ("cache_write_mtok", "input_mtok"),
    OUTPUT: ("output_mtok",),
}
"""Which prices of genai-prices hold for a token type: the first that the model has. As in that package,
cached tokens of a model without a price for them cost what other input costs."""

_PRICES_OF_PARTS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    (INPUT, "audio"): ("input_audio_mtok",),
    (CACHE_READ, "audio"): ("cache_audio_read_mtok",),
    (CACHE_WRITE, "audio"): ("cache_audio_write_mtok",),
    (OUTPUT, "audio"): ("output_audio_mtok",),
    # Models that read or draw images count them as other tokens, where they list no price of their own.
    (INPUT, "image"): ("input_image_mtok", "input_mtok"),
    (CACHE_READ, "image"): ("cache_image_read_mtok", "cache_read_mtok"),
    (CACHE_WRITE, "image"): ("cache_image_write_mtok", "cache_write_mtok"),
    (OUTPUT, "image"): ("output_image_mtok", "output_mtok"),
    (OUTPUT, "reasoning"): ("output_reasoning_mtok", "output_mtok"),
    (CACHE_WRITE, "1h"): ("cache_write_1h_mtok",),
}
"""The same for parts of a token type. Sound costs a multiple of text, so it has its own price or none."""

_HOUR_LONG_CACHE: Final = 2
"""Writing to Anthropic's cache for an hour costs so many times what input costs, with every model:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""

_MILLION: Final = Decimal(10**6)
_THOUSAND: Final = Decimal(1000)
_MODELS_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Priced:
    """What some tokens cost, in US dollars."""

    usd: Decimal
    by_token_type: Mapping[str, Decimal]
    """Parts that sum to `usd`, by the token types that there were tokens of. A fee for each request, which a
    few models have, is under the empty string."""
    unpriced: Mapping[str, int] = field(default_factory=dict)
    """Tokens by type that nobody knows a price for; they are not in `usd`."""


@dataclass(frozen=True, slots=True)
class _Found:
    model: ModelInfo
    resold: bool
    """Whether its prices are those of another provider, which makes it."""


@dataclass(slots=True)
class TokenPrices:
    """List prices of LLM tokens."""

    _models: dict[tuple[str, str], _Found | None] = field(default_factory=dict, init=False, repr=False)
    """What was looked up, also what was not found: searching for that takes milliseconds."""

    def price(
        self,
        provider: str,
        model: str,
        tokens: Tokens,
        at: datetime,
        *,
        requests: int | None = None,
        terms: Terms = STANDARD,
    ) -> Priced | None:
        """Price tokens used at a moment (aware); None when nobody knows a price for any of them.

        Without `requests` they are those of one call. With it they are those of so many calls together,
        priced as calls of the average size, so that the prices for a long context do not depend on how many
        calls were summed. 0 means that their number is unknown: no call counts as long then.
        """
        found = self._model(provider, model)
        if found is None:
            return None
        under = prices_under(provider_label(provider), found.model, terms, at, resold=found.resold)
        if under is None:
            return None
        rates = _Rates(under.prices, tokens.all_input, 1 if requests is None else requests)
        parts: dict[str, Decimal] = {}
        unpriced: dict[str, int] = {}
        for token_type, kind, count in _pieces(tokens):
            usd_per_million = rates.of(token_type, kind)
            if usd_per_million is None:
                unpriced[token_type] = unpriced.get(token_type, 0) + count
            else:
                usd = usd_per_million * under.times * count / _MILLION
                parts[token_type] = parts.get(token_type, Decimal(0)) + usd
        if unpriced and not parts:
            return None
        fee = rates.first("requests_kcount")
        if fee is not None and rates.calls:
            parts[""] = fee * under.times * rates.calls / _THOUSAND
        return Priced(sum(parts.values(), Decimal(0)), parts, unpriced)

    def _model(self, provider: str, model: str) -> _Found | None:
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


def _pieces(tokens: Tokens) -> list[tuple[str, str, int]]:
    """Return (token type, kind of part or empty, count) of everything that there is, each token once."""
    plain = [(token_type, "", count) for token_type, count in tokens.plain().items() if count]
    return plain + [(part.token_type, part.kind, part.tokens) for part in tokens.parts if part.tokens]


@dataclass(frozen=True, slots=True)
class _Rates:
    """Prices in force for calls of the average size, in US dollars per million tokens."""

    prices: ModelPrice
    all_input: int
    calls: int

    def of(self, token_type: str, kind: str) -> Decimal | None:
        """Return the price of a token type or of a part of it; None where the model has none."""
        if not kind:
            return self.first(*_FALLS_BACK_TO[token_type])
        found = self.first(*_PRICES_OF_PARTS.get((token_type, kind), ()))
        if found is None and kind == "1h" and self.prices.cache_write_mtok is not None:
            usd_per_input = self.first("input_mtok")
            return None if usd_per_input is None else _HOUR_LONG_CACHE * usd_per_input
        return found

    def first(self, *names: str) -> Decimal | None:
        """Return the first of some prices that the model has."""
        for name in names:
            price: object = getattr(self.prices, name)
            if isinstance(price, Decimal):
                return price
            if price is not None:
                from genai_prices.types import TieredPrices  # noqa: PLC0415

                if isinstance(price, TieredPrices):
                    reached = (
                        tier.price
                        for tier in reversed(price.tiers)
                        if self.all_input > tier.start * self.calls
                    )
                    return next(reached, price.base) if self.calls else price.base
        return None


def _look_up(provider: str, model: str) -> _Found | None:
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
    if owner.id != priced_as:
        return None
    return _Found(found, resold=not any(found is each for each in owner.models))
