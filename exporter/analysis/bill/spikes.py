"""Whether an hour cost more than is normal: against the same hour of earlier days, by median and MAD.

A standard deviation is nought on a bill that goes in steps, and one bad day would widen it for weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

COMPARED_DAYS: Final = 14
LEAST_DAYS: Final = 4
"""With fewer earlier days nothing is called normal."""

_SIGMAS_PER_MAD: Final = 1.4826
"""Makes the median absolute deviation of normally distributed values their standard deviation."""

_LEAST_SPREAD_RATIO: Final = 0.05
"""A bill in steps has a deviation of 0: then a twentieth of what is normal counts as one."""

_LEAST_SPREAD_USD: Final = 0.01

_RECURRING_DAYS: Final = 3
"""What so many of the earlier days reached comes now and then, such as a job that runs on some days."""

_RECURRING_DEVIATIONS: Final = 2.0
"""And is taken to lie so many deviations above normal."""


@dataclass(frozen=True, slots=True)
class Spike:
    """What an hour cost beside what is normal for it. US dollars."""

    hour_usd: float
    normal_usd: float
    score: float
    """Distance from normal in deviations; below 0 it cost less."""

    @property
    def above_usd(self) -> float:
        """Dollars above normal; negative below it."""
        return self.hour_usd - self.normal_usd


def recurring_usd(usd: Sequence[float]) -> float | None:
    """Return what three of some days reached: cost that comes now and then. None for too few days."""
    return sorted(usd)[-_RECURRING_DAYS] if len(usd) > 2 * _RECURRING_DAYS else None


def spike(hour_usd: float, same_hour_usd: Sequence[float]) -> Spike | None:
    """Judge an hour by the same hour of earlier days; None where these are too few to say what is normal.

    Formula: median and scaled median absolute deviation (Iglewicz and Hoaglin, How to Detect and Handle
    Outliers, 1993). Of use that comes on some days only, the median is that of the days without it and the
    deviation knows nothing of the others: so the deviation is at least a part of the third dearest day's.
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
