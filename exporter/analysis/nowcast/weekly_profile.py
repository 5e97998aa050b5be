"""How a line's cost is spread over the hours of the week, from its whole days.

A weekday has a pattern of its own only as far as it differs from its half of the week by more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from operator import mul
from statistics import fmean


@dataclass(frozen=True, slots=True)
class DayCosts:
    """One billing day of one line; `usd` has None where an hour is not known yet."""

    day: int
    month_days: int
    """Days of its billing month."""
    week_hours: Sequence[int]
    usd: Sequence[float | None]


def weekly_shape(active: Sequence[DayCosts], totals: Mapping[int, float]) -> tuple[float, ...]:
    """Share of a mean day's cost in each hour of the week, from days with use and their total cost."""
    by_weekday: list[list[DayCosts]] = [[] for _ in range(7)]
    for day in active:
        by_weekday[day.week_hours[0] // 24].append(day)
    halves = (by_weekday[:5], by_weekday[5:])
    everyone = day_profile(active, totals)
    profiles: list[tuple[float, ...]] = []
    weights: list[float] = []
    for half in halves:
        count = sum(map(len, half))
        own = _weekday_profiles(half, totals, everyone, count)
        profiles.extend(own)
        weights.extend(_weekday_weights(half, totals))
    mean = fmean(weights)
    return tuple(w / mean * share for w, profile in zip(weights, profiles, strict=True) for share in profile)


def day_profile(days: Sequence[DayCosts], totals: Mapping[int, float]) -> tuple[float, ...]:
    """Share of a day's cost in each of its 24 hours, sum 1; extreme days are pulled in."""
    columns = _columns(days, totals)
    means = [_winsorised_mean(column) if column else 1.0 / 24.0 for column in columns]
    whole = sum(means)
    return tuple(mean / whole for mean in means) if whole > 0.0 else (1.0 / 24.0,) * 24


def _columns(days: Sequence[DayCosts], totals: Mapping[int, float]) -> list[list[float]]:
    """Shares of their day that each hour of the clock had. Every hour of the days is known."""
    usual: list[list[float]] = []
    odd: list[tuple[int, float]] = []
    for day in days:
        share = 1.0 / totals[day.day]
        if len(day.usd) == 24:
            usual.append([usd * share for usd in day.usd if usd is not None])
        else:
            hours = zip(day.week_hours, day.usd, strict=True)
            odd.extend((week_hour % 24, usd * share) for week_hour, usd in hours if usd is not None)
    columns = [list(column) for column in zip(*usual, strict=True)] or [[] for _ in range(24)]
    for clock, value in odd:
        columns[clock].append(value)
    return columns


def _winsorised_mean(values: list[float]) -> float:
    cut = (len(values) + 4) // 12
    if not cut:
        return fmean(values)
    ordered = sorted(values)
    low, high = ordered[cut], ordered[-1 - cut]
    return (low * cut + high * cut + sum(ordered[cut : len(ordered) - cut])) / len(ordered)


def _weekday_profiles(
    half: Sequence[Sequence[DayCosts]], totals: Mapping[int, float], everyone: tuple[float, ...], count: int
) -> list[tuple[float, ...]]:
    """Profile of each weekday, as far as it differs from its half of the week by more than chance."""
    if not count:
        return [everyone] * len(half)
    own = day_profile([day for weekday in half for day in weekday], totals)
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
        means = [fsum(sample) / len(sample) for sample in samples]
        squares = sum(
            max(sum(map(mul, sample, sample)) - len(sample) * m * m, 0.0)
            for sample, m in zip(samples, means, strict=True)
        )
        count = sum(map(len, samples))
        within = squares / (count - len(samples)) * len(samples) / count
        middle = fsum(means) / len(means)
        between_total += sum((m - middle) ** 2 for m in means) / (len(means) - 1)
        within_total += within
    if between_total <= 0.0:
        return 0.0
    return max(0.0, 1.0 - within_total / between_total)


def _weekday_weights(half: Sequence[Sequence[DayCosts]], totals: Mapping[int, float]) -> list[float]:
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
