"""The weekly pattern of a line's gross cost, its level and growth, and how far days and hours stray from it.

Fitted to the hours that are known; robust, so that a runaway of a few days is neither season nor growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, median
from typing import Final

_HALF_LIFE_DAYS: Final = 14.0
"""A day so long ago weighs half as much in level and growth."""

_RECENT_DAYS: Final = 3
_LARGEST_SHIFT: Final = 0.4
_SPREAD_OF_MEAN_ERROR: Final = 1.2533
"""Standard deviation over mean absolute deviation, for the normal distribution."""

_MONTH_DAYS: Final = 30.0
_SMOOTH: Final = 0.05
"""Days that stray by less are searched for the trace of the length of months."""

_LEAST_NOISE: Final = 0.002
_IDLE: Final = 0.01
_SETTLING_DAYS: Final = 5
"""In younger days a line may be missing because it is late."""

_LARGEST_NOISE: Final = 1.5
_SCARCE: Final = 0.02
"""A day with less than this share of the median day counts as a day without use."""


@dataclass(frozen=True, slots=True)
class DayCosts:
    """One billing day of one line; `usd` has None where an hour is not known yet."""

    day: int
    month_days: int
    """Days of its billing month."""
    week_hours: Sequence[int]
    usd: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Season:
    """What to expect of a line: level(day) * shape[week hour] US dollars gross, on a day with use."""

    shape: tuple[float, ...]
    """Share of a mean day's cost in each hour of the week."""
    active_ratio: tuple[float, float]
    """How likely a working day, or a day at the weekend, has any use."""
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
    shape = _shape(active, totals)
    levels = _daily_levels(days, shape, least)
    if not levels:
        return None
    hour_noise, spread = _hour_noise(active, shape)
    by_the_month = False
    trend = _trend(levels, reference_day)
    if trend.noise < _SMOOTH:
        month_days = {day.day: day.month_days for day in days}
        monthly = _trend(
            [(day, y + log(month_days[day] / _MONTH_DAYS), share) for day, y, share in levels], reference_day
        )
        if monthly.noise < 0.7 * trend.noise:
            by_the_month, trend = True, monthly
    own = sqrt(max(trend.noise**2 - hour_noise * hour_noise * spread, 0.0))
    return Season(
        shape=shape,
        active_ratio=_active_ratio(whole, active),
        reference_day=reference_day,
        level_usd=trend.level_usd,
        growth_per_day=trend.growth,
        by_the_month=by_the_month,
        level_noise=trend.level_noise,
        day_noise=min(max(own, _LEAST_NOISE), _LARGEST_NOISE),
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
        (1.0 / 24.0,) * 168, (0.9, 0.9), reference_day, level, 0.0, False, 0.3, 0.3, 0.3, 0.3, _IDLE, {}
    )


def _shape(active: Sequence[DayCosts], totals: dict[int, float]) -> tuple[float, ...]:
    by_weekday: list[list[DayCosts]] = [[] for _ in range(7)]
    for day in active:
        by_weekday[day.week_hours[0] // 24].append(day)
    halves = (by_weekday[:5], by_weekday[5:])
    everyone = _profiles([by_weekday], totals)[0]
    profiles: list[tuple[float, ...]] = []
    weights: list[float] = []
    for half in halves:
        count = sum(map(len, half))
        own = _weekday_profiles(half, totals, everyone, count)
        profiles.extend(own)
        weights.extend(_weekday_weights(half, totals))
    mean = fmean(weights)
    return tuple(w / mean * share for w, profile in zip(weights, profiles, strict=True) for share in profile)


def _profiles(
    groups: Sequence[Sequence[Sequence[DayCosts]]], totals: dict[int, float]
) -> list[tuple[float, ...]]:
    return [_profile([day for weekday in group for day in weekday], totals) for group in groups]


def _profile(days: Sequence[DayCosts], totals: dict[int, float]) -> tuple[float, ...]:
    """Share of a day's cost in each of its 24 hours, sum 1; extreme days are pulled in."""
    columns = _columns(days, totals)
    means = [_winsorised_mean(column) if column else 1.0 / 24.0 for column in columns]
    whole = sum(means)
    return tuple(mean / whole for mean in means) if whole > 0.0 else (1.0 / 24.0,) * 24


def _columns(days: Sequence[DayCosts], totals: dict[int, float]) -> list[list[float]]:
    columns: list[list[float]] = [[] for _ in range(24)]
    for day in days:
        share = 1.0 / totals[day.day]
        for week_hour, usd in zip(day.week_hours, day.usd, strict=True):
            if usd is not None:
                columns[week_hour % 24].append(usd * share)
    return columns


def _winsorised_mean(values: list[float]) -> float:
    cut = (len(values) + 4) // 12
    if not cut:
        return fmean(values)
    ordered = sorted(values)
    low, high = ordered[cut], ordered[-1 - cut]
    return (low * cut + high * cut + sum(ordered[cut : len(ordered) - cut])) / len(ordered)


def _weekday_profiles(
    half: Sequence[Sequence[DayCosts]], totals: dict[int, float], everyone: tuple[float, ...], count: int
) -> list[tuple[float, ...]]:
    """Profile of each weekday, as far as it differs from its half of the week by more than chance."""
    if not count:
        return [everyone] * len(half)
    own = _profile([day for weekday in half for day in weekday], totals)
    blend = count / (count + 2.0)
    shared = tuple(blend * a + (1.0 - blend) * b for a, b in zip(own, everyone, strict=True))
    columns = [_columns(weekday, totals) for weekday in half]
    credibility = _credibility([column for weekday in columns for column in weekday], len(half))
    if credibility <= 0.0:
        return [shared] * len(half)
    found: list[tuple[float, ...]] = []
    for weekday in columns:
        means = [
            base + credibility * (_winsorised_mean(column) - base) if column else base
            for base, column in zip(shared, weekday, strict=True)
        ]
        whole = sum(means)
        found.append(tuple(mean / whole for mean in means))
    return found


def _credibility(groups: Sequence[Sequence[float]], kinds: int) -> float:
    """Weight of a group's own mean (Buehlmann): true variance between kinds over all variance of the mean.

    `groups` holds the samples of each hour for the first kind, then for the second, and so on.
    """
    width = len(groups) // kinds
    within_total = between_total = 0.0
    for hour in range(width):
        samples = [groups[kind * width + hour] for kind in range(kinds)]
        samples = [sample for sample in samples if len(sample) >= 3]
        if len(samples) < 2:
            continue
        means = [fmean(sample) for sample in samples]
        squares = sum(sum((x - m) ** 2 for x in sample) for sample, m in zip(samples, means, strict=True))
        count = sum(map(len, samples))
        within = squares / (count - len(samples)) * len(samples) / count
        middle = fmean(means)
        between_total += sum((m - middle) ** 2 for m in means) / (len(means) - 1)
        within_total += within
    if between_total <= 0.0:
        return 0.0
    return max(0.0, 1.0 - within_total / between_total)


def _weekday_weights(half: Sequence[Sequence[DayCosts]], totals: dict[int, float]) -> list[float]:
    """Mean cost of each weekday's days with use, drawn towards that of its half of the week."""
    samples = [[totals[day.day] for day in weekday] for weekday in half]
    together = [total for sample in samples for total in sample]
    if not together:
        return [0.0] * len(half)
    shared = _winsorised_mean(together)
    credibility = _credibility(samples, len(half))
    return [
        shared + credibility * (_winsorised_mean(sample) - shared) if sample else shared for sample in samples
    ]


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
        expected = sum(shape[week_hour] for week_hour in day.week_hours)
        if expected <= 0.0:
            continue
        level = _total(day) / expected
        spreads.append(sum(shape[w] ** 2 for w in day.week_hours) / expected**2)
        for week_hour, usd in zip(day.week_hours, day.usd, strict=True):
            if usd is not None and shape[week_hour] > 0.01:
                errors.append(abs(usd / (level * shape[week_hour]) - 1.0))
    if not errors:
        return 0.3, 0.05
    clip = 6.0 * median(errors) + 1e-9
    noise = _SPREAD_OF_MEAN_ERROR * fmean(min(error, clip) for error in errors)
    return min(max(noise, _LEAST_NOISE), _LARGEST_NOISE), fmean(spreads)


def _idle_ratio(active: Sequence[DayCosts], shape: tuple[float, ...]) -> float:
    pairs = [(w, usd) for day in active[-28:] for w, usd in zip(day.week_hours, day.usd, strict=True)]
    busy = [usd for week_hour, usd in pairs if shape[week_hour] > 0.0003]
    return (busy.count(0.0) + 0.2) / (len(busy) + 1.0) if busy else _IDLE


@dataclass(frozen=True, slots=True)
class _Trend:
    level_usd: float
    growth: float
    level_noise: float
    noise: float
    residuals: dict[int, float]


def _trend(levels: Sequence[tuple[int, float, float]], reference_day: int) -> _Trend:
    """Robust regression of the logarithm of daily levels on time."""
    xs = [float(day - reference_day) for day, _, _ in levels]
    ys = [y for _, y, _ in levels]
    base = [share * 0.5 ** (-x / _HALF_LIFE_DAYS) for (_, _, share), x in zip(levels, xs, strict=True)]
    weights = base
    intercept = slope = error = noise = 0.0
    for _ in range(3):
        intercept, slope, error, noise = _line_fit(xs, ys, weights)
        residuals = [y - intercept - slope * x for x, y in zip(xs, ys, strict=True)]
        scale = 1.4826 * median([abs(r) for r in residuals]) + 1e-4
        weights = [
            w * min(1.0, 2.0 * scale / max(abs(r), 1e-12)) ** 2 for w, r in zip(base, residuals, strict=True)
        ]
        noise = scale if len(levels) < 5 else min(noise, 1.5 * scale)
    shift = _recent_shift(residuals[-_RECENT_DAYS:], noise) if len(levels) >= 10 else 0.0
    noise = min(max(noise, _LEAST_NOISE), _LARGEST_NOISE)
    found = {day: r for (day, _, _), r in zip(levels, residuals, strict=True)}
    level = exp(intercept + shift + 0.5 * min(noise, 0.6) ** 2)
    return _Trend(level, slope, error + abs(shift) * 0.3, noise, found)


def _recent_shift(recent: Sequence[float], noise: float) -> float:
    """How far the level has moved in the last days, as far as that is no chance.

    A move beyond _LARGEST_SHIFT is left to the search for shifts by the hour, which also sees it end.
    """
    middle = median(recent)
    z = middle / max(noise / sqrt(len(recent)), 1e-4)
    if abs(z) <= 2.5 or abs(middle) > _LARGEST_SHIFT:
        return 0.0
    return middle * (1.0 - 6.0 / (z * z))


def _line_fit(
    xs: Sequence[float], ys: Sequence[float], weights: Sequence[float]
) -> tuple[float, float, float, float]:
    """Intercept, slope (drawn to 0 as far as chance explains it), error of the intercept, noise."""
    whole = sum(weights)
    middle_x = sum(w * x for w, x in zip(weights, xs, strict=True)) / whole
    middle_y = sum(w * y for w, y in zip(weights, ys, strict=True)) / whole
    spread = sum(w * (x - middle_x) ** 2 for w, x in zip(weights, xs, strict=True))
    count = whole * whole / sum(w * w for w in weights)
    if len(xs) < 5 or spread <= 0.0:
        noise = sqrt(sum(w * (y - middle_y) ** 2 for w, y in zip(weights, ys, strict=True)) / whole)
        return middle_y, 0.0, max(noise, 0.05) / sqrt(count), max(noise, 0.05)
    slope = sum(w * (x - middle_x) * (y - middle_y) for w, x, y in zip(weights, xs, ys, strict=True)) / spread
    squares = sum(
        w * (y - middle_y - slope * (x - middle_x)) ** 2 for w, x, y in zip(weights, xs, ys, strict=True)
    )
    noise = sqrt(squares / whole * count / max(count - 2.0, 1.0))
    variance = noise * noise / count * whole / spread
    if slope:
        slope *= max(0.0, 1.0 - variance / (slope * slope))
    error = sqrt(noise * noise / count + variance * middle_x * middle_x * 0.5)
    return middle_y - slope * middle_x, slope, error, noise


def _active_ratio(whole: Sequence[DayCosts], active: Sequence[DayCosts]) -> tuple[float, float]:
    """Shares of days with use among working days and weekends, never quite 0 or 1."""
    seen = {day.day for day in active}
    found: list[float] = []
    for weekend in (False, True):
        days = [day.day in seen for day in whole if (day.week_hours[0] // 24 >= 5) == weekend]
        found.append(
            (sum(days) + 0.2) / (len(days) + 0.4) if days else (len(seen) + 0.2) / (len(whole) + 0.4)
        )
    return found[0], found[1]
