"""What the month will cost by its end, with quantiles from how far such forecasts were off in the past."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Final

from exporter.analysis.nowcast.cost_history import NANO, SETTLED_HOURS, CostHistory, KnownCosts
from exporter.analysis.nowcast.hour_estimates import estimate_hours
from exporter.analysis.nowcast.replay import Replay

_TESTED_DAYS: Final = 42
_EVERY_DAYS: Final = 3
_LONGEST_DAYS: Final = 31
_FINAL_HOURS: Final = 72
_UNTESTED_NOISE: Final = 0.25
"""Standard deviation of the logarithm of a forecast's error, before any forecast could be tested."""

_DRIFT_PER_DAY: Final = 0.002
"""The level may drift by so much a day in a way that the tested past has not shown."""

QUANTILES: Final = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class ForecastErrors:
    """Errors of past forecasts, as logarithms of actual over forecast."""

    by_days: tuple[tuple[float, ...], ...]
    """by_days[n]: those of the cost of the next n + 1 days."""

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
        return sqrt(measured + (_DRIFT_PER_DAY * (0.25 * days + beyond)) ** 2)


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """Net cost of a billing month by its end, in US dollars."""

    month: int
    """Year times 12 plus month, from 0."""
    billed_nano_usd: int
    """What has arrived of it."""
    quantile_usd: dict[float, float]
    """By QUANTILES; 0.5 is the best estimate."""


def forecast_errors(history: CostHistory, timezone: str, as_of: int) -> ForecastErrors:
    """Make the forecasts that the weeks before `as_of` would have had, and compare them with the bill."""
    replay = Replay(history, timezone, as_of)
    actual = KnownCosts(history, as_of)
    actual.advance(as_of)
    calendar = replay.calendar
    today = calendar.day(as_of)
    began = calendar.day(actual.first_hour)
    first = max(began + max(8, (today - began) // 3), today - _TESTED_DAYS)
    errors: list[list[float]] = [[] for _ in range(_LONGEST_DAYS)]
    for day in range(first, today, _EVERY_DAYS):
        low, _ = calendar.day_hours(day)
        last = min(day + _LONGEST_DAYS, calendar.day(as_of - _FINAL_HOURS))
        if last <= day:
            break
        model = replay.model(low)
        end, _ = calendar.day_hours(last)
        net = estimate_hours(model, replay.known, low, end).net_usd.values()
        expected = billed = 0.0
        for ahead in range(last - day):
            begin, stop = calendar.day_hours(day + ahead)
            expected += sum(sum(usd[begin - low : stop - low]) for usd in net)
            billed += sum(actual.net_nano_usd(n, begin, stop) for n in range(len(history.lines))) / NANO
            if expected > 0.0 and billed > 0.0:
                errors[ahead].append(log(billed / expected))
    return ForecastErrors(tuple(map(tuple, errors)))


def forecast_month(replay: Replay, as_of: int, errors: ForecastErrors) -> MonthForecast | None:
    """Forecast the billing month of the hour `as_of`; None while nothing is known that could go on."""
    calendar, known = replay.calendar, replay.known
    month = calendar.month(as_of)
    begin, end = calendar.month_hours(month)
    since = max(begin, known.first_hour, as_of - SETTLED_HOURS)
    nowcast = replay.nowcast(as_of, since, end)
    if not replay.model(as_of).seasons:
        return None
    lines = range(len(known.history.lines))
    settled = sum(known.net_nano_usd(line, begin, since) for line in lines)
    billed = settled + sum(map(sum, nowcast.billed.values()))
    expected = settled + sum(map(sum, nowcast.estimate.values()))
    days = (end - as_of) / 24.0
    return MonthForecast(month, billed, _quantiles(billed / NANO, expected / NANO, days, errors))


def _quantiles(billed: float, expected: float, days: float, errors: ForecastErrors) -> dict[float, float]:
    open_ = max(expected - billed, 0.0)
    noise = errors.noise(days)
    found: dict[float, float] = {}
    for quantile in QUANTILES:
        found[quantile] = expected + open_ * (exp(NormalDist().inv_cdf(quantile) * noise) - 1.0)
    return found
