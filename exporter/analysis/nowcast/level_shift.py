"""Whether the last hours of a line run at another level than expected, and how far to trust that.

A runaway, a new deployment or a switched-off machine shows in the hours that have arrived; those that have
not are likely to be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from math import exp, log
from typing import Final

_SIGMAS: Final = 4.0
"""An hour is out of the ordinary beyond so many standard deviations, and beyond _LEAST."""

_LEAST: Final = 0.03
_DOUBT: Final = 0.6
"""Doubt that a single strange hour leaves; each further one multiplies it by as much."""

_HALF_LIFE_HOURS: Final = 48.0
"""A shift is expected to last: half of it for so long after the last hour that showed it."""

_RARE: Final = 0.0004
"""How likely a level falls in any one hour: about once in a hundred days."""

_LONGEST_RUN: Final = 60
_SKIPPED: Final = 4
"""So many of the newest hours may be passed over because they are more likely late than low."""

_ZERO: Final = -4.0
"""Logarithm that stands for an hour without any cost where some was expected."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of level: the hours from `begin` on cost `factor` times as much as expected."""

    begin: int
    last: int
    """The last hour that has shown it."""
    factor: float
    trust: float
    """From 0 to 1."""

    def trust_at(self, hour: int) -> float:
        """How far to trust it in an hour that is not known, from 0 to 1."""
        if hour < self.begin:
            return 0.0
        return self.trust * exp(-log(2.0) * max(hour - self.last, 0) / _HALF_LIFE_HOURS)


@dataclass(frozen=True, slots=True)
class KnownHour:
    """An hour of which something is known, and in which a cost was to be expected."""

    hour: int
    usd: float
    expected_usd: float
    noise: float
    """Standard deviation of the logarithm of their ratio."""
    late_ratio: float
    """How likely it is that the hour looks small only because a part of it, or all, is late."""


def find_shift(newest_first: Iterator[KnownHour]) -> Shift | None:
    """Find a shift that holds at the end of some known hours, given from the newest back.

    No more hours are taken than it needs: one, where nothing has shifted.
    """
    hours: list[KnownHour] = []
    for skipped in range(_SKIPPED):
        shift, doubted = _shift_at_end(chain(hours[skipped:], _kept(newest_first, hours)))
        if not doubted:
            return shift
    return None


def _kept(newest_first: Iterator[KnownHour], hours: list[KnownHour]) -> Iterator[KnownHour]:
    for known in newest_first:
        hours.append(known)
        yield known


def _shift_at_end(newest_first: Iterable[KnownHour]) -> tuple[Shift | None, bool]:
    """The shift that the last hours show; and whether they are more likely late than shifted."""
    run: list[tuple[KnownHour, float]] = []
    doubt = late = 1.0
    for known in islice(newest_first, _LONGEST_RUN):
        deviation = max(log(known.usd / known.expected_usd), _ZERO) if known.usd > 0.0 else _ZERO
        if run and run[0][1] > 0.0 and known.usd <= 0.0:
            continue
        if abs(deviation) < max(_SIGMAS * known.noise, _LEAST) or (run and deviation * run[0][1] < 0.0):
            break
        run.append((known, deviation))
        doubt *= _DOUBT
        late *= known.late_ratio
    if not run:
        return None, False
    newest, latest = run[0]
    if latest < 0.0 and late > _RARE:
        return None, True
    # A ramp is still under way: only the hours that agree with the newest say where it is.
    tolerance = max(3.0 * newest.noise, 0.05)
    agreeing = [deviation for _, deviation in run[:12] if abs(deviation - latest) <= tolerance]
    factor = sum(exp(deviation) for deviation in agreeing) / len(agreeing) if latest > _ZERO else 0.0
    trust = 1.0 - doubt
    if latest < 0.0:
        trust *= _RARE / (_RARE + late)
    return Shift(run[-1][0].hour, newest.hour, factor, trust), False
