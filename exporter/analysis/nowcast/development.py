"""How the cost of a usage hour fills up with its age: the development pattern of insurance mathematics.

Learnt per service from usage hours that have settled, and blended with the provider's pattern where thin.
A usage hour develops in three steps, each with a curve of its own: nothing of the service has arrived; some
of it has, but not this line; this line has arrived, but not in full.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import exp, sqrt
from typing import Final

from exporter.analysis.nowcast.cost_history import SETTLED_HOURS, CostHistory

_MEMORY_DAYS: Final = 30.0
"""An hour that settled so long ago weighs 1/e of one that settles now."""

_CREDIBILITY: Final = 72.0
"""So many usage hours of its own make a service's pattern weigh as much as the provider's."""

_TAIL_SHARE: Final = 0.03
_TAIL_HOURS: Final = 72.0
"""Bills come later than they ever did: of so many hours of usage it is never ruled out, for so long."""

_LEAST_KNOWN: Final = 0.01
_MOST_KNOWN: Final = 0.99
_PART_NOISE: Final = 0.25
"""Noise of the share that is known of an hour that lacks a part, where no such hour was seen."""

_AGES: Final = SETTLED_HOURS + 1


@dataclass(frozen=True, slots=True)
class Curves:
    """Development of a service; index: whole hours, the last value holds from there on."""

    unopened: tuple[float, ...]
    """Share of usage hours of which nothing has arrived, by age."""
    following: tuple[float, ...]
    """Share of lines that have not arrived, by hours since the first line of the usage hour did."""
    complete: tuple[float, ...]
    """Share of a line's gross cost that has arrived, by hours since its first part did."""
    partial: tuple[float, ...]
    """Share of a line's hours that have arrived in part only, by hours since the first part did."""
    part_known: tuple[float, ...]
    """Mean share that has arrived of those hours."""
    part_noise: tuple[float, ...]
    """Standard deviation of that share, relative to its mean."""
    credited: tuple[float, ...]
    """Share of a line's credits that has arrived, relative to `complete`, at most 1."""

    def credited_ratio(self, arrived_hours: int) -> float:
        """Share of the credits that has come so long after the first part of the cost."""
        return self.credited[min(max(arrived_hours, 0), SETTLED_HOURS)]

    def share_to_come(self, age: int, opened_hours: int | None) -> float:
        """How likely a cost that will come has not come yet, at that age of its hour.

        `opened_hours`: how long ago the first line of the service arrived for the hour; None if none has.
        """
        tail = _TAIL_SHARE * exp(-age / _TAIL_HOURS)
        if opened_hours is None:
            return max(self.unopened[min(max(age, 0), SETTLED_HOURS)], tail)
        return max(self.following[min(max(opened_hours, 0), SETTLED_HOURS)], 0.02 * tail)


class _Tally:
    """Weighted counts of delays and sums of arrived shares."""

    def __init__(self) -> None:
        self.opening = array("d", bytes(8 * _AGES))
        self.following = array("d", bytes(8 * _AGES))
        self.arriving = array("d", bytes(8 * _AGES))
        self.completing = array("d", bytes(8 * _AGES))
        self.parts = array("d", bytes(8 * _AGES))
        self.squares = array("d", bytes(8 * _AGES))
        self.crediting = array("d", bytes(8 * _AGES))


class Development:
    """Tallies of settled usage hours. It only moves forward, and sees no hour before it has settled."""

    def __init__(self, history: CostHistory) -> None:
        self._history = history
        self._order = array("i", sorted(range(len(history)), key=history.usage.__getitem__))
        self._next = 0
        self._since: dict[int, int] = {}
        self._weight = 1.0
        self._tallies = {service: _Tally() for _, service in history.channels}

    def advance(self, as_of: int) -> None:
        """Take in the usage hours that settled at `as_of` or before."""
        usage = self._history.usage
        end = len(self._order)
        while self._next < end and usage[self._order[self._next]] + SETTLED_HOURS <= as_of:
            hour, begin = usage[self._order[self._next]], self._next
            while self._next < end and usage[self._order[self._next]] == hour:
                self._next += 1
            self._take(hour, self._order[begin : self._next])

    def curves(self) -> dict[str, Curves]:
        """Curves of each service."""
        pooled = [_pooled(tallies) for tallies in zip(*map(_columns, self._tallies.values()), strict=True)]
        return {service: _curves(tally, pooled, self._weight) for service, tally in self._tallies.items()}

    def _take(self, hour: int, positions: Sequence[int]) -> None:
        history = self._history
        parts: dict[int, list[int]] = {}
        for position in positions:
            if history.export[position] < hour + SETTLED_HOURS:
                parts.setdefault(history.line[position], []).append(position)
        opened: dict[int, int] = {}
        for line, cells in parts.items():
            channel, export = history.channel_of[line], history.export[cells[0]]
            opened[channel] = min(opened.get(channel, export), export)
        for channel, export in opened.items():
            self._since.setdefault(channel, export)
        # Usage from before a channel's first export arrived all at once when the export was set up.
        weight = self._weight = exp((hour - history.first_hour) / (24.0 * _MEMORY_DAYS))
        fresh = {channel: at for channel, at in opened.items() if hour >= self._since[channel]}
        for channel, export in fresh.items():
            tally = self._tallies[history.channels[channel][1]]
            tally.opening[_delay(export, hour)] += weight
        for line, cells in parts.items():
            channel = history.channel_of[line]
            if channel in fresh:
                tally = self._tallies[history.channels[channel][1]]
                self._take_line(tally, cells, fresh[channel], weight)

    def _take_line(self, tally: _Tally, cells: list[int], opened: int, weight: float) -> None:
        history = self._history
        first = history.export[cells[0]]
        tally.following[_delay(first, opened)] += weight
        tally.completing[_delay(history.export[cells[-1]], first)] += weight
        for amounts, sums in ((history.gross, tally.arriving), (history.credit, tally.crediting)):
            final = sum(amounts[cell] for cell in cells)
            if all(amounts[cell] * final >= 0 for cell in cells) and final:
                # Every hour counts the same whatever its cost, so that one runaway hour decides nothing.
                for cell in cells:
                    sums[_delay(history.export[cell], first)] += weight * amounts[cell] / final
        self._take_parts(tally, cells, weight)

    def _take_parts(self, tally: _Tally, cells: list[int], weight: float) -> None:
        """Count the share that has arrived in each hour from the first part until the last."""
        history = self._history
        final = sum(history.gross[cell] for cell in cells)
        first, told = history.export[cells[0]], 0
        for cell, following in pairwise(cells):
            told += history.gross[cell]
            share = told / final if final else 0.0
            if share > 0.0:
                # Sums of differences: what holds from one part to the next is added up when it is read.
                for sums, value in ((tally.parts, weight * share), (tally.squares, weight * share * share)):
                    sums[_delay(history.export[cell], first)] += value
                    sums[_delay(history.export[following], first)] -= value


def _delay(later: int, earlier: int) -> int:
    """Hours between, bounded; a charge may be exported long before the hour that it is dated to."""
    return min(max(later - earlier, 0), SETTLED_HOURS)


def _part_moments(tally: _Tally) -> tuple[list[float], list[float]]:
    """Sums of the shares, and of their squares, of the hours that are told in part, by hours since."""
    return [0.0, *accumulate(tally.parts)][:_AGES], [0.0, *accumulate(tally.squares)][:_AGES]


def _columns(tally: _Tally) -> tuple[array[float], ...]:
    return tally.opening, tally.following, tally.arriving, tally.completing, tally.crediting


def _pooled(columns: tuple[array[float], ...]) -> list[float]:
    return [sum(values) for values in zip(*columns, strict=True)]


def _curves(tally: _Tally, pooled: Sequence[Sequence[float]], unit: float) -> Curves:
    own = _columns(tally)
    opening, following, arriving, completing, crediting = (
        _cumulated(_blended(mine, all_, unit)) for mine, all_ in zip(own, pooled, strict=True)
    )
    credited = crediting if any(own[4]) else arriving
    partial = tuple(1.0 - share for share in completing)
    known = tuple(
        min(max(1.0 - (1.0 - whole) / max(share, 1e-9), _LEAST_KNOWN), _MOST_KNOWN)
        for whole, share in zip(arriving, partial, strict=True)
    )
    return Curves(
        unopened=tuple(1.0 - share for share in opening),
        following=tuple(1.0 - share for share in following),
        complete=arriving,
        partial=partial,
        part_known=known,
        part_noise=_part_noise(tally),
        credited=tuple(min(1.0, c / max(g, 1e-9)) for c, g in zip(credited, arriving, strict=True)),
    )


def _part_noise(tally: _Tally) -> tuple[float, ...]:
    """Relative deviation of the share known of hours told in part, from the service's own such hours."""
    lasting = list(accumulate(reversed(tally.completing)))[::-1]
    noises: list[float] = []
    for count, total, squares in zip(lasting, *_part_moments(tally), strict=True):
        if count <= 0.0 or total <= 0.0:
            noises.append(_PART_NOISE)
            continue
        mean = total / count
        noises.append(min(max(sqrt(max(squares / count - mean * mean, 0.0)) / mean, 0.02), 1.0))
    return tuple(noises)


def _blended(own: Sequence[float], pooled: Sequence[float], unit: float) -> list[float]:
    """Shares by delay: a service's own, with the pattern of all services as if seen _CREDIBILITY times."""
    total = sum(pooled)
    if total <= 0.0:
        return [1.0] + [0.0] * (_AGES - 1)
    prior = _CREDIBILITY * unit / total
    whole = sum(own) + _CREDIBILITY * unit
    return [(mine + prior * all_) / whole for mine, all_ in zip(own, pooled, strict=True)]


def _cumulated(shares: Sequence[float]) -> tuple[float, ...]:
    """Share that has arrived after n hours: what came with a delay of n - 1 or less."""
    total, found = 0.0, [0.0]
    for share in shares[: _AGES - 1]:
        total += share
        found.append(min(total, 1.0))
    found[-1] = 1.0
    return tuple(found)
