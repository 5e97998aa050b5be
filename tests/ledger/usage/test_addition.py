"""Usage that is added bit by bit: sums grow by what came, once, together with the cursor, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import UsagePoint
from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from exporter.ledger.usage.store import UsageLedger
from exporter.sources.base import HoursRead
from exporter.sources.spool import write_usage_csv

DAY = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = "/var/log/llm/app.jsonl#1"
POINT = UsagePoint(
    provider="openai",
    project_id="",
    region_id="",
    service_id="",
    resource="gpt-4o",
    revision="",
    meter="llm_tokens",
    dimension="input",
    start=DAY,
    end=DAY + HOUR,
    value=10.0,
    unit="tokens",
)
_numbers = count()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "spend.duckdb")
    yield opened
    opened.close()


def point(hour: int, value: float, **changes: Any) -> UsagePoint:
    start = DAY + hour * HOUR
    return replace(POINT, **{"start": start, "end": start + HOUR, "value": value, **changes})


def spool(folder: Path, points: list[UsagePoint]) -> Path:
    return write_usage_csv(folder / f"usage-{next(_numbers)}.csv", points)


def add(ledger: Ledger, folder: Path, points: list[UsagePoint], cursor: str, partition: str = FILE) -> None:
    UsageLedger(ledger).add("usage_logs", partition, cursor, spool(folder, points))


def total(ledger: Ledger) -> float:
    with ledger.reading() as connection:
        return float(connection.execute("SELECT coalesce(sum(total), 0) FROM usage_series").fetchall()[0][0])


def by_hour(ledger: Ledger) -> dict[int, float]:
    with UsageLedger(ledger).view() as view:
        found: dict[int, float] = {}
        for each in view.hourly(DAY - 100 * HOUR, DAY + 100 * HOUR, ["llm_tokens"]):
            hour = (each.hour - DAY) // HOUR
            found[hour] = found.get(hour, 0.0) + each.amount
        return found


def stored_rows(ledger: Ledger, table: str) -> int:
    with ledger.reading() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_points_of_one_hour_add_up_in_one_row_from_whatever_partition(ledger: Ledger, tmp_path: Path) -> None:
    other = "/var/log/llm/app.jsonl#2"
    add(ledger, tmp_path, [point(0, 10), point(0, 1), point(1, 2)], "byte 100")
    add(ledger, tmp_path, [point(0, 5)], "byte 150")
    add(ledger, tmp_path, [point(0, 3)], "byte 7", other)
    assert by_hour(ledger) == {0: 19.0, 1: 2.0}
    assert total(ledger) == 21.0
    assert stored_rows(ledger, "usage_hour") == 2
    assert UsageLedger(ledger).cursors("usage_logs") == {FILE: "byte 150", other: "byte 7"}


def test_parts_of_an_hour_add_up_where_they_are_the_same_part(ledger: Ledger, tmp_path: Path) -> None:
    part = point(0, 4, end=DAY + timedelta(minutes=5))
    for cursor in ("a", "b"):
        add(ledger, tmp_path, [part, point(1, 1)], cursor)
    assert by_hour(ledger) == {0: 8.0, 1: 2.0}
    assert stored_rows(ledger, "usage_point") == 1


def test_a_failed_write_leaves_sums_and_cursor_as_they_were(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger, tmp_path, [point(0, 10)], "byte 100")
    broken = spool(tmp_path, [point(0, 99), point(1, 1)])
    broken.write_text(broken.read_text(encoding="utf-8").replace('"1"', '"one"'), encoding="utf-8")
    with pytest.raises(LedgerError, match="cannot write ledger"):
        UsageLedger(ledger).add("usage_logs", FILE, "never", broken)
    assert (by_hour(ledger), total(ledger)) == ({0: 10.0}, 10.0)
    assert UsageLedger(ledger).cursors("usage_logs") == {FILE: "byte 100"}


def test_hours_that_were_forgotten_are_left_out_and_counters_keep_what_they_had(
    ledger: Ledger, tmp_path: Path
) -> None:
    add(ledger, tmp_path, [point(0, 10), point(1, 7)], "byte 100")
    UsageLedger(ledger).forget_before(DAY + HOUR, DAY)
    add(ledger, tmp_path, [point(0, 99), point(1, 1)], "byte 200")
    assert (by_hour(ledger), total(ledger)) == ({1: 8.0}, 18.0)


def test_cursors_of_additions_are_returned_only_to_their_source(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger, tmp_path, [point(0, 10)], "byte 100")
    read = HoursRead("shop", "cloud_run_requests", DAY, DAY + HOUR, DAY + HOUR, "read")
    requests = point(0, 60, meter="cloud_run_requests", project_id="shop", end=DAY + HOUR / 2)
    UsageLedger(ledger).put("cloud_monitoring", [read], spool(tmp_path, [requests]))
    with UsageLedger(ledger).view() as view:
        assert view.read_through() == [("shop", "cloud_run_requests", DAY + HOUR)]
        trailing = view.trailing_hour(["cloud_run_requests", "llm_tokens"])
    assert [each.meter for each in trailing] == ["cloud_run_requests"]
    assert UsageLedger(ledger).cursors("cloud_monitoring") == {"shop/cloud_run_requests": "read"}


def test_obsolete_cursors_go_and_what_was_added_with_them_stays(ledger: Ledger, tmp_path: Path) -> None:
    add(ledger, tmp_path, [point(0, 10)], "byte 100")
    newer = "/var/log/llm/app.jsonl#2"
    UsageLedger(ledger).add("usage_logs", newer, "byte 1", spool(tmp_path, [point(0, 1)]), [FILE])
    assert UsageLedger(ledger).cursors("usage_logs") == {newer: "byte 1"}
    assert total(ledger) == 11.0


def test_a_partition_without_a_slash_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no slash"):
        add(ledger, tmp_path, [point(0, 10)], "byte 100", "app")
    assert total(ledger) == 0.0


@pytest.mark.slow
def test_additions_survive_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        ledger = Ledger(tmp_path / "kept.duckdb")
        add(ledger, tmp_path, [point(0, 10)], f"byte {number}")
        assert (by_hour(ledger), total(ledger)) == ({0: 10.0 * number}, 10.0 * number)
        ledger.close()


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    additions=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 1000)), max_size=8), min_size=1, max_size=6
    )
)
def test_sums_are_those_of_all_that_was_added(tmp_path: Path, additions: list[list[tuple[int, int]]]) -> None:
    ledger = Ledger(None)
    expected: dict[int, float] = {}
    for number, points in enumerate(additions):
        add(ledger, tmp_path, [point(hour, value) for hour, value in points], str(number))
        for hour, value in points:
            expected[hour] = expected.get(hour, 0.0) + value
        assert by_hour(ledger) == expected
        assert total(ledger) == sum(expected.values())
    assert by_hour(ledger) == expected
    ledger.close()
