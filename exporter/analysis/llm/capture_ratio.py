"""The share of a provider's bill that a proxy saw; the rest did not go through it.

Pure: from days of both to one ratio by provider. It is never added to anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

COMPARED: Final = timedelta(days=30)
"""How far back from the latest day that both know: so long that calls at midnight do not matter."""

LARGEST_PLAUSIBLE: Final = 2.5
"""A proxy does not calculate with prices so many times those that are billed. Beyond this, what it saw is on
another bill, or the bill names its LLM spend in a way that is not known."""


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
        """1 where the proxy saw all; above it where its prices are higher than what is billed."""
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
    `billed_knows` has by provider the days that are settled. Of a provider that bills other things too,
    `billed_usd` has what it bills for LLMs alone. Absent is a provider without a day in common, one to which
    nothing was billed on those days, and one whose ratio would be beyond LARGEST_PLAUSIBLE.
    """
    found = []
    for provider, settled in sorted(billed_knows.items()):
        last = min(settled.last, proxy_knows.last)
        first = max(settled.first, proxy_knows.first, last - compared + timedelta(days=1))
        days = KnownDays(first, last)
        billed = _sum(billed_usd, provider, days)
        if billed <= 0:
            continue
        capture = Capture(provider, _sum(proxy_usd, provider, days), billed, days)
        if capture.ratio <= LARGEST_PLAUSIBLE:
            found.append(capture)
    return found


def _sum(usd: Mapping[tuple[str, date], float], provider: str, days: KnownDays) -> float:
    return sum(
        amount for (name, day), amount in usd.items() if name == provider and days.first <= day <= days.last
    )
