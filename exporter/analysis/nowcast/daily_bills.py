"""What a provider that bills by the day costs today and this month, from its bill and from live usage.

Usage at list prices is scaled to what the settled days turned out to cost; a settled day is what was billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist, fmean, median
from typing import Final

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.forecast import QUANTILES, MonthForecast
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core.cost_cells import NANO

SETTLED_AFTER_HOURS: Final = 24
"""A day's bill is complete so long after the day's end, given that a later day has been billed at all."""

LEARNT_DAYS: Final = 28
_PROFILE_DAYS: Final = 14
_LEVEL_DAYS: Final = 7
_LEAST_PART_OF_HOUR: Final = 0.2
_UNTESTED_NOISE: Final = 0.25
_DRIFT_PER_DAY: Final = 0.003
_LARGEST_SCALE: Final = 10.0
_LARGEST_LEVEL: Final = 2.0


@dataclass(frozen=True, slots=True)
class DailyCosts:
    """What is known of one provider. Money in billionths of a US dollar, hours since 1970-01-01 00:00 UTC."""

    billed: Mapping[str, Mapping[int, int]]
    """By service and day (proleptic ordinal in the billing zone): usage, purchases and their credits."""
    used: Mapping[str, Mapping[int, float]]
    """By service and hour: live usage at list prices; empty where no usage is known."""
    used_through: float
    """Up to here usage is known."""


def daily_outlook(costs: DailyCosts, timezone: str, as_of: int) -> tuple[Nowcast, MonthForecast]:
    """Estimate the hours of the month up to the end of tomorrow, and the month's end, as of an hour."""
    calendar = BillingCalendar(timezone, as_of - 24 * (LEARNT_DAYS + 32), as_of + 24 * 33)
    services = {name: _Service(costs, name, calendar, as_of) for name in sorted({*costs.billed, *costs.used})}
    today = calendar.day(as_of)
    begin = min(calendar.month_hours(calendar.month(as_of))[0], calendar.day_hours(today - 1)[0])
    end = calendar.day_hours(today + 2)[0]
    billed = {name: _billed_hours(costs.billed.get(name, {}), calendar, begin, end) for name in services}
    usd = {name: service.hours(begin, end) for name, service in services.items()}
    nowcast = Nowcast(
        calendar=calendar,
        as_of=as_of,
        begin=begin,
        end=end,
        billed=billed,
        estimate={name: [round(value) for value in hours] for name, hours in usd.items()},
        flow={name: [value / NANO for value in hours] for name, hours in usd.items()},
    )
    return nowcast, _month(list(services.values()), calendar, as_of)


class _Service:
    """The model of one service."""

    def __init__(self, costs: DailyCosts, name: str, calendar: BillingCalendar, as_of: int) -> None:
        self._calendar = calendar
        self._as_of = as_of
        self.billed = costs.billed.get(name, {})
        self._used = costs.used.get(name, {})
        # What is known of the hours after is not the whole of them.
        self._through = min(costs.used_through, as_of + 1.0)
        last_billed = max((day for days in costs.billed.values() for day in days), default=0)
        finished = calendar.day(as_of - SETTLED_AFTER_HOURS) - 1
        self._settled_through = min(last_billed, finished)
        self._scale = self._learnt_scale()
        self._profile = self._learnt_profile()
        self._level = self._learnt_level()
        self._weekdays = self._learnt_weekdays()

    def hours(self, begin: int, end: int) -> list[float]:
        """Best estimate of each hour from `begin` to before `end`, in billionths of a US dollar."""
        found: list[float] = []
        hour = begin
        while hour < end:
            day = self._calendar.day(hour)
            low, high = self._calendar.day_hours(day)
            values = self._day(day, low, high)
            found += values[hour - low : min(high, end) - low]
            hour = high
        return found

    def day_usd(self, day: int) -> float:
        """Best estimate of a whole day, in billionths of a US dollar."""
        low, high = self._calendar.day_hours(day)
        return sum(self._day(day, low, high))

    def unknown_usd(self, day: int, ahead: float) -> float:
        """The part of a day that is only expected, in billionths; `ahead`: what share of it is to come."""
        if day <= self._settled_through and self.billed:
            return 0.0
        return self.day_usd(day) * (ahead if self._used else 1.0)

    def noise(self) -> float:
        """Standard deviation of the logarithm of a settled day's cost over what weekdays alone say of it."""
        errors = [
            log(self.billed[day] / expected)
            for day in self._settled_days(LEARNT_DAYS)
            if self.billed.get(day, 0) > 0 and (expected := self._by_weekday(day)) > 0
        ]
        return sqrt(fmean(error * error for error in errors)) if len(errors) > 6 else _UNTESTED_NOISE

    def _day(self, day: int, low: int, high: int) -> list[float]:
        billed = float(self.billed.get(day, 0))
        shape = [self._live(hour) for hour in range(low, high)]
        total = sum(shape)
        if day <= self._settled_through and self.billed:
            return _scaled(shape, billed)
        if not self._used:
            shape = [self._by_weekday(day) / (high - low)] * (high - low)
            total = sum(shape)
        passed = sum(shape[: max(0, min(self._as_of + 1, high) - low)])
        if billed > passed:
            # More is billed than seemed used: then that is what the passed part of the day has cost.
            part = max(0, min(self._as_of + 1, high) - low)
            return (
                [*_scaled(shape[:part], billed), *shape[part:]]
                if part
                else _scaled(shape, max(billed, total))
            )
        return shape

    def _live(self, hour: int) -> float:
        """Usage of an hour at the scaled price: known, known in part, or expected."""
        used = self._used.get(hour, 0.0) * self._scale
        if hour + 1 <= self._through:
            return used
        expected = self._profile.get(self._hour_kind(hour), 0.0) * self._level
        part = self._through - hour
        if part < _LEAST_PART_OF_HOUR:
            return max(used, expected)
        return used / part

    def _by_weekday(self, day: int) -> float:
        return self._weekdays.get(day % 7, self._weekdays.get(-1, 0.0))

    def _settled_days(self, count: int) -> range:
        last = self._settled_through
        first = max(last - count + 1, min(self.billed, default=last + 1))
        return range(first, last + 1)

    def _learnt_scale(self) -> float:
        """Billed over used at list prices, over settled days that have both."""
        billed = used = 0.0
        for day in self._settled_days(_PROFILE_DAYS):
            of_day = sum(self._used.get(hour, 0.0) for hour in range(*self._calendar.day_hours(day)))
            if of_day > 0 and self.billed.get(day, 0) > 0:
                billed += self.billed[day]
                used += of_day
        if not used:
            return 1.0
        return min(max(billed / used, 1.0 / _LARGEST_SCALE), _LARGEST_SCALE)

    def _learnt_profile(self) -> dict[tuple[bool, int], float]:
        """Mean cost of an hour by weekend or not and hour of the day."""
        found: dict[tuple[bool, int], list[float]] = {}
        first = min(self._used, default=self._as_of)
        for hour in range(max(first, self._as_of - 24 * _PROFILE_DAYS), self._as_of):
            if hour + 1 <= self._through:
                value = self._used.get(hour, 0.0) * self._scale
                found.setdefault(self._hour_kind(hour), []).append(value)
        means = {kind: fmean(values) for kind, values in found.items()}
        for weekend, at in [(weekend, at) for weekend in (False, True) for at in range(24)]:
            other = means.get((not weekend, at), fmean(means.values()) if means else 0.0)
            means.setdefault((weekend, at), other)
        return means

    def _learnt_level(self) -> float:
        """The last day's usage over what is usual for its hours."""
        through = int(self._through)
        hours = range(max(through - 24, min(self._used, default=through)), through)
        usual = sum(self._profile[self._hour_kind(hour)] for hour in hours)
        used = sum(self._used.get(hour, 0.0) for hour in hours) * self._scale
        return min(max(used / usual, 1.0 / _LARGEST_LEVEL), _LARGEST_LEVEL) if usual > 0 else 1.0

    def _learnt_weekdays(self) -> dict[int, float]:
        """Median cost of a day by weekday, at the level of the last week; under -1 that of any day.

        Medians, so that a fee charged once a month is not expected every week.
        """
        days = self._settled_days(LEARNT_DAYS)
        if not days:
            return {}
        means: dict[int, float] = {-1: median(self.billed.get(day, 0) for day in days)}
        for weekday in range(7):
            values = [self.billed.get(day, 0) for day in days if day % 7 == weekday]
            if values:
                means[weekday] = median(values)
        recent = self._settled_days(_LEVEL_DAYS)
        usual = sum(means.get(day % 7, means[-1]) for day in recent)
        actual = sum(self.billed.get(day, 0) for day in recent)
        level = min(max(actual / usual, 1.0 / _LARGEST_LEVEL), _LARGEST_LEVEL) if usual > 0 else 1.0
        return {weekday: value * level for weekday, value in means.items()}

    def _hour_kind(self, hour: int) -> tuple[bool, int]:
        weekday, at = divmod(self._calendar.week_hour(hour), 24)
        return weekday >= 5, at


def _scaled(shape: list[float], total: float) -> list[float]:
    """A total, spread as a shape is, or evenly where that is nothing."""
    whole = sum(shape)
    if whole <= 0:
        return [total / len(shape)] * len(shape)
    return [value * total / whole for value in shape]


def _billed_hours(billed: Mapping[int, int], calendar: BillingCalendar, begin: int, end: int) -> list[int]:
    """What is billed of each day, at the day's first hour."""
    found = [0] * (end - begin)
    for day, amount in billed.items():
        low, _ = calendar.day_hours(day)
        if begin <= low < end:
            found[low - begin] += amount
    return found


def _month(services: Sequence[_Service], calendar: BillingCalendar, as_of: int) -> MonthForecast:
    month = calendar.month(as_of)
    low, high = calendar.month_hours(month)
    days = range(calendar.day(low), calendar.day(high - 1) + 1)
    billed = sum(amount for each in services for day, amount in each.billed.items() if day in days)
    expected = {day: sum(each.day_usd(day) for each in services) for day in days}
    today = calendar.day(as_of)
    open_ = sum(value for day, value in expected.items() if day >= today)
    remaining = max(days[-1] + 1 - today, 1)
    begin, end = calendar.day_hours(today)
    unknown = sum(each.unknown_usd(today, (end - as_of) / (end - begin)) for each in services)
    weights = [(sum(each.day_usd(day) for day in days), each.noise()) for each in services]
    whole = sum(weight for weight, _ in weights)
    daily = sqrt(sum((weight * noise) ** 2 for weight, noise in weights)) / whole if whole > 0 else 0.0
    noise = sqrt(daily**2 / remaining + (_DRIFT_PER_DAY * remaining) ** 2)
    return MonthForecast(
        month,
        billed,
        _quantiles(sum(expected.values()), open_, noise),
        _quantiles(expected[today], unknown, daily),
    )


def _quantiles(total: float, open_: float, noise: float) -> dict[float, float]:
    """US dollars, by the quantile; `open_` is the part of the total that is not certain yet."""
    return {
        quantile: (total + open_ * (exp(NormalDist().inv_cdf(quantile) * noise) - 1.0)) / NANO
        for quantile in QUANTILES
    }
