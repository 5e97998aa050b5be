"""The share of a provider's bill that went through a proxy.

Pure: from days of both to one ratio per provider. The ratio is never part of a total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

COMPARED: Final = timedelta(days=30)
"""How far back from the latest day that both know: long enough that calls at midnight do not matter."""


@dataclass(frozen=True, slots=True)
class KnownDays:
    """UTC days, `first` and `last` included, that are known completely: a day without an amount had none."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Capture:
    """A proxy's cost and one provider's bill, over the same days."""

    provider: str
    proxy_usd: float
    billed_usd: float
    """Above zero."""
    days: KnownDays

    @property
    def ratio(self) -> float:
        """1 where every call went through the proxy; above 1 where the proxy's prices are higher."""
        return self.proxy_usd / self.billed_usd


def capture_ratios(
    proxy_usd: Mapping[tuple[str, date], float],
    billed_usd: Mapping[tuple[str, date], float],
    proxy_knows: KnownDays,
    billed_knows: Mapping[str, KnownDays],
    compared: timedelta = COMPARED,
) -> list[Capture]:
    """Compare US dollars by (provider, UTC day), by provider in order of name.

    `proxy_knows` are whole days: neither the one on which its counters were first read nor today.
    `billed_knows` has the settled days of each provider. If a provider also bills other things, `billed_usd`
    has only its LLM cost. A provider without common days, or without a bill on those days, is left out.
    """
    found = []
    for provider, settled in sorted(billed_knows.items()):
        last = min(settled.last, proxy_knows.last)
        first = max(settled.first, proxy_knows.first, last - compared + timedelta(days=1))
        days = KnownDays(first, last)
        billed = _sum(billed_usd, provider, days)
        if billed > 0:
            found.append(Capture(provider, _sum(proxy_usd, provider, days), billed, days))
    return found


def _sum(usd: Mapping[tuple[str, date], float], provider: str, days: KnownDays) -> float:
    return sum(
        amount for (name, day), amount in usd.items() if name == provider and days.first <= day <= days.last
    )
