"""One line's hours around now: what is expected of each, what has arrived of it, what its live usage says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, hypot, log
from typing import Final

from exporter.analysis.cost_history import NANO, NEVER, KnownCosts
from exporter.analysis.cost_model import CostModel
from exporter.analysis.day_factors import DayFactor, Observed
from exporter.analysis.development import Curves
from exporter.analysis.level_shift import KnownHour, Shift, find_shift
from exporter.analysis.live_usage import LiveRate, PricedUsage
from exporter.analysis.seasonality import Season

_BUSY: Final = 0.2
"""A cost is expected in an hour with more than this share of the mean hour."""

_USED: Final = 0.005
"""Some use is expected in an hour with more than this share of the mean hour."""

_PART_NOISE: Final = 0.25
"""Standard deviation of the logarithm of the share that is known of an hour that lacks a part."""

_LATE: Final = 0.1
_LATE_PART: Final = 0.03
"""Lateness of several hours has one cause, so each is at least as likely late, as a whole or in part."""

_HARDLY: Final = 0.0005
_MISSED: Final = 0.1
"""A line is taken as unused in an hour when it is less likely than this that its bill is still to come."""

_IDLE_LIVE: Final = 0.02
"""How likely live usage shows nothing in an hour of a day that has use."""


@dataclass(slots=True)
class LineHours:
    """Lists have one value for each hour from `begin` on, money is gross US dollars."""

    begin: int
    season: Season
    rate: LiveRate | None
    expected: list[float]
    """If the day has any use."""
    usd: list[float | None]
    """What has arrived; None where nothing has."""
    arrived_hours: list[int]
    """How long ago the first part of it arrived."""
    live: list[float | None]
    """Live usage at its learnt rate, for hours that have passed."""
    to_come: list[float]
    """How likely a cost that will come has not come yet, where nothing has arrived."""
    opened: list[bool]
    """Whether something of the line's service has arrived for the hour."""
    curves: Curves
    shift: Shift | None = None

    def completed(self, at: int, factor: float = 1.0, noise: float | None = None) -> float:
        """Final cost of an hour that has arrived, at least in part.

        `factor` and `noise`: by how much to multiply what is expected of it, and how far to trust that.
        """
        usd, expected = self.usd[at] or 0.0, self.expected[at] * factor
        arrived = self.arrived_hours[at]
        partial = self.curves.partial[min(arrived, len(self.curves.partial) - 1)]
        if usd <= 0.0 or partial < _HARDLY:
            return usd
        if self.shift is not None:
            trust = self.shift.trust_at(self.begin + at)
            expected += trust * (self.expected[at] * self.shift.factor - expected)
        known = 1.0 - (1.0 - self.curves.complete[min(arrived, len(self.curves.complete) - 1)]) / partial
        known = min(max(known, 0.1), 0.95)
        season = self.season
        spread = hypot(season.hour_noise, season.day_noise if noise is None else noise)
        if expected <= 0.0:
            return usd * (1.0 + partial * (1.0 / known - 1.0))
        return _completed(usd, expected, spread, partial, known)

    def observed(self, low: int, high: int) -> Observed | None:
        """What is known of the hours from `low` to before `high`, without those of a shifted level."""
        season = self.season
        if self.shift is not None:
            high = min(high, self.shift.begin)
        usd = expected = variance = 0.0
        own, live = season.hour_noise**2, self.rate.noise**2 if self.rate is not None else 0.0
        for at in range(max(low - self.begin, 0), max(high - self.begin, 0)):
            share, arrived, used = self.expected[at], self.usd[at], self.live[at]
            if share <= 0.0 or (arrived is None and used is None):
                continue
            if arrived is None and used is not None:
                usd += used
                variance += share * share * (own + live)
            elif arrived is not None:
                usd += self.completed(at)
                variance += share * share * own
            expected += share
        if usd <= 0.0:
            return None
        return Observed(usd, expected, variance**0.5 / expected)

    def active_probability(self, low: int, high: int, weekend: bool) -> float:
        """How likely the day of the hours from `low` to before `high` has any use."""
        season = self.season
        share = season.active_ratio[weekend]
        odds = share / (1.0 - share)
        least = _USED * season.level_usd / 24.0
        for at in range(max(low - self.begin, 0), max(high - self.begin, 0)):
            arrived, used = self.usd[at], self.live[at]
            if arrived or used:
                return 1.0
            if self.expected[at] <= least:
                continue
            if used is not None:
                odds *= _IDLE_LIVE
            elif arrived is not None or self.opened[at]:
                odds *= season.idle_ratio + (1.0 - season.idle_ratio) * self.to_come[at]
        return odds / (1.0 + odds)

    def estimate(self, at: int, factor: DayFactor, active: float) -> float:
        """Final gross cost of one hour, the position in the lists."""
        arrived = self.usd[at]
        if arrived is not None:
            return self.completed(at, factor.factor, factor.noise)
        expected = self.expected[at] * factor.factor
        if self.shift is not None:
            trust = self.shift.trust_at(self.begin + at)
            expected += trust * (self.expected[at] * self.shift.factor - expected)
        idle, to_come = self.season.idle_ratio, self.to_come[at]
        expected *= active * to_come / (to_come * (1.0 - idle) + idle)
        used = self.live[at]
        if used is None or self.rate is None:
            return expected
        own = self.season.hour_noise**2 + factor.noise**2
        weight = own / (own + self.rate.noise**2)
        return weight * used + (1.0 - weight) * expected


def line_hours(
    model: CostModel,
    known: KnownCosts,
    line: int,
    span: tuple[int, int],
    live: PricedUsage | None,
) -> LineHours:
    """Gather the hours of a line with a season, from the first of `span` to before the second."""
    begin, end = span
    season = model.seasons[line]
    curves = model.curves[known.history.lines[line].service_name]
    usd, arrived_hours, to_come, opened = _arrived(known, line, curves, begin, end)
    rate = None if live is None else live.rates.get(line)
    used: list[float | None] = [None] * (end - begin)
    if live is not None and rate is not None:
        amounts = live.amounts[line]
        for hour in range(begin, min(end, known.as_of)):
            amount = amounts.get(hour)
            if amount is not None:
                used[hour - begin] = amount * rate.usd_per_unit
    expected = _expected(model, season, begin, end)
    found = LineHours(begin, season, rate, expected, usd, arrived_hours, used, to_come, opened, curves)
    found.shift = find_shift(_known_hours(found))
    return found


def _expected(model: CostModel, season: Season, begin: int, end: int) -> list[float]:
    calendar, shape = model.calendar, season.shape
    found: list[float] = []
    hour = begin
    while hour < end:
        day = calendar.day(hour)
        stop = min(calendar.day_hours(day)[1], end)
        level = season.level(day, calendar.month_days(hour))
        found.extend([level * shape[week_hour] for week_hour in calendar.week_hours(hour, stop)])
        hour = stop
    return found


def _arrived(
    known: KnownCosts, line: int, curves: Curves, begin: int, end: int
) -> tuple[list[float | None], list[int], list[float], list[bool]]:
    gross, arrived = known.gross[line], known.first_export[line]
    channel = known.opened[known.history.channel_of[line]]
    first, as_of = known.first_hour, known.as_of
    count = end - begin
    usd: list[float | None] = [None] * count
    arrived_hours = [0] * count
    to_come = [1.0] * count
    opened = [False] * count
    for hour in range(begin, min(end, first + known.size)):
        at, came = hour - begin, arrived[hour - first]
        if came != NEVER:
            usd[at] = gross[hour - first] / NANO
            arrived_hours[at] = as_of - came
        elif hour < as_of:
            since = channel[hour - first]
            opened[at] = since != NEVER
            to_come[at] = curves.share_to_come(as_of - hour, as_of - since if opened[at] else None)
    return usd, arrived_hours, to_come, opened


def _completed(usd: float, expected: float, noise: float, partial: float, known: float) -> float:
    """Weigh that an hour is complete against that it lacks a part, by what fits its expected cost better.

    `partial`: how likely it lacks a part; `known`: the share that is known of an hour that does.
    """
    deviation = log(usd / expected)
    missing_noise = hypot(noise, _PART_NOISE)
    as_whole = (1.0 - partial) * (_density(deviation, noise) + 0.01 * _density(deviation, 1.0))
    as_part = partial * (_density(deviation - log(known), missing_noise) + 0.01 * _density(deviation, 1.0))
    doubt = as_part / (as_whole + as_part)
    weight = noise * noise / (missing_noise * missing_noise)
    return (1.0 - doubt) * usd + doubt * (weight * usd / known + (1.0 - weight) * max(expected, usd))


def _density(deviation: float, noise: float) -> float:
    z = deviation / noise
    return exp(-0.5 * z * z) / noise


def _known_hours(hours: LineHours) -> Iterator[KnownHour]:
    """The known hours in which a cost was to be expected, from the newest back."""
    season, partial = hours.season, hours.curves.partial
    own = season.hour_noise**2 + season.day_noise**2 + season.level_noise**2
    noise, live_noise = own**0.5, (own + (hours.rate.noise**2 if hours.rate else 0.0)) ** 0.5
    least = _BUSY * season.level_usd / 24.0
    always = min(season.active_ratio) > 0.9
    for at in range(len(hours.expected) - 1, -1, -1):
        expected = hours.expected[at]
        if expected <= least:
            continue
        usd, used, hour = hours.usd[at], hours.live[at], hours.begin + at
        if usd is not None:
            late = partial[min(hours.arrived_hours[at], len(partial) - 1)]
            yield KnownHour(hour, usd, expected, noise, max(late, _LATE_PART))
        elif used is not None:
            yield KnownHour(hour, used, expected, live_noise, _HARDLY)
        elif always and hours.opened[at] and hours.to_come[at] < _MISSED:
            yield KnownHour(hour, 0.0, expected, noise, max(hours.to_come[at], _LATE))
