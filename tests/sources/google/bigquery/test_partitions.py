"""Partitions of an export table: their names, bounds and months."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.google.bigquery.partitions import (
    NULL_PARTITION,
    VIRTUAL_DAYS,
    Partitioning,
    Unit,
    by_month,
)

MOMENTS = st.integers(0, 45 * 365 * 86_400).map(
    lambda seconds: datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
UNITS: st.SearchStrategy[Unit] = st.sampled_from(["HOUR", "DAY", "MONTH", "YEAR"])


def ingested_by(unit: Unit) -> Partitioning:
    return Partitioning("ingestion", "_PARTITIONTIME", "TIMESTAMP", unit)


@given(UNITS, MOMENTS)
def test_every_moment_lies_in_exactly_one_partition_whose_id_names_its_start(
    unit: Unit, moment: datetime
) -> None:
    cut = ingested_by(unit)
    start = cut.floor(moment)

    assert start <= moment < cut.following(start)
    assert cut.floor(start) == start
    assert cut.floor(cut.following(start)) == cut.following(start)
    assert cut.start_of(cut.partition_id(start)) == start


@given(UNITS, st.lists(MOMENTS, min_size=2))
def test_ids_sort_as_their_partitions_do(unit: Unit, moments: list[datetime]) -> None:
    cut = ingested_by(unit)
    starts = sorted({cut.floor(moment) for moment in moments})

    assert [cut.partition_id(start) for start in starts] == sorted(map(cut.partition_id, starts))


@given(UNITS, st.sets(st.integers(0, 80), min_size=1))
def test_the_condition_covers_the_asked_partitions_and_no_other(unit: Unit, numbers: set[int]) -> None:
    cut = ingested_by(unit)
    everything = [cut.floor(datetime(2026, 1, 31, 23, tzinfo=UTC))]
    while len(everything) <= 81:
        everything.append(cut.following(everything[-1]))
    condition = cut.among(everything[number] for number in numbers)

    bounds = [
        datetime.fromisoformat(text.replace("+00", "+00:00"))
        for text in re.findall(r"TIMESTAMP '([^']+)'", condition)
    ]
    ranges = list(zip(bounds[::2], bounds[1::2], strict=True))
    covered = {
        number
        for number, start in enumerate(everything)
        if any(first <= start < end for first, end in ranges)
    }
    assert covered == numbers
    assert all(end < first for (_, end), (first, _) in pairwise(ranges))


@pytest.mark.parametrize(
    ("column_type", "expression", "condition"),
    [
        ("TIMESTAMP", "TIMESTAMP_TRUNC(day, DAY)", "day >= TIMESTAMP '2026-11-20 00:00:00+00'"),
        ("DATE", "TIMESTAMP(DATE_TRUNC(day, DAY))", "day >= DATE '2026-11-20'"),
        ("DATETIME", "TIMESTAMP(DATETIME_TRUNC(day, DAY))", "day >= DATETIME '2026-11-20 00:00:00'"),
    ],
)
def test_a_column_is_compared_in_its_own_type_since_only_that_prunes(
    column_type: str, expression: str, condition: str
) -> None:
    cut = Partitioning("column", "day", column_type, "DAY")

    assert cut.start_expression == expression
    assert cut.since(datetime(2026, 11, 20, tzinfo=UTC), with_null=False) == condition
    assert cut.since(datetime(2026, 11, 20, tzinfo=UTC), with_null=True) == f"({condition} OR day IS NULL)"


def test_rows_in_the_streaming_buffer_are_left_until_they_have_a_partition() -> None:
    condition = ingested_by("DAY").since(datetime(2026, 11, 20, tzinfo=UTC), with_null=True)

    assert condition == "_PARTITIONTIME >= TIMESTAMP '2026-11-20 00:00:00+00'"


def test_months_are_in_order_and_rows_without_a_partition_time_come_last() -> None:
    start = datetime(2026, 10, 30, tzinfo=UTC)
    days: list[datetime | None] = [start + timedelta(days=number) for number in range(4)]

    assert by_month([None, *reversed(days)]) == [
        ("2026-10", days[:2]),
        ("2026-11", days[2:]),
        (NULL_PARTITION, [None]),
    ]
    assert VIRTUAL_DAYS.among([None]) == "export_time IS NULL"


@pytest.mark.parametrize("partition_id", ["2026-11", "2026-11-20T05", "x", ""])
def test_an_id_of_another_partitioning_is_not_taken_for_a_day(partition_id: str) -> None:
    with pytest.raises(ValueError, match=r"match|unconverted"):
        ingested_by("DAY").start_of(partition_id)
