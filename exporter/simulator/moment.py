"""One hour of the world in every calendar that matters: UTC, the company's clocks, Pacific billing days.

Hours are counted since 1970-01-01 00:00 UTC; billing days and months are Pacific ones.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_PER_HOUR: Final = 3_600_000_000
BILLING_ZONE: Final = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class Moment:
    """One hour in the calendars."""

    hour: int
    start: datetime
    end: datetime
    week_hours: dict[str, int]
    """By IANA zone: hours since Monday 00:00 of the local week, 0 to 167."""
    billing_day: int
    """Proleptic ordinal of the Pacific day."""
    billing_month: str
    """YYYYMM of the Pacific month."""
    month_progress: float
    """Share of the Pacific month that has passed, 0 to 1."""
    month_days: int


def moment(hour: int, zones: tuple[ZoneInfo, ...]) -> Moment:
    """Look one hour up in the billing calendar and on the clocks of some zones."""
    start = hour_start(hour)
    pacific = start.astimezone(BILLING_ZONE)
    days = monthrange(pacific.year, pacific.month)[1]
    return Moment(
        hour=hour,
        start=start,
        end=hour_start(hour + 1),
        week_hours={zone.key: _week_hour(start.astimezone(zone)) for zone in zones},
        billing_day=pacific.toordinal(),
        billing_month=f"{pacific:%Y%m}",
        month_progress=(pacific.day - 1 + pacific.hour / 24.0) / days,
        month_days=days,
    )


def _week_hour(local: datetime) -> int:
    return local.weekday() * 24 + local.hour


def hour_start(hour: int) -> datetime:
    """The time at which an hour begins, in UTC."""
    return EPOCH + timedelta(hours=hour)


def to_microseconds(time: datetime) -> int:
    """Microseconds since the epoch; the time must be aware."""
    return (time - EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=256)
def from_microseconds(microseconds: int) -> datetime:
    """The time so many microseconds after the epoch, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def utc(time: datetime) -> datetime:
    """The same time in UTC. Raises TypeError when it is naive: a zone is never guessed."""
    return from_microseconds(to_microseconds(time))


def month_first_hour(month: str) -> int:
    """The hour in which a Pacific month (YYYYMM) begins."""
    begin = datetime(int(month[:4]), int(month[4:]), 1, tzinfo=BILLING_ZONE)
    return to_microseconds(begin) // MICROSECONDS_PER_HOUR


def next_month(month: str) -> str:
    """The month after a month, both YYYYMM."""
    year, number = int(month[:4]), int(month[4:])
    return f"{year + number // 12:04d}{number % 12 + 1:02d}"
