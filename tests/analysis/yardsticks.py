"""Three simple ways to estimate a day's cost, to hold the nowcast against."""

from __future__ import annotations

from collections.abc import Callable

from exporter.analysis.billing_calendar import BillingCalendar
from exporter.analysis.cost_history import NANO, NEVER, KnownCosts

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
    """By service: what has arrived, and of the mean of the hour of the week the share that is still to come."""
    _, end = calendar.day_hours(calendar.day(day_start))
    history, first = known.history, known.first_hour
    begin = max(known.as_of - _LEARNT_HOURS, first)
    settled = known.as_of - _SETTLED_HOURS
    services = {line.service_name for line in history.lines}
    total = 0.0
    for service in services:
        lines = [n for n, line in enumerate(history.lines) if line.service_name == service]
        by_age = [0.0] * (_SETTLED_HOURS + 1)
        means = [[0.0, 0] for _ in range(168)]
        for hour in range(begin, settled):
            at = hour - first
            usd = 0.0
            for line in lines:
                net = (known.gross[line][at] + known.credit[line][at]) / NANO
                usd += net
                if known.first_export[line][at] != NEVER:
                    age = min(known.first_export[line][at] - hour + 1, _SETTLED_HOURS)
                    by_age[age] += net
            mean = means[calendar.week_hour(hour)]
            mean[0] += usd
            mean[1] += 1
        whole = sum(by_age)
        for hour in range(day_start, end):
            total += sum(known.net_nano_usd(line, hour, hour + 1) for line in lines) / NANO
            usd, count = means[calendar.week_hour(hour)]
            age = known.as_of - hour
            arrived = sum(by_age[: max(age, 0) + 1]) / whole if whole else 1.0
            total += (usd / count if count else 0.0) * (1.0 - arrived)
    return total


def _net(known: KnownCosts, begin: int, end: int) -> float:
    return sum(known.net_nano_usd(line, begin, end) for line in range(len(known.history.lines))) / NANO
