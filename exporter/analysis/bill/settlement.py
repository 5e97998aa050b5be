"""How late an account's charges arrive, learnt from its own past, and which share is still to arrive.

The curve is the cost-weighted distribution of a charge's age when it became known: the development pattern
of insurance mathematics, pooled over services.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST_USAGE_HOURS = 72
"""Three days: with fewer observed usage hours, lateness is unknown."""

LEARNT_FROM = timedelta(days=45)
LEARNT_UNTIL = timedelta(days=7)
"""Lateness is learnt from usage of these ages: recent enough to be like today, old enough to be complete."""

_HOUR = timedelta(hours=1)

SETTLED_RATIO = 0.995
"""A usage hour is called settled when this share of its cost is expected to have arrived."""


@dataclass(frozen=True, slots=True)
class ArrivalCurve:
    """Share of a usage hour's final cost that has arrived, by whole hours since the hour began."""

    arrived: tuple[float, ...]
    """arrived[n]: share known n hours after the usage hour began; the last value, 1, holds from there on."""

    def arrived_ratio(self, age_hours: int) -> float:
        """Return the share that is expected to have arrived at that age, 0 for the future."""
        return 0.0 if age_hours < 0 else self.arrived[min(age_hours, len(self.arrived) - 1)]

    def settled_age_hours(self) -> int:
        """Return the least age at which SETTLED_RATIO has arrived."""
        return next(age for age, ratio in enumerate(self.arrived) if ratio >= SETTLED_RATIO)


def arrival_curve(arrivals: Iterable[tuple[int, float]], usage_hours: int) -> ArrivalCurve | None:
    """Learn the curve from (age in hours at export, dollars) pairs; None where they are too few."""
    by_age: dict[int, float] = {}
    for age, usd in arrivals:
        by_age[max(age, 0)] = by_age.get(max(age, 0), 0.0) + usd
    total = sum(by_age.values())
    if usage_hours < LEAST_USAGE_HOURS or total <= 0:
        return None
    # Cost exported in the hour that began n hours after the usage hour is known at age n + 1.
    arrived = [0.0]
    for age in range(max(by_age) + 1):
        arrived.append(arrived[-1] + by_age.get(age, 0.0) / total)
    arrived[-1] = 1.0
    return ArrivalCurve(tuple(arrived))


def unsettled_ratio(
    curve: ArrivalCurve, day: tuple[datetime, datetime], now: datetime, known_until: datetime
) -> float | None:
    """Return the share of the day's cost so far that has not arrived; None if no hour of it has passed.

    `known_until` is when the bill last grew: nothing has arrived since then. Every hour of the day has the
    same weight: the pattern within a day changes the share only a little, and is unknown for hours that have
    not arrived.
    """
    start, end = day
    passed = int((min(now, end) - start) / _HOUR)
    if passed < 1:
        return None
    arrived = (curve.arrived_ratio(_whole_hours(known_until - start) - hour) for hour in range(passed))
    return 1.0 - sum(arrived) / passed


def settled_through(curve: ArrivalCurve, known_until: datetime) -> datetime:
    """Return the time up to which usage is settled, for a bill that last grew at `known_until`."""
    whole_hour = known_until.replace(minute=0, second=0, microsecond=0)
    return whole_hour - curve.settled_age_hours() * _HOUR


def _whole_hours(span: timedelta) -> int:
    return span // _HOUR
