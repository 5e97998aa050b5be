"""Three simple ways to estimate a day's cost, to hold the nowcast against."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import NANO, KnownCosts

Yardstick = Callable[[KnownCosts, BillingCalendar, int], float]
"""What is known, and the first hour of the billing day, to US dollars of the whole day."""

_LEARNT_HOURS = 42 * 24
_SETTLED_HOURS = 100


def yesterday(known: KnownCosts, calendar: BillingCalendar, day_start: int) -> float:
    """What is known of yesterday."""
    begin, end = calendar.day_hours(calendar.day(day_start) - 1)
    return _net(known, begin, end)


def scaled(known: KnownCosts, calendar: BillingCalendar, day_start: int) -> float:
    """What is billed of today, as if the rest of the day went on at the same rate."""
    _, end = calendar.day_hours(calendar.day(day_start))
    return _net(known, day_start, end) * (end - day_start) / max(known.as_of - day_start, 1)


def bornhuetter_ferguson(known: KnownCosts, calendar: BillingCalendar, day_start: int) -> float:
    """By service: what has arrived, and of the hour of the week's mean the share still to come."""
    history, begin = known.history, max(known.as_of - _LEARNT_HOURS, known.first_hour)
    _, end = calendar.day_hours(calendar.day(day_start))
    services = [line.service_name for line in history.lines]
    by_age = {service: [0.0] * (_SETTLED_HOURS + 1) for service in services}
    by_hour = {service: [0.0] * 168 for service in services}
    total = 0.0
    for position in range(bisect_left(history.export, known.as_of)):
        hour, service = history.usage[position], services[history.line[position]]
        usd = (history.gross[position] + history.credit[position]) / NANO
        if day_start <= hour < end:
            total += usd
        elif begin <= hour < known.as_of - _SETTLED_HOURS:
            by_age[service][min(history.export[position] - hour + 1, _SETTLED_HOURS)] += usd
            by_hour[service][calendar.week_hour(hour)] += usd
    weeks = [0] * 168
    for hour in range(begin, known.as_of - _SETTLED_HOURS):
        weeks[calendar.week_hour(hour)] += 1
    for service, ages in by_age.items():
        arrived, whole = list(accumulate(ages)), sum(ages)
        for hour in range(day_start, end):
            week_hour = calendar.week_hour(hour)
            known_share = arrived[min(max(known.as_of - hour, 0), _SETTLED_HOURS)] / whole if whole else 1.0
            total += by_hour[service][week_hour] / max(weeks[week_hour], 1) * (1.0 - known_share)
    return total


def _net(known: KnownCosts, begin: int, end: int) -> float:
    return sum(known.net_nano_usd(line, begin, end) for line in range(len(known.history.lines))) / NANO
