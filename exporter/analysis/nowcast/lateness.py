"""How late a bill is: chain-ladder development by age, per line, with credibility from service and account.

For each delay d the chain-ladder method (Mack, 1993) takes, of all hours old enough to show it, the share of
what has arrived by d that arrived at d. It uses hours that are still open, so a bill that becomes later
shows at once. A line's share is blended with its service's, and that with the account's (Bühlmann).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, log, sqrt
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats, Integers, KnownCosts

AGES: Final = 168
"""What arrives later than so many hours after its use is a restatement."""

_LEARNT_HOURS: Final = 28 * 24
_HALF_LIFE_HOURS: Final = 10 * 24
_CREDIBILITY: Final = 12.0
"""A line's own experience counts as much as its service's once it has so many hours of it."""

_SETTLED_HOURS: Final = 72
"""By then nearly all pieces of an hour have come."""

_MOST_ROWS: Final = 12
_HARDLY_MORE: Final = 0.05
"""So many rows an hour more than a whole number are those of a few hours."""

_UNSEEN: Final = (6.0, 0.6)
"""Median (hours) and spread of a lognormal lateness, for an account of which nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Lines x ages from 0 to AGES hours; at age a all with a delay below a has arrived."""

    arrived: Floats
    """Share of the used hours of which at least a part has arrived."""
    part: Floats
    """Of those, the mean share of the final cost that has arrived."""
    pieces: Floats
    """Lines: in how many rows of like size the cost of an hour arrives."""
    rows: Floats
    """Lines: in how many rows of any size; at most _MOST_ROWS."""

    def at(self, ages: Integers) -> tuple[Floats, Floats]:
        """Return both for some ages; hours to come have age 0."""
        within = np.clip(ages, 0, AGES)
        return self.arrived[:, within], self.part[:, within]


def learn_lateness(known: KnownCosts) -> Lateness:
    """Learn from the cells of the last four weeks."""
    cells, as_of = known.cells, known.as_of
    stop = int(np.searchsorted(cells.export, as_of))
    usage, line = cells.usage[:stop], cells.line[:stop]
    recent = usage >= np.maximum(as_of - _LEARNT_HOURS, known.exporting_since[known.service_of[line]])
    recent &= (usage < as_of) & (cells.gross[:stop] > 0) & known.regular[line]
    usage, line = usage[recent], line[recent]
    delay = np.clip(cells.export[:stop][recent] - usage, 0, AGES - 1)
    at = usage - known.first_hour
    weight = 0.5 ** ((as_of - usage) / _HALF_LIFE_HOURS)
    share = cells.gross[:stop][recent] / 1e9 / np.maximum(known.gross[line, at], 1e-12)
    ages = np.minimum(as_of - usage, AGES)
    money = _developed(known, line, delay, ages, weight * share)
    first = delay == known.delay[line, at]
    _, index = np.unique(line[first] * (known.end + 1) + usage[first], return_index=True)
    once = np.flatnonzero(first)[index]
    count = _developed(known, line[once], delay[once], ages[once], weight[once])
    old = ages >= _SETTLED_HOURS
    squares = np.bincount(line[old], (weight * share**2)[old], len(known.cells.lines))
    hours = np.bincount(line[once], (weight * (ages >= _SETTLED_HOURS))[once], len(known.cells.lines))
    each = np.bincount(line[old], weight[old], len(known.cells.lines))
    return Lateness(
        count,
        np.clip(money / np.maximum(count, 1e-6), 0.02, 1.0),
        np.maximum((hours + 0.1) / (squares + 0.1), 1.0),
        np.clip(np.ceil((each + 0.1) / (hours + 0.1) - _HARDLY_MORE), 1.0, _MOST_ROWS),
    )


def _developed(known: KnownCosts, line: Integers, delay: Integers, ages: Integers, amount: Floats) -> Floats:
    """Share that has arrived by age, lines x (AGES + 1), by the chain-ladder method."""
    lines, services = len(known.cells.lines), len(known.services)
    size = lines * (AGES + 1)
    come, gone = (
        np.bincount(line * (AGES + 1) + at, amount, size).reshape(lines, AGES + 1).astype(np.float64)
        for at in (delay, ages)
    )
    by_then = np.cumsum(come - gone, axis=1)
    come, by_then = come[:, :AGES], np.maximum(by_then[:, :AGES], 1e-12)
    of_service = np.zeros((services, AGES)), np.zeros((services, AGES))
    for sums, values in zip(of_service, (come, by_then), strict=True):
        np.add.at(sums, known.service_of, values)
    account = _blend(come.sum(axis=0), by_then.sum(axis=0), _unseen(), 2.0)
    service = _blend(*of_service, account, _CREDIBILITY)
    shares = _blend(come, by_then, service[known.service_of], _CREDIBILITY)
    # From the last delay back: what has arrived by d is what has arrived by d + 1 without that of d + 1.
    kept = np.cumprod(1.0 - np.minimum(shares, 0.999)[:, ::-1], axis=1)[:, ::-1]
    return np.hstack([np.zeros((lines, 1)), kept[:, 1:], np.ones((lines, 1))])


def _blend(come: Floats, by_then: Floats, prior: Floats, credibility: float) -> Floats:
    found: Floats = (come + credibility * prior) / (by_then + credibility)
    return found


def _unseen() -> Floats:
    median, spread = _UNSEEN
    arrived = [
        0.5 * (1.0 + erf(log(max(hours, 0.01) / median) / (spread * sqrt(2.0)))) for hours in range(AGES + 1)
    ]
    return np.diff(arrived) / np.maximum(arrived[1:], 1e-12)
