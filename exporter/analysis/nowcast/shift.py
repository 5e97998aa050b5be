"""Levels that have just changed: a step, a holiday, an incident, noticed from its own first hours.

For some windows up to now, what has arrived is held against the level from before the window. A change is
likelier for each line the more lines of the account have changed (empirical Bayes).
"""

from __future__ import annotations

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
    begins = sorted({begin for begin, _ in windows})
    earlier = dict(zip(begins, levels(cost, expected, growth, slow, begins), strict=True))
    odds, since = [], []
    for begin, end in windows:
        level = earlier[begin] * np.exp(growth * (begin - end) / 2.0)
        within, after = (
            _changed(cost[:, part], expected[:, part], noise[:, part], level)
            for part in (slice(hours - begin, hours - end), slice(hours - end, hours))
        )
        # If it is over, what has come since then must not have changed as well.
        odds.append(np.nan_to_num(within[0], nan=-_CERTAIN) - np.nan_to_num(after[0]))
        since.append(within[1])
    if not odds:
        none = np.zeros((len(cost), 0))
        return Shifts((), none, none, none, _STAYS)
    evidence = np.stack(odds, axis=1) - np.log(len(odds))
    running = expected.any(axis=1)
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
    return Shifts(windows, chance, np.stack(since, axis=1), before, stays)


def _changed(cost: Floats, expected: Floats, noise: Floats, level: Floats) -> tuple[Floats, Floats]:
    """Log odds that the level differs in some hours (NaN: nothing is known of them), and what it then is."""
    due_hours = expected.sum(axis=1)
    came, due = cost.sum(axis=1), due_hours * level
    known = (due > 0.0) & (due_hours > _LEAST_DUE)
    ratio = np.log(np.where(known, np.maximum(came, 1e-3 * due), 1.0) / np.where(known, due, 1.0))
    # Of a sum of hours, each with its own.
    squares = (expected**2 * noise).sum(axis=1)
    variance = squares / np.maximum(due_hours**2, 1e-12) + _LEVEL_ERROR**2
    wide = variance + _USUAL_SIZE**2
    odds = 0.5 * (ratio**2 / variance - ratio**2 / wide + np.log(variance / wide))
    return np.where(known, odds, np.nan), level * np.exp(ratio * _USUAL_SIZE**2 / wide)
