"""The billing days and weeks of hours, computed once for a range of hours.

Hours are counted since 1970-01-01 00:00 UTC; days are proleptic ordinals in the provider's billing zone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


class BillingCalendar:
    """Calendar of the hours from `first_hour` to before `end_hour`, widened to whole months."""

    def __init__(self, timezone: str, first_hour: int, end_hour: int) -> None:
        zone = ZoneInfo(timezone)
        first = _local(first_hour, zone).date().replace(day=1)
        last = _local(max(end_hour, first_hour + 1) - 1, zone).date()
        end = date(last.year, last.month, monthrange(last.year, last.month)[1]) + timedelta(days=1)
        self.timezone: Final = timezone
        self.first_hour: Final = _midnight(first, zone)
        self.end_hour: Final = _midnight(end, zone)
        locals_ = [_local(hour, zone) for hour in range(self.first_hour, self.end_hour)]
        self._days: Final = array("i", [local.toordinal() for local in locals_])
        self._week_hours: Final = array("h", [local.weekday() * 24 + local.hour for local in locals_])
        self._months: Final = array("i", [local.year * 12 + local.month - 1 for local in locals_])

    def day(self, hour: int) -> int:
        """Ordinal of the billing day of an hour."""
        return self._days[hour - self.first_hour]

    def week_hour(self, hour: int) -> int:
        """Local weekday times 24 plus local hour: 0 is Monday's first, 167 Sunday's last."""
        return self._week_hours[hour - self.first_hour]

    def month(self, hour: int) -> int:
        """Year times 12 plus month, from 0, of an hour."""
        return self._months[hour - self.first_hour]

    def month_days(self, hour: int) -> int:
        """Days of the billing month of an hour."""
        year, month = divmod(self.month(hour), 12)
        return monthrange(year, month + 1)[1]

    def day_hours(self, day: int) -> tuple[int, int]:
        """First hour of a billing day and of the next; 23 to 25 hours apart."""
        return self._bounds(self._days, day)

    def month_hours(self, month: int) -> tuple[int, int]:
        """First hour of a billing month and of the next."""
        return self._bounds(self._months, month)

    def week_hours(self, begin: int, end: int) -> array[int]:
        """`week_hour` of the hours from `begin` to before `end`."""
        return self._week_hours[begin - self.first_hour : end - self.first_hour]

    def _bounds(self, column: array[int], value: int) -> tuple[int, int]:
        low = bisect_left(column, value)
        return self.first_hour + low, self.first_hour + bisect_left(column, value + 1, lo=low)


def hours_at(moment: datetime) -> float:
    """Return the hours since 1970-01-01 00:00 UTC, with the part of the last one."""
    return (moment - _EPOCH) / _HOUR


def hour_at(moment: datetime) -> int:
    """Return the number of the hour that the moment is in."""
    return (moment - _EPOCH) // _HOUR


def _local(hour: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + hour * _HOUR).astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The hour in which a local day begins; zones that differ by part of an hour are rounded down."""
    return hour_at(datetime(day.year, day.month, day.day, tzinfo=zone))
