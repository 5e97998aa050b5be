"""What the day and the month will cost by their ends, with quantiles from how far past forecasts were off."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import LONG_HOURS, NEVER, Floats, KnownCosts
from exporter.analysis.nowcast.live_usage import LiveUsage
from exporter.analysis.nowcast.referee import FINAL_AFTER_HOURS, JUDGED_DAYS, JUDGED_HOURS, Referee
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.single_charges import single_charges, usual_caps
from exporter.core.cost_cells import NANO, CostCells

QUANTILES: Final = (0.1, 0.5, 0.9)

_TESTED_DAYS: Final = 42
_EVERY_DAYS: Final = 3
_LONGEST_DAYS: Final = 31
_FINAL_HOURS: Final = 72
_LEAST_HOURS: Final = 72
_FIRST_TESTED_DAY: Final = 5
"""Days of learning before the first forecast that is tested."""

_OPEN_HOURS: Final = 168
"""Older hours are taken as billed."""

_UNTESTED_NOISE: Final = 0.25
"""Standard deviation of the logarithm of a forecast's error, before any forecast could be tested."""

_LARGEST_NOISE: Final = 0.5
_DRIFT_PER_DAY: Final = 0.0005
"""The level may drift by so much a day in a way that the tested past has not shown."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How past estimates of a provider turned out. What recurs only once in a while plays no part."""

    plain: frozenset[str] = frozenset()
    """Services for which the plain estimate has been better."""
    by_hour: tuple[tuple[float, ...], ...] = ()
    """Of each of JUDGED_HOURS: relative errors of the estimates of whole days made then."""
    by_days: tuple[tuple[float, ...], ...] = ()
    """by_days[n]: logarithms of actual over forecast cost of the next n + 1 days."""

    def noise(self, days: float) -> float:
        """Standard deviation of the logarithm of the error of a forecast of so many days."""
        tested = [(n + 1, errors) for n, errors in enumerate(self.by_days) if len(errors) >= 2]
        if not tested:
            return _UNTESTED_NOISE
        near = [(count, errors) for count, errors in tested if 0.6 * days <= count <= 1.7 * days] or [
            min(tested, key=lambda item: abs(log(item[0] / max(days, 0.1))))
        ]
        squares = [error * error for _, errors in near for error in errors]
        # Forecasts of long spans overlap: they are worth as many as there are spans apart.
        independent = max(1.0, max(len(errors) for _, errors in near) * _EVERY_DAYS / max(days, _EVERY_DAYS))
        measured = sum(squares) / len(squares) * (1.0 + 1.0 / independent)
        if days < 1.0:
            measured *= days
        beyond = max(days - max(count for count, _ in near), 0.0)
        return min(sqrt(measured + (_DRIFT_PER_DAY * (0.25 * days + beyond)) ** 2), _LARGEST_NOISE)

    def day_noise(self, hours: float) -> float:
        """Relative standard deviation of the estimate of a whole day, made so many hours after its start."""
        if not self.by_hour or len(self.by_hour[0]) < 5:
            return _UNTESTED_NOISE
        sizes = [sqrt(sum(e * e for e in errors) / (len(errors) - 1)) for errors in self.by_hour]
        return float(np.interp(hours, JUDGED_HOURS, sizes))


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """Net cost of a billing month by its end, in US dollars."""

    month: int
    """Year times 12 plus month, from 0."""
    billed_nano_usd: int
    """What has arrived of it."""
    quantile_usd: dict[float, float]
    """By QUANTILES; 0.5 is the best estimate."""
    day_quantile_usd: dict[float, float] = field(default_factory=dict)
    """The same of the billing day in which the forecast was made; empty where it was not requested."""


def track_record(cells: CostCells, timezone: str, as_of: int, live: LiveUsage | None = None) -> TrackRecord:
    """Make the forecasts that the weeks before `as_of` would have had, and compare them with the bill."""
    replay, end = Replay(cells, timezone, as_of, live), KnownCosts(cells, as_of)
    calendar, today = replay.calendar, replay.calendar.day(as_of)
    end.advance(as_of)
    actual = _recurring(end)
    final_day = calendar.day(as_of - _FINAL_HOURS)
    first = calendar.day(replay.known.first_hour + _LEAST_HOURS - 1) + 1
    noted = today - JUDGED_DAYS - FINAL_AFTER_HOURS // 24
    referee = Referee()
    by_days: list[list[float]] = [[] for _ in range(_LONGEST_DAYS)]
    for day in range(max(first, today - _TESTED_DAYS), today):
        if (day - today) % _EVERY_DAYS == 0 and day >= first + _FIRST_TESTED_DAY:
            _test_days(replay, day, final_day, actual, by_days)
        if day >= noted:
            referee.note_day(replay, day)
    return TrackRecord(
        referee.plain(replay, as_of), referee.errors(replay, as_of), tuple(map(tuple, by_days))
    )


def _test_days(replay: Replay, day: int, final_day: int, actual: Floats, by_days: list[list[float]]) -> None:
    """Forecast the days from one on, and note by how much each sum of them was off."""
    calendar = replay.calendar
    low = calendar.day_hours(day)[0]
    ends = [calendar.day_hours(each)[0] for each in range(day + 1, min(day + _LONGEST_DAYS, final_day) + 1)]
    if not ends:
        return
    made = replay.estimate(low, low, ends[-1], live=False)
    expected = np.cumsum(made.flow.sum(axis=0))
    came = np.cumsum(actual[low - replay.known.first_hour :])
    for number, hour in enumerate(ends):
        at = hour - low - 1
        if expected[at] > 0.0 and came[at] > 0.0:
            by_days[number].append(float(np.log(came[at] / expected[at])))


def _recurring(known: KnownCosts) -> Floats:
    """Net cost of each hour without single charges, all lines together."""
    gross = known.gross.astype(np.float64)
    single = single_charges(gross, usual_caps(gross))
    used = (known.delay != NEVER) & ~single & (known.span <= LONG_HOURS) & known.regular[:, None]
    net = known.gross + np.clip(known.credit, -np.abs(known.gross), 0.0)
    found: Floats = np.where(used, net, 0.0).sum(axis=0, dtype=np.float64)
    return found


def forecast_month(replay: Replay, as_of: int, record: TrackRecord) -> MonthForecast | None:
    """Forecast the billing month of the hour `as_of`, and its day; None while nothing is known."""
    calendar = replay.calendar
    month = calendar.month(as_of)
    begin, end = calendar.month_hours(month)
    day_begin, day_end = calendar.day_hours(calendar.day(as_of))
    since = max(min(max(begin, as_of - _OPEN_HOURS), day_begin), replay.known.first_hour)
    made = replay.estimate(as_of, since, end)
    if not replay.known.seen.any():
        return None
    to_come = made.to_come.sum(axis=0)
    billed = replay.billed(max(begin, replay.known.first_hour), end).sum() / NANO
    of_day = slice(max(day_begin - since, 0), day_end - since)
    days = (end - as_of) / 24.0
    total = billed + float(to_come[max(begin - since, 0) :].sum())
    day_total = replay.billed(since, end).sum(axis=0)[of_day].sum() / NANO + float(to_come[of_day].sum())
    noise = record.day_noise(as_of - day_begin)
    return MonthForecast(
        month,
        round(billed * NANO),
        {
            quantile: total
            + max(total - billed, 0.0) * (exp(NormalDist().inv_cdf(quantile) * record.noise(days)) - 1.0)
            for quantile in QUANTILES
        },
        {quantile: day_total * (1.0 + NormalDist().inv_cdf(quantile) * noise) for quantile in QUANTILES},
    )
