"""Levels that have just changed: a step, a holiday, an incident, noticed from its own first hours.

For some spans before now, what has arrived is held against the level from before the span. A change is
likelier for each line the more lines of the account have changed (empirical Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats
from exporter.analysis.nowcast.level import levels

SPANS: Final = (6, 12, 24, 48)
_USUAL_SIZE: Final = 0.5
"""Standard deviation of the logarithm of a change."""

_LEVEL_ERROR: Final = 0.03
"""Relative deviation of a level from what follows, beside the noise: what steady companies' levels have."""

_SELDOM: Final = 0.004
_LEAST_HOURS: Final = 48
_ROUNDS: Final = 4
_CERTAIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class Shift:
    """Lines x SPANS."""

    chance: Floats
    """How likely the level changed when the span began."""
    level: Floats
    """The level since then, if it did."""


def find_shifts(cost: Floats, expected: Floats, noise: Floats, growth: Floats, slow: Floats) -> Shift:
    """Look for changes in the hours up to now; lines x hours. `noise`: its relative variance."""
    hours = cost.shape[1]
    odds, since = [], []
    spans = [span for span in SPANS if hours - span >= _LEAST_HOURS]
    earlier = levels(cost, expected, growth, slow, spans)
    for span, before in zip(spans, earlier, strict=True):
        begin = hours - span
        level = before * np.exp(growth * span / 2.0)
        came, due = cost[:, begin:].sum(axis=1), expected[:, begin:].sum(axis=1) * level
        due_hours = expected[:, begin:].sum(axis=1)
        usable = (due > 0.0) & (level > 0.0) & (due_hours > 0.8)
        ratio = np.log(
            np.maximum(came, 1e-3 * due) / np.where(due > 0.0, due, 1.0),
            where=due > 0.0,
            out=np.zeros_like(due),
        )
        # Of a sum of hours, each with its own.
        squares = (expected[:, begin:] ** 2 * noise[:, begin:]).sum(axis=1)
        variance = squares / np.maximum(due_hours**2, 1e-12) + _LEVEL_ERROR**2
        wide = variance + _USUAL_SIZE**2
        log_odds = 0.5 * (ratio**2 / variance - ratio**2 / wide + np.log(variance / wide))
        odds.append(np.where(usable, log_odds, -_CERTAIN))
        since.append(level * np.exp(ratio * _USUAL_SIZE**2 / wide))
    if not odds:
        return Shift(np.zeros((len(cost), 1)), np.zeros((len(cost), 1)))
    evidence = np.stack(odds, axis=1) - np.log(len(odds))
    running = expected.any(axis=1)
    prior = _SELDOM
    for _ in range(_ROUNDS):
        of_each = evidence + np.log(prior)
        whole = np.logaddexp(np.logaddexp.reduce(of_each, axis=1, keepdims=True), np.log(1.0 - prior))
        chance = np.exp(of_each - whole)
        share = float(chance[running].sum(axis=1).mean()) if running.any() else 0.0
        prior = min(max(share, _SELDOM), 0.5)
    return Shift(chance, np.stack(since, axis=1))
