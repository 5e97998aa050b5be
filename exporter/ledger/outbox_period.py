"""What one value in the outbox is for: an hour of usage, or a billing day; and the times of its samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from exporter.ledger.charges.daily import DAY_STAMP_SECONDS
from exporter.ledger.charges.hourly import STAMP_SECONDS

_PERIODS_AT_ONCE: Final = 168
"""This many are compared at a time, which limits the memory."""


@dataclass(frozen=True, slots=True)
class Period:
    """The length of time that a value is for. A period is known by its begin, a day by midnight UTC."""

    unit: Literal["hour", "day"]
    length: timedelta
    stamp_seconds: int
    """From its begin to the time of its first sample."""
    ends_after: timedelta
    """From its begin to the time from which it is sent: not before its sample's time is past."""
    slot_minutes: int
    """Corrections are in this many minutes before the first sample, before seconds of them are used."""

    def first_of(self, moment: datetime) -> datetime:
        """Return the begin of the period that has this moment (aware), in UTC."""
        since = moment.astimezone(UTC) - _EPOCH
        return _EPOCH + since // self.length * self.length

    def end_of_due(self, until: datetime) -> datetime:
        """Return the end of the last period that is sent at that time."""
        return self.first_of(until - self.ends_after) + self.length

    def whole_from(self, kept_from: datetime) -> datetime:
        """Return the first period of which no charge from `kept_from` on is missing."""
        if self.unit == "hour":
            return self.first_of(kept_from)
        # A billing day begins up to 14 hours before its date does in UTC.
        return self.first_of(kept_from) + 2 * self.length

    @property
    def window(self) -> timedelta:
        """How much time is compared at once."""
        return self.length * _PERIODS_AT_ONCE

    def stamp_ms(self, begin: datetime, revision: int) -> int:
        """Return the time of a sample in milliseconds since 1970: that of the backfilled one, or earlier.

        Neighbouring corrections are a minute apart, so that a receiver that thins out samples keeps the
        first ones.
        """
        minutes = revision % self.slot_minutes
        seconds = revision // self.slot_minutes % 60
        milliseconds = revision // (self.slot_minutes * 60)
        first = (int(begin.timestamp()) + self.stamp_seconds) * 1000
        return first - minutes * 60_000 - seconds * 1000 - milliseconds


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

HOUR: Final = Period("hour", timedelta(hours=1), STAMP_SECONDS, timedelta(hours=1), 14)
"""Corrections stay in the last quarter of the hour, so that days that begin at :30 or :45 are right too."""

DAY: Final = Period("day", timedelta(days=1), DAY_STAMP_SECONDS, timedelta(seconds=DAY_STAMP_SECONDS), 119)
"""Corrections stay within two hours before noon UTC: in all zones from UTC-10 to UTC+11 on the same date."""
