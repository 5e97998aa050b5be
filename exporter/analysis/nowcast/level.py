"""The level of each line: how it grows, and how much it costs now beside its season.

Levels are ratios of sums (Cape Cod): what has arrived over what the season expects to have arrived, with
exponential forgetting. How fast to forget, and whether growth goes on, is weighed by past one-step errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats

FORGETTING_HOURS: Final = (6.0, 24.0, 72.0, 240.0)
MEMORY_HOURS: Final = 15 * 24
"""Older hours play no part in a level, but for the slow one."""

_SMALL: Final = 0.2
"""Share of the mean hour; noise is taken as relative above, as absolute below it."""

_CUTOFF_HOURS: Final = 6
_TESTED_HOURS: Final = 21 * 24
_AHEAD_HOURS: Final = 12
_WEEKS: Final = 3
_MOST_GROWTH: Final = 0.05


@dataclass(frozen=True, slots=True)
class LevelRule:
    """How the level of each line is made."""

    growth: Floats
    """Relative growth an hour, of each line."""
    weight: Floats
    """Lines x FORGETTING_HOURS."""
    error: Floats
    """Lines: relative size of a one-step error."""


def learn_growth(cost: Floats, exposure: Floats) -> Floats:
    """Growth an hour of each line, from costs and exposures of hours up to now (lines x hours).

    The median over days of how a day compares with that of a week before: one step or one odd day moves it
    little. Shrunk to the account's, and that to none, by how uncertain each is.
    """
    lines, hours = cost.shape
    days = hours // 24
    if days < 9:
        return np.zeros(lines)
    daily = cost[:, hours - 24 * days :].reshape(lines, days, 24).sum(axis=2)
    seen = exposure[:, hours - 24 * days :].reshape(lines, days, 24).sum(axis=2)
    per_day = np.where(seen >= 4.0, daily / np.maximum(seen, 1e-9), np.nan)
    later, earlier = per_day[:, 7:], per_day[:, :-7]
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.log(later / earlier)[:, -7 * _WEEKS :]
    change = np.where(np.isfinite(change), change, np.nan)
    known = np.isfinite(change).sum(axis=1)
    found, variance = np.zeros(lines), np.full(lines, 1.0)
    enough = known >= 4
    if not enough.any():
        return found
    middle = np.nanmedian(change[enough], axis=1)
    spread = 1.4826 * np.nanmedian(np.abs(change[enough] - middle[:, None]), axis=1)
    found[enough] = np.clip(middle / 7.0, -_MOST_GROWTH, _MOST_GROWTH)
    # Neighbouring comparisons share a day, and a week's noise is partly common.
    variance[enough] = (1.5 * spread / 7.0) ** 2 / np.maximum(known[enough] / 2.0, 1.0) + 1e-8
    center = float(np.median(found[enough]))
    apart = max(
        float(np.median((found[enough] - center) ** 2)) * 2.2 - float(np.median(variance[enough])), 1e-8
    )
    shrunk = (found * apart + center * variance) / (apart + variance)
    return np.where(enough, shrunk, center) / 24.0


def candidates(cost: Floats, expected: Floats, growth: Floats, slow: Floats) -> Floats:
    """Levels right after the last column by each rule; lines x candidates.

    `expected` is season times exposure. `slow` is the level where nothing recent is known.
    """
    return _levels(*_decayed(cost[:, -MEMORY_HOURS:], expected[:, -MEMORY_HOURS:], growth), slow)


def _decayed(cost: Floats, expected: Floats, growth: Floats) -> tuple[Floats, Floats]:
    """Sums by each rule of cost, grown to now, and of what was expected; every hour counts alike."""
    age = np.arange(cost.shape[1], 0, -1) - 0.5
    decay = np.exp(-age[:, None] / np.array(FORGETTING_HOURS))
    even = 1.0 / (expected + _SMALL)
    grown = np.exp(np.clip(growth[:, None] * age, -1.0, 1.0))
    return (cost * even * grown) @ decay, (expected * even) @ decay


def _levels(cost: Floats, mass: Floats, slow: Floats) -> Floats:
    least = (slow > 0.0)[:, None].astype(np.float64)
    found: Floats = (cost + least * slow[:, None]) / np.maximum(mass + least, 1e-9)
    return found


def learn_rule(cost: Floats, expected: Floats, growth: Floats, slow: Floats, lag: Floats) -> LevelRule:
    """Weigh the rules by their one-step errors over the last three weeks.

    A step is from what had arrived at a moment, `lag` hours before it, to the hours from then to half a day
    after it.
    """
    lines, hours = cost.shape
    late = int(np.clip(np.median(lag), 1, 36)) if lines else 1
    cutoffs = range(max(72, hours - _TESTED_HOURS), hours - late - _AHEAD_HOURS, _CUTOFF_HOURS)
    errors: list[Floats] = []
    whole, mass = (np.cumsum(np.pad(each, ((0, 0), (1, 0))), axis=1) for each in (cost, expected))
    sums: tuple[Floats, Floats] | None = None
    for cut in cutoffs:
        low, high = cut, min(cut + late + _AHEAD_HOURS, hours)
        if sums is None:
            back = max(0, cut - MEMORY_HOURS)
            sums = _decayed(cost[:, back:cut], expected[:, back:cut], growth)
        else:
            # The sums of six hours ago, a little more forgotten, and what is new.
            new = _decayed(cost[:, cut - _CUTOFF_HOURS : cut], expected[:, cut - _CUTOFF_HOURS : cut], growth)
            kept = np.exp(-_CUTOFF_HOURS / np.array(FORGETTING_HOURS))
            sums = sums[0] * kept * np.exp(growth * _CUTOFF_HOURS)[:, None] + new[0], sums[1] * kept + new[1]
        came, due = whole[:, high] - whole[:, low], mass[:, high] - mass[:, low]
        levels = _levels(*sums, slow) * np.exp(np.clip(growth * (high - low) / 2.0, -0.5, 0.5))[:, None]
        usable = (due > 0.25 * (high - low) * 0.5)[:, None] & (levels > 0.0)
        error = (came[:, None] - due[:, None] * levels) / np.maximum(
            due[:, None] * np.abs(slow[:, None]), 1e-9
        )
        errors.append(np.where(usable, np.clip(error, -2.0, 2.0), 0.0))
    if not errors:
        weight = np.zeros((lines, len(FORGETTING_HOURS)))
        weight[:, 1:3] = 0.5
        return LevelRule(growth, weight, np.full(lines, 0.1))
    squares = np.mean(np.stack(errors) ** 2, axis=0) + 1e-8
    score = np.log(squares)
    score = score - score.min(axis=1, keepdims=True)
    strength = 0.5 * len(errors) / 4.0
    combined = strength * (0.3 * score + 0.7 * score.mean(axis=0))
    weight = np.exp(-(combined - combined.min(axis=1, keepdims=True)))
    weight /= weight.sum(axis=1, keepdims=True)
    return LevelRule(growth, weight, np.sqrt((weight * squares).sum(axis=1)))
