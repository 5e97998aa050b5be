"""The weekly pattern of a line's gross cost, its level and growth, and how far days and hours stray from it.

Fitted to the hours that are known; robust, so that a runaway of a few days is neither season nor growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import exp, log, sqrt
from operator import mul
from statistics import fmean, median
from typing import Final

from exporter.analysis.nowcast.trend import LARGEST_NOISE, LEAST_NOISE, daily_trend
from exporter.analysis.nowcast.weekly_profile import DayCosts, day_profile, weekly_shape

_SPREAD_OF_MEAN_ERROR: Final = 1.2533
"""Standard deviation over mean absolute deviation, for the normal distribution."""

_MONTH_DAYS: Final = 30.0
_SMOOTH: Final = 0.05
"""Days that stray by less are searched for the trace of the length of months."""

_PRIOR_DAYS: Final = 0.01
"""A habit is never quite certain: as if so many days had been otherwise."""

_BOOKED: Final = 0.95
_NOT_BOOKED: Final = 0.0005
"""How likely what is booked once a month comes on its day, and on another."""

_IDLE: Final = 0.01
_UNKNOWN_NOISE: Final = 0.3
_SETTLING_DAYS: Final = 5
"""In younger days a line may be missing because it is late."""

_SCARCE: Final = 0.02
"""A day with less than this share of the median day counts as a day without use."""


@dataclass(frozen=True, slots=True)
class Season:
    """What to expect of a line: level(day) * shape[week hour] US dollars gross, on a day with use."""

    shape: tuple[float, ...]
    """Share of a mean day's cost in each hour of the week."""
    active_ratio: tuple[float, float]
    """How likely a working day, or a day at the weekend, has any use."""
    month_day: int | None
    """Day of the month on which alone there is a cost, for what is booked once a month."""
    reference_day: int
    level_usd: float
    """Cost of a mean day with use, on the reference day."""
    growth_per_day: float
    """Of the logarithm of the level."""
    by_the_month: bool
    """Whether a month's cost is spread over its days, as for storage: days of short months cost more."""
    level_noise: float
    """Standard deviation of the logarithm of the level, as estimated."""
    day_noise: float
    """Standard deviation of a day's logarithm around the level."""
    residual_noise: float
    """Standard deviation of day_residuals: that of the days and that of their hours."""
    hour_noise: float
    """Standard deviation of an hour relative to what its day makes expected."""
    idle_ratio: float
    """Share of hours without any use among those of days with use in which some is to be expected."""
    day_residuals: dict[int, float]
    """Logarithm of each day over its level."""

    @property
    def lumped(self) -> bool:
        """Whether a day's cost is booked in one of its hours, as daily and monthly fees are."""
        days = [self.shape[start : start + 24] for start in range(0, 168, 24)]
        return all(max(day) > 0.5 * sum(day) for day in days if sum(day) > 0.0)

    def active_on(self, day: int, weekend: bool) -> float:
        """How likely a day has any use, before anything is known of it."""
        if self.month_day is None:
            return self.active_ratio[weekend]
        return _BOOKED if date.fromordinal(day).day == self.month_day else _NOT_BOOKED

    def level(self, day: int, month_days: int) -> float:
        """Cost in US dollars of a mean day with use, around that day, of a month with so many days."""
        ahead = min(max(day - self.reference_day, -60), 60)
        level = self.level_usd * exp(self.growth_per_day * ahead)
        return level * _MONTH_DAYS / month_days if self.by_the_month else level


def fit_season(days: Sequence[DayCosts], reference_day: int) -> Season | None:
    """Fit a line's days, oldest first; None where nothing was ever used."""
    whole = [day for day in days if _complete(day)]
    totals = {day.day: _total(day) for day in whole}
    positive = [total for total in totals.values() if total > 0.0]
    if not positive:
        return _first_hours(days, reference_day)
    least = _SCARCE * median(positive)
    active = [day for day in whole if totals[day.day] > least]
    month_day = _month_day(whole, active)
    shape = weekly_shape(active, totals) if month_day is None else day_profile(active, totals) * 7
    levels = _daily_levels(days, shape, least)
    if not levels:
        return None
    hour_noise, spread = _hour_noise(active, shape)
    by_the_month = False
    trend = daily_trend(levels, reference_day)
    if trend.noise < _SMOOTH:
        month_days = {day.day: day.month_days for day in days}
        monthly = daily_trend(
            [(day, y + log(month_days[day] / _MONTH_DAYS), share) for day, y, share in levels], reference_day
        )
        if monthly.noise < 0.7 * trend.noise:
            by_the_month, trend = True, monthly
    own = sqrt(max(trend.noise**2 - hour_noise * hour_noise * spread, 0.0))
    return Season(
        shape=shape,
        active_ratio=_active_ratio(whole, active),
        month_day=month_day,
        reference_day=reference_day,
        level_usd=trend.level_usd,
        growth_per_day=trend.growth,
        by_the_month=by_the_month,
        level_noise=trend.level_noise,
        day_noise=min(max(own, LEAST_NOISE), LARGEST_NOISE),
        residual_noise=trend.noise,
        hour_noise=hour_noise,
        idle_ratio=_idle_ratio([day for day in active if day.day < reference_day - _SETTLING_DAYS], shape),
        day_residuals=trend.residuals,
    )


def _complete(day: DayCosts) -> bool:
    return len(day.usd) >= 23 and None not in day.usd


def _total(day: DayCosts) -> float:
    return sum(usd for usd in day.usd if usd is not None)


def _first_hours(days: Sequence[DayCosts], reference_day: int) -> Season | None:
    """A flat season at the mean of the known hours, for a line without a single whole day."""
    known = [usd for day in days for usd in day.usd if usd is not None]
    if not known or sum(known) <= 0.0:
        return None
    level = 24.0 * fmean(known)
    return Season(
        shape=(1.0 / 24.0,) * 168,
        active_ratio=(0.9, 0.9),
        month_day=None,
        reference_day=reference_day,
        level_usd=level,
        growth_per_day=0.0,
        by_the_month=False,
        level_noise=_UNKNOWN_NOISE,
        day_noise=_UNKNOWN_NOISE,
        residual_noise=_UNKNOWN_NOISE,
        hour_noise=_UNKNOWN_NOISE,
        idle_ratio=_IDLE,
        day_residuals={},
    )


def _daily_levels(
    days: Sequence[DayCosts], shape: tuple[float, ...], least: float
) -> list[tuple[int, float, float]]:
    """(day, logarithm of the level that the day shows, share of the day that is known), of days with use."""
    found: list[tuple[int, float, float]] = []
    for day in days:
        known = expected = whole = 0.0
        for week_hour, usd in zip(day.week_hours, day.usd, strict=True):
            share = shape[week_hour]
            whole += share
            if usd is not None:
                expected += share
                known += usd
        if whole > 0.0 and expected > 0.15 * whole and known * whole / expected > least:
            found.append((day.day, log(known / expected), expected / whole))
    return found


def _hour_noise(active: Sequence[DayCosts], shape: tuple[float, ...]) -> tuple[float, float]:
    """Noise of an hour, and the mean of what a day's sum keeps of its variance."""
    errors: list[float] = []
    spreads: list[float] = []
    for day in active[-28:]:
        shares = [shape[week_hour] for week_hour in day.week_hours]
        expected = sum(shares)
        if expected <= 0.0:
            continue
        per_usd = expected / _total(day)
        spreads.append(sum(map(mul, shares, shares)) / expected**2)
        errors.extend(
            abs(usd * per_usd / share - 1.0)
            for usd, share in zip(day.usd, shares, strict=True)
            if usd is not None and share > 0.01
        )
    if not errors:
        return _UNKNOWN_NOISE, 0.05
    clip = 6.0 * median(errors) + 1e-9
    noise = _SPREAD_OF_MEAN_ERROR * fmean(min(error, clip) for error in errors)
    return min(max(noise, LEAST_NOISE), LARGEST_NOISE), fmean(spreads)


def _idle_ratio(active: Sequence[DayCosts], shape: tuple[float, ...]) -> float:
    pairs = [(w, usd) for day in active[-28:] for w, usd in zip(day.week_hours, day.usd, strict=True)]
    busy = [usd for week_hour, usd in pairs if shape[week_hour] > 0.0003]
    return (busy.count(0.0) + 0.2) / (len(busy) + 1.0) if busy else _IDLE


def _month_day(whole: Sequence[DayCosts], active: Sequence[DayCosts]) -> int | None:
    """The day of the month of all days with use, where they are at least two and months apart."""
    found = {date.fromordinal(day.day).day for day in active}
    seldom = 1 < len(active) <= len(whole) / 20
    return found.pop() if seldom and len(found) == 1 else None


def _active_ratio(whole: Sequence[DayCosts], active: Sequence[DayCosts]) -> tuple[float, float]:
    """Shares of days with use among working days and weekends, never quite 0 or 1."""
    seen = {day.day for day in active}
    found: list[float] = []
    for weekend in (False, True):
        days = [day.day in seen for day in whole if (day.week_hours[0] // 24 >= 5) == weekend]
        used, count = (sum(days), len(days)) if days else (len(seen), len(whole))
        found.append((used + _PRIOR_DAYS) / (count + 2.0 * _PRIOR_DAYS))
    return found[0], found[1]
