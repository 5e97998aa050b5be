"""What is read follows from the cursor, the clock and the metric's own timing; no interval is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.meters import USAGE_TABLE, meters_by_name
from exporter.sources.google.monitoring.plan import Reach, ReadPlan, Timing, period_seconds, plan_read

NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=400)
REQUESTS = meters_by_name()["cloud_run_requests"]
CPU = meters_by_name()["cloud_sql_cpu_seconds"]
USUAL = Timing()
REACH = Reach(late=HOUR, backfill=timedelta(hours=48))


def plan(
    known: str | None, now: datetime, *, by_revision: bool = True, timing: Timing = USUAL
) -> ReadPlan | None:
    return plan_read(REQUESTS, timing, REACH, known, now=now, oldest_kept=LONG_AGO, by_revision=by_revision)


def test_the_newest_points_are_left_alone_until_they_are_all_there() -> None:
    found = plan(None, NOW, timing=Timing(60.0, 180.0))
    assert found is not None
    assert found.through == NOW.replace(minute=34, second=0)
    assert found.first_hour == NOW.replace(minute=0, second=0) - timedelta(hours=48)


def test_nothing_is_read_before_a_whole_period_has_passed() -> None:
    found = plan(None, NOW)
    assert found is not None
    assert plan(found.cursor, NOW + timedelta(seconds=30)) is None
    assert plan(found.cursor, NOW + timedelta(seconds=60)) is not None


@pytest.mark.parametrize(
    ("sample_seconds", "expected"), [(1.0, 300), (300.0, 300), (400.0, 600), (3600.0, 3600), (86400.0, 3600)]
)
def test_a_metric_is_read_no_more_often_than_it_is_sampled(sample_seconds: float, expected: int) -> None:
    assert period_seconds(CPU, Timing(sample_seconds)) == expected


def test_a_cursor_of_an_unknown_form_is_read_anew() -> None:
    assert plan("what is this", NOW) == plan(None, NOW) == plan("", NOW) == plan("2026-11-20T16:00Z", NOW)


def test_what_can_be_read_no_more_is_reported() -> None:
    first = plan(None, NOW)
    assert first is not None
    later = plan(first.cursor, NOW + timedelta(hours=50))
    assert later is not None
    assert later.gap == (first.through, later.first_hour)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=30))
def test_every_interval_is_read_and_every_hour_is_held_in_one_way(steps: list[tuple[int, bool]]) -> None:
    now, known, read_to = NOW, None, None
    ways: dict[datetime, bool] = {}
    for minutes, by_revision in steps:
        now += timedelta(minutes=minutes)
        found = plan(known, now, by_revision=by_revision)
        if found is None:
            continue
        assert found.stretches[0].since == found.first_hour
        assert read_to is None or found.first_hour <= read_to - HOUR + timedelta(minutes=59)
        for one, following in zip(found.stretches, found.stretches[1:], strict=False):
            assert one.until == following.since
        assert found.stretches[-1].until == found.through <= found.end_hour
        for stretch in found.stretches:
            assert stretch.since < stretch.until
            hour = stretch.since
            while hour < stretch.until:
                assert ways.setdefault(hour, stretch.by_revision) == stretch.by_revision
                hour += HOUR
        known, read_to = found.cursor, found.through
    assert read_to is not None, "nothing was ever read"


def test_every_row_of_the_table_can_be_planned() -> None:
    assert USAGE_TABLE
    for meter in USAGE_TABLE:
        found = plan_read(meter, Timing(), REACH, None, now=NOW, oldest_kept=LONG_AGO, by_revision=True)
        assert found is not None
        assert all(3600 % stretch.period_seconds == 0 for stretch in found.stretches)
        assert any(stretch.by_revision for stretch in found.stretches) == bool(meter.revision)
