"""Charges that are no part of how a line usually runs: a fee, a refund, a correction booked on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Flags, Floats

_RARE: Final = 0.05
_LEAST_LARGE: Final = 2.0
_MOST_LARGE: Final = 5.0
"""An hour is out of the line's usual running above a few times what all but _RARE of its hours cost: as many
times as that is above the middle hour, within these limits. So a steady line soon shows what is odd."""


def usual_caps(cost: Floats) -> Floats:
    """Lines: what an hour costs at most in usual running; infinite where too little is known.

    The largest hour plays no part, so that one charge among few cannot speak for itself.
    """
    cost = np.sort(cost, axis=1)
    if not cost.size:
        return np.full(len(cost), np.inf)
    count = (cost > 0.0).sum(axis=1)
    above = [np.ceil(np.maximum(count - 1, 0) * share).astype(np.int64) for share in (_RARE, 0.5)]
    ranks = np.maximum(cost.shape[1] - 2 - np.stack(above, axis=1), 0)
    high, middle = np.take_along_axis(cost, ranks, axis=1).T
    spread = np.divide(high, middle, out=np.ones_like(high), where=middle > 0.0)
    cap = high * np.clip(spread, _LEAST_LARGE, _MOST_LARGE)
    return np.where((count >= 3) & (cap > 0.0), cap, np.inf).astype(np.float64)


def single_charges(cost: Floats, cap: Floats) -> Flags:
    """Hours far beyond what the line costs else, unlike their neighbours in time and by clock; refunds."""
    large = np.abs(cost) > cap[:, None]
    alone = large.copy()
    if large.any():
        for shift in (1, 24, 168):
            if shift < cost.shape[1]:
                alone[:, shift:] &= ~large[:, :-shift]
                alone[:, :-shift] &= ~large[:, shift:]
    found: Flags = alone | (cost < 0.0)
    return found


def without_single_charges(hourly_usd: Mapping[int, float]) -> dict[int, float]:
    """Return the costs of some hours without those that are single charges."""
    if not hourly_usd:
        return {}
    first, last = min(hourly_usd), max(hourly_usd)
    cost = np.zeros((1, last - first + 1))
    cost[0, np.array(list(hourly_usd)) - first] = list(hourly_usd.values())
    single = single_charges(cost, usual_caps(cost))[0]
    return {hour: usd for hour, usd in hourly_usd.items() if not single[hour - first]}
