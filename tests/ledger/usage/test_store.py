"""Live usage in the ledger: hours read again replace the old ones, counters never fall, dollars stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import UsagePoint
from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from exporter.ledger.schema import MIGRATIONS, migrate
from exporter.ledger.usage.store import UsageLedger
from exporter.sources.base import HoursRead
from exporter.sources.spool import write_usage_csv

DAY = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
POINT = UsagePoint(
    provider="gcp",
    project_id="shop-prod",
    region_id="europe-west4",
    service_id="152E-C115-5142",
    resource="checkout",
    revision="checkout-00007-kox",
    meter="cloud_run_requests",
    dimension="2xx",
    start=DAY,
    end=DAY + MINUTE,
    value=10.0,
    unit="requests",
)
_numbers = count()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "spend.duckdb")
    yield opened
    opened.close()


def point(minute: int, value: float, **changes: Any) -> UsagePoint:
    start = DAY + minute * MINUTE
    return replace(POINT, **{"start": start, "end": start + MINUTE, "value": value, **changes})


def read(hours: tuple[int, int] = (0, 1), **changes: Any) -> HoursRead:
    since, until = (DAY + hour * HOUR for hour in hours)
    return replace(
        HoursRead("shop-prod", "cloud_run_requests", since, until, until, f"read to {hours[1]}"), **changes
    )


def put(ledger: Ledger, folder: Path, points: list[UsagePoint], *reads: HoursRead) -> None:
    spool = write_usage_csv(folder / f"usage-{next(_numbers)}.csv", points)
    UsageLedger(ledger).put("cloud_monitoring", reads or [read()], spool)
    spool.unlink()


def total(ledger: Ledger) -> float:
    with ledger.reading() as connection:
        return float(connection.execute("SELECT coalesce(sum(total), 0) FROM usage_series").fetchall()[0][0])


def used(ledger: Ledger) -> float:
    with UsageLedger(ledger).view() as view:
        return sum(each.amount for each in view.hourly(DAY, DAY + 100 * HOUR, ["cloud_run_requests"]))


def usd(ledger: Ledger) -> float:
    with UsageLedger(ledger).view() as view:
        return sum(each.usd_total for each in view.totals(datetime(2000, 1, 1, tzinfo=UTC)))


def test_reading_the_same_hours_twice_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(2):
        put(ledger, tmp_path, [point(0, 10), point(1, 5), point(1, 2, dimension="5xx")])
        assert (used(ledger), total(ledger)) == (17.0, 17.0)
    assert UsageLedger(ledger).cursors("cloud_monitoring") == {"shop-prod/cloud_run_requests": "read to 1"}


def test_late_points_are_added_and_other_meters_and_hours_stay(ledger: Ledger, tmp_path: Path) -> None:
    other = read(meter="cloud_run_cold_starts")
    put(ledger, tmp_path, [point(0, 3, meter="cloud_run_cold_starts")], other)
    put(ledger, tmp_path, [point(0, 10), point(70, 1)], read((0, 2)))
    put(ledger, tmp_path, [point(0, 10), point(1, 4)], read((0, 1)))
    assert (used(ledger), total(ledger)) == (15.0, 18.0)


def test_a_counter_does_not_fall_when_an_answer_is_short_and_counts_the_whole_one_once(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, [point(0, 10), point(1, 10)])
    put(ledger, tmp_path, [point(0, 10)])
    assert (used(ledger), total(ledger)) == (10.0, 20.0)
    put(ledger, tmp_path, [point(0, 10), point(1, 10), point(2, 1)])
    assert (used(ledger), total(ledger)) == (21.0, 21.0)


def test_points_outside_of_the_hours_read_are_left_out(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, [point(0, 10), point(60, 99), point(0, 99, project_id="other")])
    assert total(ledger) == 10.0


def test_a_failed_write_leaves_everything_as_it_was(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, [point(0, 10)])
    broken = write_usage_csv(tmp_path / "broken.csv", [point(0, 99), point(1, 1)])
    broken.write_text(broken.read_text(encoding="utf-8").replace('"1"', '"one"'), encoding="utf-8")
    with pytest.raises(LedgerError, match="cannot write ledger"):
        UsageLedger(ledger).put("cloud_monitoring", [read((0, 1), cursor="never")], broken)
    assert (used(ledger), total(ledger)) == (10.0, 10.0)
    assert UsageLedger(ledger).cursors("cloud_monitoring") == {"shop-prod/cloud_run_requests": "read to 1"}


@pytest.mark.slow
def test_counters_and_dollars_survive_a_restart_and_retention(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "kept.duckdb")
    put(ledger, tmp_path, [point(0, 10), point(60, 7)], read((0, 2)))
    UsageLedger(ledger).price({1: 0.5})
    UsageLedger(ledger).forget_before(DAY + HOUR, DAY + HOUR)
    ledger.close()
    ledger = Ledger(tmp_path / "kept.duckdb")
    assert (used(ledger), total(ledger), usd(ledger)) == (7.0, 17.0, 8.5)
    put(ledger, tmp_path, [point(0, 10), point(60, 7), point(61, 1)], read((0, 2)))
    assert (used(ledger), total(ledger)) == (8.0, 18.0)
    ledger.close()


def test_what_is_forgotten_does_not_come_back_when_the_clock_jumps_back(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, [point(0, 10), point(60, 7)], read((0, 2)))
    UsageLedger(ledger).forget_before(DAY + HOUR, DAY)
    UsageLedger(ledger).forget_before(DAY - HOUR, DAY)
    put(ledger, tmp_path, [point(0, 10), point(60, 7)], read((0, 2)))
    assert (used(ledger), total(ledger)) == (7.0, 17.0)


def test_a_unit_is_priced_once_at_the_rate_in_force_and_waits_until_there_is_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    usage = UsageLedger(ledger)
    put(ledger, tmp_path, [point(0, 10)])
    usage.price({})
    assert usd(ledger) == 0.0
    usage.price({1: 2.0})
    usage.price({1: 1.0})
    assert usd(ledger) == 20.0
    put(ledger, tmp_path, [point(0, 10), point(1, 3)])
    usage.price({1: 1.0})
    assert usd(ledger) == 23.0


def test_the_trailing_hour_is_the_same_hour_for_all_meters_of_a_project(
    ledger: Ledger, tmp_path: Path
) -> None:
    cpu = "cloud_run_cpu_seconds"
    points = [point(minute, 1) for minute in range(120)]
    points += [point(minute, 2, meter=cpu) for minute in range(110)]
    put(
        ledger,
        tmp_path,
        points,
        read((0, 2), through=DAY + 115 * MINUTE),
        read((0, 2), meter=cpu, through=DAY + 110 * MINUTE),
        # Behind by far, or not in use: neither keeps the others back.
        read((0, 1), meter="cloud_run_egress_bytes", through=DAY + 60 * MINUTE),
    )
    with UsageLedger(ledger).view() as view:
        found = view.trailing_hour(["cloud_run_requests", cpu, "cloud_run_egress_bytes"])
    assert {(each.meter, each.amount, each.until) for each in found} == {
        ("cloud_run_requests", 60.0, DAY + 110 * MINUTE),
        (cpu, 120.0, DAY + 110 * MINUTE),
    }


@pytest.mark.slow
def test_a_ledger_of_the_version_before_usage_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    connection = duckdb.connect(str(path))
    migrate(connection, MIGRATIONS[:1])
    connection.close()
    ledger = Ledger(path)
    put(ledger, tmp_path, [point(0, 10)])
    assert total(ledger) == 10.0
    ledger.close()


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.lists(
        st.dictionaries(st.integers(0, 179), st.integers(0, 1000), max_size=12), min_size=1, max_size=6
    )
)
def test_counters_are_the_highest_sum_seen_whatever_is_answered(
    tmp_path: Path, answers: list[dict[int, int]]
) -> None:
    ledger = Ledger(None)
    highest = 0.0
    for answer in answers:
        put(ledger, tmp_path, [point(minute, value) for minute, value in answer.items()], read((0, 3)))
        highest = max(highest, float(sum(answer.values())))
        assert used(ledger) == sum(answer.values())
        assert total(ledger) == highest
    assert total(ledger) == max(sum(answer.values()) for answer in answers)
    ledger.close()
