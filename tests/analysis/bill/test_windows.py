"""Billing days are days of the provider's zone: 23, 24 or 25 hours of usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.windows import billing_day, billing_windows

PACIFIC = "America/Los_Angeles"
HOUR = timedelta(hours=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


def test_a_google_day_begins_at_pacific_midnight() -> None:
    before, after = utc(2026, 7, 15, 6, 59, 59), utc(2026, 7, 15, 7)
    assert billing_windows(before, PACIFIC)["today"] == (utc(2026, 7, 14, 7), utc(2026, 7, 15, 7))
    assert billing_windows(after, PACIFIC)["today"] == (utc(2026, 7, 15, 7), utc(2026, 7, 16, 7))
    assert billing_windows(after, PACIFIC)["yesterday"] == (utc(2026, 7, 14, 7), utc(2026, 7, 15, 7))


def test_months_turn_with_the_provider_and_not_with_utc() -> None:
    windows = billing_windows(utc(2026, 1, 1, 7, 59), PACIFIC)
    assert windows["month_to_date"] == (utc(2025, 12, 1, 8), utc(2026, 1, 1, 8))
    assert windows["last_month"] == (utc(2025, 11, 1, 7), utc(2025, 12, 1, 8))


@pytest.mark.parametrize(
    ("noon", "hours"),
    [
        (utc(2026, 11, 1, 20), 25),
        (utc(2026, 3, 8, 20), 23),
        (utc(2026, 6, 1, 20), 24),
    ],
)
def test_days_of_a_clock_change_have_25_and_23_hours(noon: datetime, hours: int) -> None:
    start, end = billing_windows(noon, PACIFIC)["today"]
    assert end - start == hours * HOUR


@given(
    now=st.datetimes(datetime(2016, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from([PACIFIC, "UTC", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_windows_follow_each_other_without_gap_or_overlap(now: datetime, zone: str) -> None:
    windows = billing_windows(now, zone)
    assert windows["today"][0] <= now < windows["today"][1]
    assert windows["yesterday"][1] == windows["today"][0]
    assert windows["last_month"][1] == windows["month_to_date"][0]
    assert windows["month_to_date"][0] <= windows["today"][0] < windows["month_to_date"][1]
    days = [billing_day(now, zone, days_ago) for days_ago in range(40)]
    assert all(earlier[1] == later[0] for later, earlier in pairwise(days))
    assert days[1] == windows["yesterday"]
