"""What is known of each hour, and how much of a cost could be known of it: the two sides of every ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.analysis.nowcast.known_costs import NEVER, Floats, KnownCosts
from exporter.analysis.nowcast.lateness import Lateness

Flags = NDArray[np.bool_]

_LARGE: Final = 5.0
_RARE: Final = 0.05
"""An hour is out of the line's usual running above _LARGE times what all but _RARE of its hours cost."""

_SILENT_HOURS: Final = 120
"""A bill that has been silent for longer is taken at its word."""

LEAST_HOURS: Final = 6
"""A line runs once it was used in so many hours."""

_LEAST_DAYS: Final = 3
_DAY_LONG_HOURS: Final = 20
LONG_HOURS: Final = 40
"""A charge for longer than this, as for a month, is none of a running line."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Lines x hours from `begin` on, as known at an hour. Gross US dollars."""

    begin: int
    cost: Floats
    """What has arrived, of the usual running."""
    exposure: Floats
    """Share of the cost that the season expects of the hour that can be expected to have arrived."""
    arrived: Flags
    once: Flags
    """Hours whose charge is no part of the usual running."""
    to_come: Floats
    """How likely a cost that will come has not come, where nothing has arrived."""
    part: Floats
    """Share of the final cost that has arrived, where something has."""


def observe(
    known: KnownCosts, cap: Floats, lateness: Lateness, used: Floats | float, span: tuple[int, int]
) -> Observed:
    """Lay out the hours of a span, the last excluded; `used` is how likely an hour is used at all.

    The exposure of an hour of which nothing has arrived is such that sums of costs over sums of exposures
    are unbiased at every age: with s = share not arrived yet and p = used, E[cost] = season p (1 - s) part in
    all, of which the hours that have arrived stand for season part each.
    """
    begin, end = span
    ages = known.as_of - np.arange(begin, end)
    cost = _columns(known.gross, begin - known.first_hour, end - begin, 0.0)
    arrived = _columns(known.delay, begin - known.first_hour, end - begin, NEVER) != NEVER
    came, part = lateness.at(ages)
    # Where nothing at all of an hour or a later one has arrived, the bill is late, and nothing has stopped.
    newest = begin + int(np.flatnonzero(arrived.any(axis=0))[-1]) if arrived.any() else begin - 1
    if known.as_of - newest < _SILENT_HOURS:
        came = np.where(np.arange(begin, end)[None, :] > newest, 0.0, came)
    to_come = 1.0 - came
    idle = part * came * (1.0 - used) / np.maximum((1.0 - used) + used * to_come, 1e-9)
    once = single_charges(cost, cap)
    once |= _columns(known.span, begin - known.first_hour, end - begin, 0.0) > LONG_HOURS
    unusable = once | (ages[None, :] <= 0) | _before_first(arrived)
    exposure = np.where(unusable, 0.0, np.where(arrived, part, idle))
    return Observed(begin, np.where(unusable, 0.0, cost), exposure, arrived, once, to_come, part)


def usual_caps(known: KnownCosts, begin: int) -> Floats:
    """Lines: what an hour costs at most in usual running, from the hours since `begin`; infinite if unknown.

    The largest hour plays no part, so that one charge among few cannot speak for itself.
    """
    low, high = max(begin - known.first_hour, 0), known.as_of - known.first_hour
    cost = np.sort(known.gross[:, low:high], axis=1)
    if not cost.size:
        return np.full(len(cost), np.inf)
    count = (cost > 0.0).sum(axis=1)
    rank = cost.shape[1] - 2 - np.ceil(np.maximum(count - 1, 0) * _RARE).astype(np.int64)
    cap = _LARGE * np.take_along_axis(cost, np.maximum(rank, 0)[:, None], axis=1)[:, 0]
    return np.where((count >= 3) & (cap > 0.0), cap, np.inf).astype(np.float64)


def running(known: KnownCosts, observed: Observed) -> Flags:
    """Lines that run: used in several hours of late, or on several days."""
    past = max(known.as_of - observed.begin, 0)
    used = (observed.arrived & ~observed.once)[:, :past]
    low = observed.begin - known.first_hour
    hours = (used & (known.span[:, low : low + past] < _DAY_LONG_HOURS)).sum(axis=1)
    whole = min(past, 168) // 24 * 24
    days = used[:, past - whole :].reshape(len(used), -1, 24).any(axis=2).sum(axis=1)
    found: Flags = (days >= _LEAST_DAYS) | (hours >= LEAST_HOURS)
    return found


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


def _before_first(arrived: Flags) -> Flags:
    first = np.where(arrived.any(axis=1), arrived.argmax(axis=1), arrived.shape[1])
    found: Flags = np.arange(arrived.shape[1])[None, :] < first[:, None]
    return found


def _columns(values: NDArray[np.generic], low: int, count: int, fill: float) -> Floats:
    """Some columns as floats; those beyond the last are filled."""
    inside = values[:, low : low + count]
    if inside.shape[1] == count:
        return inside.astype(np.float64)
    found = np.full((len(values), count), fill, np.float64)
    found[:, : inside.shape[1]] = inside
    return found
