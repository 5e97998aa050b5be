"""Small files that share rows are found among many of the same days, and each file is read once for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.sources.base import Batch, RefreshContext, RefreshTally
from exporter.sources.files import row_shares
from exporter.sources.files.row_shares import CountedRows, shares_of
from exporter.sources.focus.source import FocusSource
from tests.support.focus_rows import Row, focus_row, write_focus_csv

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def counted(name: str, *rows: int, columns: str = "ab") -> CountedRows:
    listed = ", ".join(f"({row}::UBIGINT, 1)" for row in rows)
    return CountedRows(name, frozenset(columns), f"SELECT * FROM (VALUES {listed}) AS listed(row, rows)")


def test_the_shares_of_all_pairs_count_each_row_once_for_one_of_its_own() -> None:
    files = [
        counted("a", 1, 2, 2, 3),
        counted("b", 2, 3, 4, 5, 6),
        counted("c", 7),
        counted("d", 1, columns="xy"),
    ]
    with duckdb.connect() as connection:
        assert shares_of(connection, files) == {("a", "b"): 0.5, ("b", "a"): 0.4}


def test_files_with_too_many_equal_rows_are_not_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_shares, "MOST_COMPARISONS", 3)
    with duckdb.connect() as connection:
        assert shares_of(connection, [counted("a", 1), counted("b", 1)]) is None


def rows_of(file: int, hours: range, extra: int = 0) -> list[Row]:
    return [
        focus_row(
            ChargePeriodStart=f"2026-11-10T{hour:02}:00:00Z",
            BilledCost=f"{file}.{hour:02}{number}",
            SkuId=f"{number}",
        )
        for hour in hours
        for number in range(1 + extra)
    ]


@pytest.mark.slow
def test_a_file_within_another_is_found_among_many_of_the_same_day(tmp_path: Path) -> None:
    exports, spool = tmp_path / "exports", tmp_path / "spool"
    exports.mkdir()
    spool.mkdir()
    for number in range(12):
        write_focus_csv(exports / f"{'abcdefghijkl'[number]}.csv", rows_of(number + 1, range(10)))
    write_focus_csv(exports / "less.csv", rows_of(50, range(10)))
    write_focus_csv(exports / "more.csv", rows_of(50, range(10), extra=1))
    oldest = datetime(2015, 1, 1, tzinfo=UTC)
    context = RefreshContext({}, NOW, NOW + timedelta(days=1), oldest, spool, RefreshTally())
    refused = [
        (Path(change.partition).name, each.reason)
        for change in FocusSource([str(exports / "*.csv")]).refresh(context)
        if isinstance(change, Batch)
        for each in change.rejected
    ]
    assert refused == [("less.csv", "repeated_file")]
