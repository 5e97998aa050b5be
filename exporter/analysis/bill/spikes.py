"""Whether an hour cost more than is normal: against the same hour of earlier days, by median and MAD.

A standard deviation would be 0 for a bill in steps, and one bad day would widen it for weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

COMPARED_DAYS: Final = 14
LEAST_DAYS: Final = 4
"""With fewer earlier days, normal is unknown."""

_SIGMAS_PER_MAD: Final = 1.4826
"""Makes the median absolute deviation of normally distributed values their standard deviation."""

_LEAST_SPREAD_RATIO: Final = 0.05
"""A bill in steps has a deviation of 0: then a twentieth of the normal cost counts as one."""

_LEAST_SPREAD_USD: Final = 0.01

_RECURRING_DAYS: Final = 3
"""Cost that this many earlier days reached occurs now and then, such as a job that runs on some days."""

_RECURRING_DEVIATIONS: Final = 2.0
"""Such cost counts as this many deviations above normal."""


@dataclass(frozen=True, slots=True)
class Spike:
    """An hour's cost compared with its normal cost. US dollars."""

    hour_usd: float
    normal_usd: float
    score: float
    """Distance from normal in deviations; below 0 it cost less."""

    @property
    def above_usd(self) -> float:
        """Dollars above normal; negative below it."""
        return self.hour_usd - self.normal_usd


def recurring_usd(usd: Sequence[float]) -> float | None:
    """Return the cost that three of the days reached: it occurs now and then. None for too few days."""
    return sorted(usd)[-_RECURRING_DAYS] if len(usd) > 2 * _RECURRING_DAYS else None


def spike(hour_usd: float, same_hour_usd: Sequence[float]) -> Spike | None:
    """Compare an hour with the same hour of earlier days; None where these are too few.

    Formula: median and scaled median absolute deviation (Iglewicz and Hoaglin, How to Detect and Handle
    Outliers, 1993). For usage on some days only, the median and the deviation are those of the days without
    it: so the deviation is at least a part of the cost of the third most expensive day.
    """
    if len(same_hour_usd) < LEAST_DAYS:
        return None
    normal = median(same_hour_usd)
    deviation = _SIGMAS_PER_MAD * median(abs(usd - normal) for usd in same_hour_usd)
    recurring = recurring_usd(same_hour_usd)
    if recurring is not None:
        deviation = max(deviation, (recurring - normal) / _RECURRING_DEVIATIONS)
    deviation = max(deviation, _LEAST_SPREAD_RATIO * abs(normal), _LEAST_SPREAD_USD)
    return Spike(hour_usd, normal, (hour_usd - normal) / deviation)
