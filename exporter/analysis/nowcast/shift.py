"""Levels that have just changed: a step, a holiday, an incident, noticed from its own first hours.

For some windows up to now, what has arrived is held against the level from before the window. A change is
likelier for each line the more lines of the account have changed (empirical Bayes).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats
from exporter.analysis.nowcast.level import levels

_BEGAN: Final = (6, 12, 24, 36, 48, 72)
WINDOWS: Final = (*((hours, 0) for hours in _BEGAN), (36, 12), (48, 24), (72, 48))
"""How many hours ago a change may have begun and ended; 0: it goes on. What is over has lasted a day."""

_USUAL_SIZE: Final = 0.5
"""Standard deviation of the logarithm of a change."""

_LEVEL_ERROR: Final = 0.03
"""Relative deviation of a level from what follows, beside the noise: what steady companies' levels have."""

_SELDOM: Final = 0.004
_STAYS: Final = 0.8
_STAYS_FOR_ALL: Final = 0.3
"""How likely a change lasts longer than a day: of one line, and of all lines at once."""

_LEAST_HOURS: Final = 48
_LEAST_DUE: Final = 0.8
_ROUNDS: Final = 4
_CERTAIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class Shifts:
    """Lines x windows."""

    windows: tuple[tuple[int, int], ...]
    """Those of WINDOWS before which enough is known."""
    chance: Floats
    """How likely the level changed for the window."""
    level: Floats
    """The level within it, if it did."""
    before: Floats
    """The level before it, grown to now."""
    stays: float
    """How likely a change that goes on lasts longer than a day."""


def find_shifts(cost: Floats, expected: Floats, noise: Floats, growth: Floats, slow: Floats) -> Shifts:
    """Look for changes in the hours up to now; lines x hours. `noise`: its relative variance."""
    hours = cost.shape[1]
    windows = tuple(window for window in WINDOWS if hours - window[0] >= _LEAST_HOURS)
    if not windows:
        none = np.zeros((len(cost), 0))
        return Shifts((), none, none, none, _STAYS)
    running = expected.any(axis=1)
    begins = sorted({begin for begin, _ in windows})
    earlier = dict(zip(begins, levels(cost, expected, growth, slow, begins), strict=True))
    level = np.stack(
        [earlier[begin] * np.exp(growth * (begin - end) / 2.0) for begin, end in windows], axis=1
    )
    cost, expected, noise = (each[:, -begins[-1] :] for each in (cost, expected, noise))
    within, after = _in_windows(windows, cost, expected, expected**2 * noise)
    changed, since = _changed(within, level)
    # If it is over, what has come since then must not have changed as well.
    again, _ = _changed(after, level)
    evidence = np.nan_to_num(changed, nan=-_CERTAIN) - np.nan_to_num(again) - np.log(len(windows))
    over = np.array([end > 0 for _, end in windows])
    prior, stays = _SELDOM, _STAYS
    for _ in range(_ROUNDS):
        of_each = evidence + np.log(2.0 * prior * np.where(over, 1.0 - stays, stays))
        whole = np.logaddexp(np.logaddexp.reduce(of_each, axis=1, keepdims=True), np.log(1.0 - prior))
        chance = np.exp(of_each - whole)
        share = float(chance[running].sum(axis=1).mean()) if running.any() else 0.0
        prior = min(max(share, _SELDOM), 0.5)
        stays = _STAYS - share * (_STAYS - _STAYS_FOR_ALL)
    before = np.stack([earlier[begin] * np.exp(growth * begin) for begin, _ in windows], axis=1)
    return Shifts(windows, chance, since, before, stays)


def _in_windows(windows: tuple[tuple[int, int], ...], *hourly: Floats) -> tuple[list[Floats], list[Floats]]:
    """Sum lines x hours over each window, and over what comes after it: lines x windows.

    The hours begin with the first window.
    """
    cuts = sorted({hours for window in windows for hours in window} | {0}, reverse=True)
    parts = list(itertools.pairwise(cuts))
    within = np.array([[begin >= more and end <= less for begin, end in windows] for more, less in parts])
    after = np.array([[end >= more for _, end in windows] for more, _ in parts])
    starts = [cuts[0] - more for more, _ in parts]
    sums = [np.add.reduceat(values, starts, axis=1) for values in hourly]
    return [each @ within for each in sums], [each @ after for each in sums]


def _changed(sums: Sequence[Floats], level: Floats) -> tuple[Floats, Floats]:
    """Log odds that the level differs in some hours (NaN: nothing is known of them), and what it then is.

    Of sums over the hours: cost, what was expected, and the variance of that.
    """
    came, due_hours, squares = sums
    due = due_hours * level
    known = (due > 0.0) & (due_hours > _LEAST_DUE)
    ratio = np.log(np.where(known, np.maximum(came, 1e-3 * due), 1.0) / np.where(known, due, 1.0))
    variance = squares / np.maximum(due_hours**2, 1e-12) + _LEVEL_ERROR**2
    wide = variance + _USUAL_SIZE**2
    odds = 0.5 * (ratio**2 / variance - ratio**2 / wide + np.log(variance / wide))
    return np.where(known, odds, np.nan), level * np.exp(ratio * _USUAL_SIZE**2 / wide)
