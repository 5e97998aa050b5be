"""The level of each line: how it grows, and how much it costs now beside its season.

Levels are ratios of sums (Cape Cod): what has arrived over what the season expects to have arrived, with
exponential forgetting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats

_FORGETTING_HOURS: Final = 72.0

MEMORY_HOURS: Final = 15 * 24
"""Older hours play no part in a level, but for the slow one."""

_NOTHING: Final = 1e-3
_SMALL: Final = 0.2
"""Share of the mean hour; noise is taken as relative above, as absolute below it."""

_WEEKS: Final = 3
_MOST_GROWTH: Final = 0.05


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


def levels(
    cost: Floats, expected: Floats, growth: Floats, slow: Floats, before: Sequence[int] = (0,)
) -> list[Floats]:
    """Levels of the lines, each so many hours before the end of the last column.

    `expected` is season times exposure. `slow` is the level where nothing recent is known.
    """
    cost, expected = cost[:, -MEMORY_HOURS:], expected[:, -MEMORY_HOURS:]
    age = np.arange(cost.shape[1], 0, -1) - 0.5
    decay = np.exp(-age / _FORGETTING_HOURS)
    # Every hour counts alike.
    even = 1.0 / (expected + _SMALL)
    came, due = cost * even * np.exp(np.clip(growth[:, None] * age, -1.0, 1.0)), expected * even
    least = (slow > 0.0).astype(np.float64)
    found: list[Floats] = []
    for hours in before:
        until = cost.shape[1] - hours
        kept = decay[:until] * np.exp(hours / _FORGETTING_HOURS)
        known = due[:, :until] @ kept + least
        sums = came[:, :until] @ kept * np.exp(-growth * hours) + least * slow
        found.append(np.divide(sums, known, out=np.zeros_like(sums), where=known > _NOTHING))
    return found
