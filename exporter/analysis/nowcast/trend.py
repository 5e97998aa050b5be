"""Level and growth of a line's daily cost, by robust regression of its logarithm on time.

A runaway of a few days moves neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import median
from typing import Final

_HALF_LIFE_DAYS: Final = 14.0
"""A day so long ago weighs half as much in level and growth."""
_RECENT_DAYS: Final = 3
_LARGEST_SHIFT: Final = 0.4

LEAST_NOISE: Final = 0.002
LARGEST_NOISE: Final = 1.5
"""Bounds of every estimated standard deviation of a logarithm."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a line's daily level stands and where it goes."""

    level_usd: float
    growth: float
    level_noise: float
    noise: float
    residuals: dict[int, float]


def daily_trend(levels: Sequence[tuple[int, float, float]], reference_day: int) -> Trend:
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
    noise = min(max(noise, LEAST_NOISE), LARGEST_NOISE)
    found = {day: r for (day, _, _), r in zip(levels, residuals, strict=True)}
    level = exp(intercept + shift + 0.5 * min(noise, 0.6) ** 2)
    return Trend(level, slope, error + abs(shift) * 0.3, noise, found)


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
