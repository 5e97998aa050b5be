"""What is known of each hour, and how much of a cost could be known of it: the two sides of every ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.analysis.nowcast.kinds_of_charges import DAY_LONG_HOURS
from exporter.analysis.nowcast.known_costs import LEAST_HOURS, NEVER, Flags, Floats, Integers, KnownCosts
from exporter.analysis.nowcast.lateness import Lateness
from exporter.analysis.nowcast.single_charges import single_charges
from exporter.core.cost_cells import LONG_HOURS

_SILENT_HOURS: Final = 120
"""A bill that has been silent for longer is taken at its word."""

_LEAST_DAYS: Final = 3
_ALIKE: Final = 3.0
_TAIL: Final = 0.003
_TAIL_HOURS: Final = 24.0
"""So large a share may be later than any known lateness tells, smaller by e with each day."""


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
    regular = arrived[known.regular].any(axis=0)
    newest = begin + int(np.flatnonzero(regular)[-1]) if regular.any() else begin - 1
    if known.as_of - newest < _SILENT_HOURS:
        came = np.where(np.arange(begin, end)[None, :] > newest, 0.0, came)
    to_come = _to_come(came, arrived, ages)
    idle = part * came * (1.0 - used) / np.maximum((1.0 - used) + used * to_come, 1e-9)
    once = single_charges(cost, cap)
    once |= _columns(known.span, begin - known.first_hour, end - begin, 0.0) > LONG_HOURS
    unusable = once | (ages[None, :] <= 0) | _before_first(arrived)
    exposure = np.where(unusable, 0.0, np.where(arrived, part, idle))
    return Observed(begin, np.where(unusable, 0.0, cost), exposure, arrived, once, to_come, part)


def running(known: KnownCosts, observed: Observed) -> Flags:
    """Lines that run: used in several hours of late, or for like amounts on several days in a row."""
    past = max(known.as_of - observed.begin, 0)
    if not known.cells.lines:
        return np.zeros(0, np.bool_)
    used = (observed.arrived & ~observed.once)[:, :past]
    low = observed.begin - known.first_hour
    hours = (used & (known.span[:, low : low + past] < DAY_LONG_HOURS)).sum(axis=1)
    whole = min(past, 168) // 24 * 24
    cost = np.where(used, observed.cost[:, :past], 0.0)[:, past - whole :]
    daily = cost.reshape(len(used), -1, 24).sum(axis=2)
    found: Flags = hours >= LEAST_HOURS
    for first in range(daily.shape[1] - _LEAST_DAYS + 1):
        days = daily[:, first : first + _LEAST_DAYS]
        low, high = days.min(axis=1), days.max(axis=1)
        found |= (low > 0.0) & (high <= _ALIKE * low)
    return found


def only(lines: Flags, seen: Observed) -> Observed:
    """The same, with nothing known of the other lines: a fee says nothing of any season."""
    return replace(
        seen,
        cost=np.where(lines[:, None], seen.cost, 0.0),
        exposure=np.where(lines[:, None], seen.exposure, 0.0),
    )


def _to_come(came: Floats, arrived: Flags, ages: Integers) -> Floats:
    """How likely an hour of which nothing has arrived is late, and not unused.

    An hour that is missing between two that have come is late rather than unused: what has come so far tells
    little of how long the tail of the lateness is.
    """
    between = np.zeros_like(arrived)
    between[:, 1:-1] = arrived[:, :-2] & arrived[:, 2:]
    tail = _TAIL * np.exp(-np.maximum(ages, 0) / _TAIL_HOURS)
    found: Floats = np.maximum(1.0 - came, np.where(between, tail, 0.0))
    return found


def _before_first(arrived: Flags) -> Flags:
    if not arrived.size:
        return arrived
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
