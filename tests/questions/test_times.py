"""Spans of questions: billing days of each bill, also where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exporter.questions.times import Step, last_weekday, slots_of, span_before, span_of

PACIFIC = "America/Los_Angeles"
EVENING = datetime(2026, 11, 26, 6, tzinfo=UTC)
"""Still the 25th in California."""


def test_now_is_today_in_the_zone_that_is_furthest() -> None:
    assert span_of("now-1d", "now", "day", EVENING, {PACIFIC}).end == date(2026, 11, 26)
    span = span_of("now-1d", "now", "day", EVENING, {PACIFIC, "UTC"})
    assert (span.first, span.end) == (date(2026, 11, 24), date(2026, 11, 27))


def test_to_includes_the_day_of_a_time_and_excludes_a_date() -> None:
    assert span_of("2026-11-01", "now-1d", "day", EVENING, {"UTC"}).end == date(2026, 11, 26)
    assert span_of("2026-11-01", "2026-11-25", "day", EVENING, {"UTC"}).end == date(2026, 11, 25)
    midnight = span_of("2026-11-01", "2026-11-25T00:00:00Z", "day", EVENING, {"UTC"})
    assert midnight.end == date(2026, 11, 25)


def test_a_day_has_25_hours_when_summer_time_ends() -> None:
    span = span_of("2026-11-01", "2026-11-02", "hour", EVENING, {PACIFIC})
    slots = slots_of(span, "hour")
    assert len(slots) == 25
    assert slots[0].start == "2026-11-01T07:00:00Z"


def test_times_are_rounded_to_whole_hours_and_a_plus_may_come_as_a_space() -> None:
    span = span_of("2026-11-01T08:20:00 01:00", "2026-11-01T09:10:00Z", "hour", EVENING, {"UTC"})
    assert (span.first, span.end) == (
        datetime(2026, 11, 1, 7, tzinfo=UTC),
        datetime(2026, 11, 1, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("first", "end", "compared", "before"),
    [
        ("2026-11-17", "2026-11-18", "previous", (date(2026, 11, 16), date(2026, 11, 17))),
        ("2026-11-17", "2026-11-18", "week", (date(2026, 11, 10), date(2026, 11, 11))),
        ("2026-10-01", "2026-11-01", "previous", (date(2026, 9, 1), date(2026, 10, 1))),
    ],
)
def test_the_span_before_is_as_long_or_as_many_months(
    first: str, end: str, compared: str, before: tuple[date, date]
) -> None:
    found = span_before(span_of(first, end, "day", EVENING, {PACIFIC}), compared)  # type: ignore[arg-type]
    assert found is not None
    assert (found.first, found.end) == before


@pytest.mark.parametrize(
    ("step", "count"), [("hour", 48), ("day", 14), ("week", 8), ("month", 6), ("total", 1)]
)
def test_without_from_there_are_as_many_periods_as_usual(step: Step, count: int) -> None:
    assert len(slots_of(span_of(None, None, step, EVENING, {"UTC"}), step)) == count


@pytest.mark.parametrize(
    ("name", "now", "day"),
    [
        ("tuesday", datetime(2026, 11, 20, 16, tzinfo=UTC), date(2026, 11, 17)),
        ("Thursday", datetime(2026, 11, 20, 16, tzinfo=UTC), date(2026, 11, 19)),
        ("friday", datetime(2026, 11, 20, 16, tzinfo=UTC), date(2026, 11, 13)),
        # In Los Angeles it is still Thursday, so no bill's Thursday is over everywhere.
        ("thursday", datetime(2026, 11, 20, 3, tzinfo=UTC), date(2026, 11, 12)),
    ],
)
def test_a_weekday_is_the_last_one_that_is_over_in_every_zone(name: str, now: datetime, day: date) -> None:
    assert last_weekday(name, now, ["UTC", "America/Los_Angeles"]) == day
