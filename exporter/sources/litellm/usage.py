"""What a LiteLLM proxy reports as used, by caller, and how that becomes usage points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.core.providers import provider_label

HOUR: Final = timedelta(hours=1)

USD: Final = (llm_meters.PROXY_USD, "")
REQUESTS: Final = (llm_meters.PROXY_REQUESTS, "")
INPUT: Final = (llm_meters.PROXY_TOKENS, "input")
"""Without what was read from or written to a prompt cache."""
OUTPUT: Final = (llm_meters.PROXY_TOKENS, "output")
CACHE_READ: Final = (llm_meters.PROXY_TOKENS, "cache_read")
CACHE_WRITE: Final = (llm_meters.PROXY_TOKENS, "cache_write")

UNITS: Final = {
    llm_meters.PROXY_USD: "usd",
    llm_meters.PROXY_TOKENS: "tokens",
    llm_meters.PROXY_REQUESTS: "requests",
}
"""The meters of a proxy and their units."""

LARGEST: Final = 10**15
"""Of dollars, tokens and calls: one amount of more is damaged, and would drown all others."""

Amounts = dict[tuple[str, str], Decimal]
"""By meter and dimension, as above."""

UNKNOWN_PROVIDER: Final = "unknown"
"""The proxy's own word for it."""


@dataclass(frozen=True, slots=True, order=True)
class Caller:
    """Who called what. A dimension that the proxy does not report is the empty string."""

    provider: str
    team: str
    """Its alias, else its id."""
    key_alias: str
    model: str
    """As the proxy reports it."""


def provider_name(litellm_provider: str, model: str) -> str:
    """Return the label of a provider: by the proxy's name for it, else by the prefix of the model."""
    label = provider_label(litellm_provider)
    if label in ("", "none", UNKNOWN_PROVIDER):
        label = provider_label(model.partition("/")[0]) if "/" in model else ""
    return label or UNKNOWN_PROVIDER


def without_cache(amounts: Amounts) -> None:
    """Take cached tokens out of the input, which LiteLLM counts in it, so that types are disjoint.

    Where they are more than the input they cannot be in it, and the input stays unchanged.
    """
    cached = amounts.get(CACHE_READ, Decimal(0)) + amounts.get(CACHE_WRITE, Decimal(0))
    if cached and amounts.get(INPUT, Decimal(0)) >= cached:
        amounts[INPUT] -= cached


def add(into: Amounts, more: Mapping[tuple[str, str], Decimal]) -> None:
    """Add amounts to others."""
    for key, value in more.items():
        into[key] = into.get(key, Decimal(0)) + value


def points_of(caller: Caller, amounts: Amounts, hour: datetime) -> Iterator[UsagePoint]:
    """Yield one point for each amount that is not zero, all in one hour."""
    for (meter, dimension), value in amounts.items():
        if value:
            yield UsagePoint(
                provider=caller.provider,
                project_id=caller.team,
                region_id="",
                service_id="",
                resource=caller.model,
                revision=caller.key_alias,
                meter=meter,
                dimension=dimension,
                start=hour,
                end=hour + HOUR,
                value=float(value),
                unit=UNITS[meter],
            )
