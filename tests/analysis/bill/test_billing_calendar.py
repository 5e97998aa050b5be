"""Billing days of 23 and 25 hours, and the months and weeks that hours fall into."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exporter.analysis.bill.billing_calendar import BillingCalendar


def hour(year: int, month: int, day: int, clock: int = 0) -> int:
    return int(datetime(year, month, day, clock, tzinfo=UTC).timestamp()) // 3600


CALENDAR = BillingCalendar("America/Los_Angeles", hour(2026, 3, 1), hour(2026, 12, 1))


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 5, 1), 24), (date(2026, 11, 1), 25)]
)
def test_a_day_has_as_many_hours_as_the_clocks_leave_it(day: date, hours: int) -> None:
    begin, end = CALENDAR.day_hours(day.toordinal())
    assert end - begin == hours
    assert {CALENDAR.day(at) for at in range(begin, end)} == {day.toordinal()}
    assert CALENDAR.week_hour(begin) == day.weekday() * 24


def test_a_month_begins_and_ends_at_the_zones_midnights() -> None:
    month = 2026 * 12 + 10
    assert CALENDAR.month_hours(month) == (hour(2026, 11, 1, 7), hour(2026, 12, 1, 8))
    assert CALENDAR.month_days(hour(2026, 11, 15)) == 30


def test_it_reaches_over_the_whole_of_its_first_and_last_month() -> None:
    calendar = BillingCalendar("Asia/Kolkata", hour(2026, 2, 10), hour(2026, 2, 11))
    assert calendar.day(calendar.first_hour + 1) == date(2026, 2, 1).toordinal()
    assert calendar.day(calendar.end_hour - 1) == date(2026, 2, 28).toordinal()
