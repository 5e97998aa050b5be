"""Billing days in SQL: by how much each provider's clock differs from UTC, and the day that a charge is in.

DuckDB's own time zones need an extension; the ledger has none, so Python's tables are handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.windows import Window

LONGEST_SHIFT: Final = timedelta(hours=14)
"""No zone is further from UTC, so a billing day is within its UTC date and this much more on both sides."""

SHIFTS: Final = """(
  SELECT unnest($shifted_providers::VARCHAR[]) AS shifted_provider,
    unnest($shifted_from::TIMESTAMP[]) AS shifted_from, unnest($shifted_until::TIMESTAMP[]) AS shifted_until,
    to_seconds(unnest($shift_seconds::BIGINT[])) AS shift
)"""
"""What to add to UTC, by provider and time; the parameters are those of `shifts`."""

BILLING_DAY: Final = "date_trunc('day', charge_period_start + coalesce(shift, INTERVAL 0 SECOND))"
"""Midnight (UTC) of the date of a charge's billing day; a provider without a zone has days of UTC."""


def shifts(zones: Mapping[str, str], window: Window) -> dict[str, object]:
    """Return the parameters of SHIFTS for charges in the window; `zones` is by provider."""
    found = [
        (provider, naive_utc(begin), naive_utc(end), int(shift.total_seconds()))
        for provider, zone in sorted(zones.items())
        for begin, end, shift in _spans(ZoneInfo(zone), window)
    ]
    return {
        "shifted_providers": [each[0] for each in found],
        "shifted_from": [each[1] for each in found],
        "shifted_until": [each[2] for each in found],
        "shift_seconds": [each[3] for each in found],
    }


def _spans(zone: ZoneInfo, window: Window) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield times with their difference from UTC; clocks change at whole hours of UTC."""
    hour = timedelta(hours=1)
    begin = window[0].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    at, shift = begin, _shift(zone, begin)
    while at < window[1]:
        following = _shift(zone, at)
        if following != shift:
            yield begin, at, shift
            begin, shift = at, following
        at += hour
    yield begin, at, shift


def _shift(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
