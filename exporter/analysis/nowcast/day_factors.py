"""Whether a day runs above or below what is expected of it, from its hours that are known.

Lines of one project move together as far as they did in the past (one traffic drives them all), so that a
service whose bill is late borrows from those whose bill is early.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Final

from exporter.analysis.nowcast.season import Season

_STEADY: Final = 0.01
"""Lines whose days stray by less than this do not move with the others."""

_LEAST_DAYS: Final = 10
_MOST_COMMON: Final = 0.95


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a line's day."""

    usd: float
    expected_usd: float
    """For the same hours."""
    noise: float
    """Standard deviation of the logarithm of usd / expected_usd that the noise of the hours explains."""


@dataclass(frozen=True, slots=True)
class DayFactor:
    """By how much to multiply what is expected of the day's other hours."""

    factor: float
    noise: float
    """Standard deviation of its logarithm."""


def common_ratio(seasons: Iterable[Season]) -> float:
    """Share of the variance of days, from 0 to _MOST_COMMON, that is common to the lines of a project."""
    by_day: dict[int, list[tuple[float, float]]] = {}
    for season in seasons:
        if season.day_noise > _STEADY:
            weight = min(season.day_noise / season.residual_noise, 1.0)
            for day, residual in season.day_residuals.items():
                z = min(max(residual / season.residual_noise, -3.0), 3.0)
                by_day.setdefault(day, []).append((weight * z, weight * weight))
    # The product of two lines' residuals of one day has the share as its mean, less what their hours blur.
    products = weights = 0.0
    for pairs in by_day.values():
        products += sum(z for z, _ in pairs) ** 2 - sum(z * z for z, _ in pairs)
        weights += sum(w for _, w in pairs) ** 2 - sum(w * w for _, w in pairs)
    if len(by_day) < _LEAST_DAYS or weights <= 0.0:
        return 0.0
    return min(max(products / weights, 0.0), _MOST_COMMON)


def day_factors(
    seasons: Mapping[int, Season], observed: Mapping[int, Observed], common: float
) -> dict[int, DayFactor]:
    """Factor of each line of one project for one day, from what is known of any of them."""
    precision = pull = 0.0
    for line, seen in observed.items():
        season = seasons[line]
        if seen.usd <= 0.0 or seen.expected_usd <= 0.0 or season.day_noise <= _STEADY:
            continue
        z = _deviation(seen, season) / season.day_noise
        own = (seen.noise**2 + season.level_noise**2) / season.day_noise**2
        weight = 1.0 / (1.0 - common + own)
        precision += weight
        pull += weight * min(max(z, -4.0), 4.0)
    common_sd = common**0.5
    z_common = common_sd * pull / (1.0 + common * precision)
    left = 1.0 / (1.0 + common * precision)
    return {
        line: _factor(season, observed.get(line), z_common, left, common) for line, season in seasons.items()
    }


def _deviation(seen: Observed, season: Season) -> float:
    """Logarithm of the day's factor that the known hours show; its mean over days is 0."""
    return log(seen.usd / seen.expected_usd) + 0.5 * (seen.noise**2 + min(season.day_noise**2, 0.36))


def _factor(season: Season, seen: Observed | None, z_common: float, left: float, common: float) -> DayFactor:
    variance = season.day_noise**2
    mean = common**0.5 * z_common * season.day_noise
    own = (1.0 - common + common * left) * variance + season.level_noise**2
    if seen is not None and seen.usd > 0.0 and seen.expected_usd > 0.0:
        gain = own / (own + seen.noise**2 + 1e-12)
        deviation = min(max(_deviation(seen, season), mean - 2.0), mean + 2.0)
        mean += gain * (deviation - mean)
        own *= 1.0 - gain
    # The level is a mean over days, hence the halves of the variances.
    return DayFactor(exp(mean - 0.5 * min(variance, 0.36) + 0.5 * min(own, 0.36)), own**0.5)
