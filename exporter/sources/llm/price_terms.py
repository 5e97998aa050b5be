"""Which prices of a model hold under the terms of a call: its service tier, its speed, where it ran.

Terms whose price nobody knows give no price at all, rather than that of an ordinary call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.sources.llm.tokens import Terms

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

_ORDINARY_TIERS: Final = frozenset({"", "default", "standard", "standard_only", "auto", "on_demand", "none"})
_ORDINARY_SPEEDS: Final = frozenset({"", "standard", "normal", "default", "none"})
_ORDINARY_GEOS: Final = frozenset({"", "global", "not_available", "none"})

_HALF: Final = Decimal("0.5")
_TIMES_OF_TIER: Final[Mapping[tuple[str, str], Decimal]] = {
    ("openai", "batch"): _HALF,
    ("openai", "flex"): _HALF,
    ("anthropic", "batch"): _HALF,
    ("azure", "batch"): _HALF,
    ("gcp", "batch"): _HALF,
}
"""What a service tier costs of the list price with every model of a provider, by provider and tier; used
where the price data have no prices of that tier. https://openai.com/api/pricing,
https://platform.claude.com/docs/en/about-claude/pricing and https://ai.google.dev/gemini-api/docs/pricing"""

_TIMES_OF_GEO: Final[Mapping[tuple[str, str], Decimal]] = {("anthropic", "us"): Decimal("1.1")}
"""https://platform.claude.com/docs/en/build-with-claude/data-residency"""

_TIMES_OF_FAST_MODE: Final[Mapping[str, Decimal]] = {
    "claude-opus-4-6": Decimal(6),
    "claude-opus-4-7": Decimal(6),
}
"""By model of Anthropic, where the price data have none: these models have left fast mode again.
https://platform.claude.com/docs/en/build-with-claude/fast-mode"""


@dataclass(frozen=True, slots=True)
class TermPrices:
    """Prices of a model, and what to multiply them by."""

    prices: ModelPrice
    times: Decimal


def prices_under(
    provider: str, model: ModelInfo, terms: Terms, at: datetime, *, resold: bool = False
) -> TermPrices | None:
    """Return the prices under some terms at a moment (aware); None where nobody knows them.

    `provider` is a label. Of a model that it resells only the ordinary prices are the maker's.
    """
    tier, speed, geo = (
        text.strip().lower() for text in (terms.service_tier, terms.speed, terms.inference_geo)
    )
    context: dict[str, str] = {}
    times = Decimal(1)
    if tier not in _ORDINARY_TIERS:
        wanted = ("processing" if tier == "batch" else "service_tier", tier)
        if not resold and _has_variant(model, wanted, at):
            context[wanted[0]] = wanted[1]
        elif (provider, tier) in _TIMES_OF_TIER:
            times *= _TIMES_OF_TIER[provider, tier]
        else:
            return None
    if speed not in _ORDINARY_SPEEDS:
        if not resold and _has_variant(model, ("speed", speed), at):
            # The price data have no prices of two terms together.
            if context:
                return None
            context["speed"] = speed
        elif provider == "anthropic" and speed == "fast" and model.id in _TIMES_OF_FAST_MODE:
            times *= _TIMES_OF_FAST_MODE[model.id]
        else:
            return None
    if geo not in _ORDINARY_GEOS:
        if (provider, geo) not in _TIMES_OF_GEO:
            return None
        times *= _TIMES_OF_GEO[provider, geo]
    return TermPrices(model.get_prices(at, context), times)


def _has_variant(model: ModelInfo, wanted: tuple[str, str], at: datetime) -> bool:
    return any(
        dict([wanted]) == each.when and (each.constraint is None or each.constraint.active(at))
        for each in model.price_variants or ()
    )
