"""How spending is spread over the hours of a week, learnt from its own past, and a time span's share of it.

Expected costs and forecasts of budgets follow it: a cheap weekend or night is not a saving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

LEARNT_DAYS: Final = 28
_WEEK: Final = 168
_LEAST_DAYS: Final = 3
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SpendingSeason:
    """Usual US dollars in each hour of the week (0 is Monday's first in `timezone`)."""

    usd: Sequence[float]
    timezone: str

    def between(self, begin: datetime, end: datetime) -> float:
        """Usual US dollars of the span, whose ends (aware) may be within hours; 0 where nothing is known."""
        # Subtracting two times of one zone gives the difference of clock times, not the time that has passed.
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        if end <= begin:
            return 0.0
        weeks, rest = divmod(end - begin, timedelta(days=7))
        total = weeks * sum(self.usd)
        at = end - rest
        zone = ZoneInfo(self.timezone)
        while at < end:
            hour_ends = min(at.replace(minute=0, second=0, microsecond=0) + _HOUR, end)
            local = at.astimezone(zone)
            total += self.usd[local.weekday() * 24 + local.hour] * ((hour_ends - at) / _HOUR)
            at = hour_ends
        return total

    def share(self, begin: datetime, now: datetime, end: datetime) -> float:
        """Share of the span's usual spending before `now`; by time where nothing is known."""
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        now = min(max(now, begin), end)
        whole = self.between(begin, end)
        if whole <= 0:
            return (now - begin) / (end - begin)
        return self.between(begin, now) / whole


def learn_season(
    hourly_usd: Mapping[int, float], until: int, timezone: str, *, daily: bool = False
) -> SpendingSeason:
    """Learn from the settled hours before `until` (hours since 1970-01-01 00:00 UTC).

    Medians over four weeks, so that one bad night does not change what is usual; an hour without a charge
    cost nothing. With `daily`, a day's cost is at its first hour and belongs to all of them. With less than
    three days nothing is known, and every hour is 0.
    """
    first = max(min(hourly_usd, default=until), until - 24 * LEARNT_DAYS)
    if until - first < 24 * _LEAST_DAYS:
        return SpendingSeason([0.0] * _WEEK, timezone)
    zone = ZoneInfo(timezone)
    spread = _spread(hourly_usd, first, until, zone) if daily else hourly_usd
    by_hour: dict[int, list[float]] = {}
    by_hour_of_day: dict[int, list[float]] = {}
    for hour in range(first, until):
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone)
        usd = spread.get(hour, 0.0)
        by_hour.setdefault(local.weekday() * 24 + local.hour, []).append(usd)
        by_hour_of_day.setdefault(local.hour, []).append(usd)
    usual = [median(by_hour.get(at) or by_hour_of_day.get(at % 24) or [0.0]) for at in range(_WEEK)]
    # Medians of uneven hours sum to less than the whole spending, so they are scaled to it.
    spent = sum(spread.get(hour, 0.0) for hour in range(first, until)) / (until - first) * _WEEK
    whole = sum(usual)
    if whole <= 0:
        return SpendingSeason([max(spent, 0.0) / _WEEK] * _WEEK, timezone)
    return SpendingSeason([max(usd, 0.0) * max(spent, 0.0) / whole for usd in usual], timezone)


def _spread(hourly_usd: Mapping[int, float], first: int, until: int, zone: ZoneInfo) -> dict[int, float]:
    """Spread each day's cost evenly over its hours."""
    days: dict[int, list[int]] = {}
    for hour in range(first, until):
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone)
        days.setdefault(local.toordinal(), []).append(hour)
    spread: dict[int, float] = {}
    for hours in days.values():
        whole = sum(hourly_usd.get(hour, 0.0) for hour in hours)
        spread.update(dict.fromkeys(hours, whole / len(hours)))
    return spread
