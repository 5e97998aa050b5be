"""How past estimates of a provider turned out, by replaying the weeks before now; quantiles follow from it.

A quantile is an order statistic of the sizes of past errors, of the same account and of like spans (as in
split conformal prediction). So one odd day widens nothing, and no shape of the errors is supposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import NEVER, Flags, Floats, KnownCosts
from exporter.analysis.nowcast.live_usage import LiveUsage
from exporter.analysis.nowcast.referee import FINAL_AFTER_HOURS, JUDGED_DAYS, JUDGED_HOURS, Referee
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.single_charges import single_charges, usual_caps
from exporter.core.cost_cells import LONG_HOURS, CostCells

OPEN_HOURS: Final = 168
"""Older hours are taken as billed."""

_TESTED_DAYS: Final = 42
_EVERY_DAYS: Final = 3
_LONGEST_DAYS: Final = 31
_FINAL_HOURS: Final = 72
_LEAST_HOURS: Final = 72
_FIRST_TESTED_DAY: Final = 5
"""Days of learning before the first forecast that is tested."""

_LEAST_TESTS: Final = 2
_LIKE: Final = 1.5
"""Spans within this factor of each other are about as long."""

_LATE_DAYS: Final = 0.5
"""Every span counts what is late of the days before it: about so much."""

_BETWEEN: Final = 0.8
"""Share of outcomes between the outer quantiles."""

_LEAST_RATIO: Final = 0.02
"""What came is taken as at least so much of what was expected: a logarithm has no end."""

_UNTESTED_NOISE: Final = 0.25
"""Standard deviation of the logarithm of a forecast's error, before any forecast could be tested."""

_LEAST_NOISE: Final = 0.001
"""However steady the past was, no forecast is exact."""

_LARGEST_NOISE: Final = 0.5
_DRIFT_PER_DAY: Final = 0.0005
"""The level may drift by so much a day beyond the longest span that was tested."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How past estimates of a provider turned out."""

    plain: frozenset[str] = frozenset()
    """Services for which the plain estimate has been better."""
    by_hour: tuple[tuple[float, ...], ...] = ()
    """Of each of JUDGED_HOURS: relative errors of the estimates of whole days made then."""
    ahead: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Of each tested forecast, for the ends of the days after it: how many days ahead, and the logarithm of
    actual over expected cost still to come until then, of hours that had passed as of those ahead.
    Charges that come once in a while play no part."""

    def noise(self, days: float) -> float:
        """Deviation of the logarithm of what is to come until so many days ahead, at a normal law's scale."""
        tested = [test for test in self.ahead if test]
        longest = max((test[-1][0] for test in tested), default=0.0)
        near = [_like(test, min(days, longest)) for test in tested]
        near = [errors for errors in near if errors]
        if len(near) < _LEAST_TESTS:
            return _UNTESTED_NOISE
        scale = _scale([error for errors in near for error in errors], len(near))
        noise = sqrt(scale**2 + (_DRIFT_PER_DAY * max(days - longest, 0.0)) ** 2)
        return min(max(noise, _LEAST_NOISE), _LARGEST_NOISE)

    def day_noise(self, hours: float) -> float:
        """Relative deviation of the estimate of a whole day, made so many hours after its start."""
        if not self.by_hour or len(self.by_hour[0]) < 5:
            return _UNTESTED_NOISE
        sizes = [_scale(errors, len(errors)) for errors in self.by_hour]
        return float(np.interp(hours, JUDGED_HOURS, sizes))


def _like(test: tuple[tuple[float, float], ...], days: float) -> list[float]:
    """A forecast's errors for spans about as long; all count what is late, and so a little more."""
    return [
        error for ahead, error in test if 1.0 / _LIKE <= (ahead + _LATE_DAYS) / (days + _LATE_DAYS) <= _LIKE
    ]


def _scale(errors: Sequence[float], independent: int) -> float:
    """The deviation of a normal law of which as much lies between the outer quantiles as of some errors.

    Among n earlier errors a new one takes each rank alike, hence n + 1. `independent`: how many of
    them tell anything new.
    """
    sizes = np.sort(np.abs(errors))
    rank = min(_BETWEEN * (len(sizes) + 1), float(len(sizes))) - 1.0
    bound = float(np.interp(rank, np.arange(len(sizes)), sizes))
    return bound / NormalDist().inv_cdf(0.5 + _BETWEEN / 2.0) * sqrt(1.0 + 1.0 / independent)


def track_record(cells: CostCells, timezone: str, now: int, live: LiveUsage | None = None) -> TrackRecord:
    """Make the forecasts that the weeks before the hour `now` would have had, and compare with the bill."""
    replay, end = Replay(cells, timezone, now, live), KnownCosts(cells, now)
    calendar, today = replay.calendar, replay.calendar.day(now)
    end.advance(now)
    final = _Final(end, _usual(end), calendar.day(now - _FINAL_HOURS))
    first = calendar.day(replay.known.first_hour + _LEAST_HOURS - 1) + 1
    noted = today - JUDGED_DAYS - FINAL_AFTER_HOURS // 24
    referee = Referee()
    ahead: list[tuple[tuple[float, float], ...]] = []
    for day in range(max(first, today - _TESTED_DAYS), today):
        number, rest = divmod(today - day, _EVERY_DAYS)
        tested = rest == 0 and day >= first + _FIRST_TESTED_DAY
        for hour in JUDGED_HOURS:
            as_of = calendar.day_hours(day)[0] + hour
            if day >= noted:
                referee.note(replay, as_of)
            if tested and hour == JUDGED_HOURS[number % len(JUDGED_HOURS)]:
                ahead.append(tuple(_test(replay, as_of, final)))
    plain = referee.plain(replay, now)
    return TrackRecord(plain, referee.errors(replay, now, plain), tuple(ahead))


@dataclass(frozen=True, slots=True)
class _Final:
    """The bill that past forecasts are compared with."""

    known: KnownCosts
    usual: Flags
    """Lines x hours: where a cost is no single charge."""
    day: int
    """The first that is not final."""

    def usd(self, known: KnownCosts, begin: int, end: int) -> Floats:
        """Net cost by hour without single charges, as far as `known` at some earlier moment."""
        part = slice(begin - known.first_hour, end - known.first_hour)
        gross = known.gross[:, part]
        net = gross + np.clip(known.credit[:, part], -np.abs(gross), 0.0)
        found: Floats = np.where(self.usual[:, part], net, 0.0).sum(axis=0, dtype=np.float64)
        return found


def _test(replay: Replay, as_of: int, final: _Final) -> Iterator[tuple[float, float]]:
    """Forecast what is to come until the ends of the days from an hour on, and tell how far it was off."""
    calendar, day = replay.calendar, replay.calendar.day(as_of)
    ends = [calendar.day_hours(each)[1] for each in range(day, min(day + _LONGEST_DAYS, final.day))]
    if not ends:
        return
    since = max(as_of - OPEN_HOURS, replay.known.first_hour)
    made = replay.estimate(as_of, since, ends[-1])
    expected = np.cumsum((made.to_come - made.fees).sum(axis=0))
    came = final.usd(final.known, since, ends[-1])
    came[: as_of - since] -= final.usd(replay.known, since, as_of)
    came = np.cumsum(came)
    for end in ends:
        if expected[end - since - 1] > 0.0:
            ratio = max(float(came[end - since - 1] / expected[end - since - 1]), _LEAST_RATIO)
            yield (end - as_of) / 24.0, log(ratio)


def _usual(known: KnownCosts) -> Flags:
    gross = known.gross.astype(np.float64)
    single = single_charges(gross, usual_caps(gross))
    found: Flags = (known.delay != NEVER) & ~single & (known.span <= LONG_HOURS) & known.regular[:, None]
    return found
