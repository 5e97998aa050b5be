"""One line's hours around now: what is expected of each, what has arrived of it, what its live usage says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, hypot, log
from typing import Final, NamedTuple

from exporter.analysis.nowcast.cost_history import NANO, NEVER, SETTLED_HOURS, KnownCosts
from exporter.analysis.nowcast.cost_model import CostModel
from exporter.analysis.nowcast.day_factors import DayFactor, Observed
from exporter.analysis.nowcast.development import Curves
from exporter.analysis.nowcast.level_shift import KnownHour, Shift, find_shift
from exporter.analysis.nowcast.live_usage import LiveRate, PricedUsage
from exporter.analysis.nowcast.season import Season

_BUSY: Final = 0.2
"""A cost is expected in an hour with more than this share of the mean hour."""

_USED: Final = 0.005
"""Some use is expected in an hour with more than this share of the mean hour."""

_VAGUE: Final = 0.25
"""Hours with a larger relative variance say nothing."""

_USUAL: Final = 0.5
"""Where more of the hours than this are told in part, each is taken for what it is likely to become."""

_LATE: Final = 0.1
_LATE_PART: Final = 0.03
"""Lateness of several hours has one cause, so each is at least as likely late, as a whole or in part."""

_CHANCE: Final = 9.0
"""Squares of deviations beyond so many times their variance are no chance."""

_HARDLY: Final = 0.0005
_MISSED: Final = 0.1
"""A line is taken as unused in an hour when it is less likely than this that its bill is still to come."""

_TOGETHER: Final = 0.1
"""How likely the hours of a line that are late are so from one cause, rather than each from its own."""

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

    def completed(self, at: int, factor: DayFactor) -> float:
        """Final cost of an hour that has arrived, at least in part."""
        usd = self.usd[at] or 0.0
        part = self._part(at)
        if usd <= 0.0 or part is None:
            return usd
        expected = self._expected(at, factor)
        noise = hypot(self.season.hour_noise, factor.noise)
        doubt = part.doubt(usd, expected, noise)
        weight = noise * noise / (noise * noise + part.noise * part.noise)
        return (1.0 - doubt) * usd + doubt * (weight * usd / part.known + (1.0 - weight) * max(expected, usd))

    def seen(self, at: int) -> tuple[float, float] | None:
        """What an hour shows of its level: US dollars and their relative variance; None where nothing does.

        Live usage counts where nothing has arrived; what is expected of the hour plays no part in it.
        """
        season, usd = self.season, self.usd[at]
        own = season.hour_noise**2
        if usd is None:
            used = self.live[at]
            return None if used is None or self.rate is None else (used, own + self.rate.noise**2)
        part = self._part(at)
        if part is None or usd <= 0.0:
            return usd, own
        doubt = part.doubt(usd, self.expected[at], hypot(season.hour_noise, season.day_noise))
        return usd * (1.0 + doubt * (1.0 / part.known - 1.0)), own + doubt * part.noise**2

    def observed(self, low: int, high: int) -> Observed | None:
        """What is known of the hours from `low` to before `high`, without those of a shifted level."""
        if self.shift is not None:
            high = min(high, self.shift.begin)
        usd = expected = variance = 0.0
        for at in range(max(low - self.begin, 0), max(high - self.begin, 0)):
            share = self.expected[at]
            if share <= 0.0 or (seen := self.seen(at)) is None or seen[1] > _VAGUE:
                continue
            usd += seen[0]
            variance += share * share * seen[1]
            expected += share
        if usd <= 0.0:
            return None
        return Observed(usd, expected, variance**0.5 / expected)

    def active_probability(self, low: int, high: int, day: int, weekend: bool) -> float:
        """How likely the day of the hours from `low` to before `high` has any use."""
        season = self.season
        share = season.active_on(day, weekend)
        odds = share / (1.0 - share)
        least = _USED * season.level_usd / 24.0
        each = rarest = 1.0
        for at in range(max(low - self.begin, 0), max(high - self.begin, 0)):
            arrived, used = self.usd[at], self.live[at]
            if arrived or used:
                return 1.0
            if self.expected[at] <= least:
                continue
            if used is not None:
                odds *= _IDLE_LIVE
            elif arrived is not None or self.opened[at]:
                missing = season.idle_ratio + (1.0 - season.idle_ratio) * self.to_come[at]
                each *= missing
                rarest = min(rarest, missing)
        odds *= (1.0 - _TOGETHER) * each + _TOGETHER * rarest
        return odds / (1.0 + odds)

    def lump_to_come(self, low: int, high: int) -> float:
        """Share of the day's cost that may still be booked, for a line that books it in one hour."""
        positions = range(max(low - self.begin, 0), max(high - self.begin, 0))
        expected = sum(self.expected[at] for at in positions)
        arrived = sum(self.usd[at] or 0.0 for at in positions)
        return max(0.0, 1.0 - arrived / expected) if expected > 0.0 else 1.0

    def estimate(self, at: int, factor: DayFactor, active: float) -> float:
        """Final gross cost of one hour, the position in the lists."""
        arrived = self.usd[at]
        if arrived is not None:
            return self.completed(at, factor)
        expected = self._expected(at, factor)
        idle, to_come = self.season.idle_ratio, self.to_come[at]
        expected *= active * to_come / (to_come * (1.0 - idle) + idle)
        used = self.live[at]
        if used is None or self.rate is None:
            return expected
        own, live = self.season.hour_noise**2 + factor.noise**2, self.rate.noise**2
        if expected > 0.0:
            # Where live usage contradicts what is expected by more than chance, the past is the one to doubt.
            own += max(0.0, (used / expected - 1.0) ** 2 - _CHANCE * (own + live))
        weight = own / (own + live)
        return weight * used + (1.0 - weight) * expected

    def _expected(self, at: int, factor: DayFactor) -> float:
        expected = self.expected[at] * factor.factor
        if self.shift is not None:
            trust = self.shift.trust_at(self.begin + at)
            expected += trust * (self.expected[at] * self.shift.factor - expected)
        return expected

    def _part(self, at: int) -> _Part | None:
        """What is to be known of an hour that may lack a part; None where hardly any does."""
        age = min(self.arrived_hours[at], SETTLED_HOURS)
        ratio = self.curves.partial[age]
        if ratio < _HARDLY:
            return None
        return _Part(ratio, self.curves.part_known[age], self.curves.part_noise[age])


class _Part(NamedTuple):
    ratio: float
    """How likely an hour lacks a part."""
    known: float
    """Mean share that is known of one that does."""
    noise: float
    """Standard deviation of that share, relative to it."""

    def doubt(self, usd: float, expected: float, noise: float) -> float:
        """How likely this hour lacks one, by how it fits; `noise` is that of its cost."""
        if expected <= 0.0:
            return self.ratio
        deviation = log(usd / expected)
        far = 0.01 * _density(deviation, 1.0)
        as_whole = (1.0 - self.ratio) * (_density(deviation, noise) + far)
        as_part = self.ratio * (_density(deviation - log(self.known), hypot(noise, self.noise)) + far)
        return as_part / (as_whole + as_part)


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


def _density(deviation: float, noise: float) -> float:
    z = deviation / noise
    return exp(-0.5 * z * z) / noise


def _known_hours(hours: LineHours) -> Iterator[KnownHour]:
    """The known hours in which a cost was to be expected, from the newest back."""
    season, partial = hours.season, hours.curves.partial
    spread = season.day_noise**2 + season.level_noise**2
    least = _BUSY * season.level_usd / 24.0
    always = min(season.active_ratio) > 0.9
    for at in range(len(hours.expected) - 1, -1, -1):
        expected, hour = hours.expected[at], hours.begin + at
        if expected <= least:
            continue
        usd = hours.usd[at]
        if usd is not None and partial[min(hours.arrived_hours[at], SETTLED_HOURS)] < _USUAL:
            # Single hours that lack a part are found out by the search itself.
            late = max(partial[min(hours.arrived_hours[at], SETTLED_HOURS)], _LATE_PART)
            yield KnownHour(hour, usd, expected, (season.hour_noise**2 + spread) ** 0.5, late)
        elif (seen := hours.seen(at)) is not None:
            if seen[1] < _VAGUE:
                yield KnownHour(hour, seen[0], expected, (seen[1] + spread) ** 0.5, _LATE_PART)
        elif always and hours.opened[at] and hours.to_come[at] < _MISSED:
            late = max(hours.to_come[at], _LATE)
            yield KnownHour(hour, 0.0, expected, (season.hour_noise**2 + spread) ** 0.5, late)
