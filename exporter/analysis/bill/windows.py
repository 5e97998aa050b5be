"""Billing days and months: which hours of usage are today, yesterday, this month and last month.

A provider bills by days of its own zone; Google by US/Canadian Pacific time, whose days have 23 to 25 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Window = tuple[datetime, datetime]
"""Start (included) and end (excluded) in UTC."""


def billing_windows(now: datetime, timezone: str) -> dict[str, Window]:
    """Return the four windows of usage that hold at `now` (aware) for a provider billing in `timezone`.

    Keys: today, yesterday, month_to_date, last_month. `month_to_date` runs to the month's end, so that a
    charge dated later than now is in it and in no other month.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    month = today.replace(day=1)
    next_month = (month + timedelta(days=32)).replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    return {
        "today": (_midnight(today, zone), _midnight(today + timedelta(days=1), zone)),
        "yesterday": (_midnight(today - timedelta(days=1), zone), _midnight(today, zone)),
        "month_to_date": (_midnight(month, zone), _midnight(next_month, zone)),
        "last_month": (_midnight(last_month, zone), _midnight(month, zone)),
    }


def billing_day(now: datetime, timezone: str, days_ago: int) -> Window:
    """Return the billing day that lies `days_ago` before the one of `now`."""
    zone = ZoneInfo(timezone)
    day = now.astimezone(zone).date() - timedelta(days=days_ago)
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
