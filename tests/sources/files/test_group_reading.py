"""Many small files are read at once, and say the same as when each is read by itself."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Source
from exporter.sources.files import group_reading
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from tests.support.export_rows import WRITERS, export_row
from tests.support.focus_rows import focus_row, write_focus_csv, write_focus_parquet

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

Write = Callable[[Path, int, str], object]
"""Writes the rows of one day, with a cost, to a file."""


def focus_csv(path: Path, day: int, cost: str) -> None:
    times = [f"2026-11-{day:02}T{hour:02}:00:00Z" for hour in range(3)]
    write_focus_csv(
        path.with_suffix(".csv"), [focus_row(ChargePeriodStart=at, BilledCost=cost) for at in times]
    )


def focus_parquet(path: Path, day: int, cost: str) -> None:
    focus_csv(path.with_suffix(".text"), day, cost)
    write_focus_parquet(path.with_suffix(".parquet"), path.with_suffix(".csv"))
    path.with_suffix(".csv").unlink()


def google(suffix: str) -> Write:
    def write(path: Path, day: int, cost: str) -> None:
        start = f"2026-11-{day:02}T08:00:00Z"
        WRITERS[suffix](path.with_suffix(suffix), [export_row(cost=float(cost), usage_start_time=start)] * 2)

    return write


def all_of(source: Source, folder: Path) -> tuple[list[Change], RefreshContext]:
    folder.mkdir()
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), datetime(2015, 1, 1, tzinfo=UTC), folder, RefreshTally()
    )
    return list(source.refresh(context)), context


def said(change: Change) -> Any:
    assert isinstance(change, Batch), change
    with duckdb.connect() as connection:
        charges = connection.execute(f"FROM read_parquet('{change.charges}') ORDER BY ALL").fetchall()
    return change.partition, change.cursor, change.rows, change.rejected, charges


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "make"),
    [
        (focus_csv, FocusSource),
        (focus_parquet, FocusSource),
        *((google(suffix), FilesSource) for suffix in WRITERS),
    ],
    ids=["focus csv", "focus parquet", *(f"google {suffix}" for suffix in WRITERS)],
)
def test_files_that_are_read_at_once_say_what_each_says_by_itself(
    write: Write, make: Callable[[list[str]], Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for day in range(1, 13):
        write(exports / f"{day}", day, f"{day}.25")
    pattern = [str(exports / "*.*")]
    together, context = all_of(make(pattern), tmp_path / "together")
    assert sum(isinstance(each, Batch) and each.more_follow for each in together) == 11
    monkeypatch.setattr("exporter.sources.files.reading_ahead.MOST_BYTES", -1)
    alone, _ = all_of(make(pattern), tmp_path / "alone")
    assert not any(isinstance(each, Batch) and each.more_follow for each in alone)
    assert sorted(map(said, together), key=str) == sorted(map(said, alone), key=str)
    assert len(list(context.spool.iterdir())) == 12


@pytest.mark.slow
def test_a_file_with_bad_rows_or_other_columns_is_set_aside_by_name_and_the_others_are_still_read_at_once(
    tmp_path: Path,
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for day in range(1, 8):
        focus_csv(exports / f"{day}", day, "1")
    write_focus_csv(exports / "bad.csv", [focus_row(BilledCost="much"), focus_row(BilledCost="2")])
    with (exports / "3.csv").open("a") as handle:
        handle.write('broken,"line\n')
    later = focus_row("1.2", BilledCost="4", ChargePeriodStart="2026-11-20T00:00:00Z")
    write_focus_csv(exports / "more.csv", [later])
    (exports / "no.csv").write_text("a,b\n1,2\n")
    (exports / "empty.csv").write_text(",".join(focus_row()) + "\n")
    changes, _ = all_of(FocusSource([str(exports / "*.csv")]), tmp_path / "spool")
    batches = {Path(each.partition).name: each for each in changes if isinstance(each, Batch)}
    rows = {name: batch.rows for name, batch in batches.items()}
    assert rows == {**{f"{day}.csv": 3 for day in range(1, 8)}, "bad.csv": 1, "more.csv": 1, "empty.csv": 0}
    reasons = {
        name: [(each.reason, each.count) for each in batch.rejected] for name, batch in batches.items()
    }
    assert {name: found for name, found in reasons.items() if found} == {
        "bad.csv": [("bad_cost", 1)],
        "3.csv": [("bad_csv", 1)],
    }
    assert [Path(each.partition).name for each in changes if not isinstance(each, Batch)] == ["no.csv"]
    total = sum(Decimal(str(row[0])) for batch in batches.values() for row in costs(batch))
    assert total == 7 * 3 + 2 + 4


def costs(batch: Batch) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT billed_cost FROM read_parquet('{batch.charges}')").fetchall()


@pytest.mark.slow
def test_a_file_that_changes_after_it_was_read_with_others_is_read_again(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for day in range(1, 4):
        focus_csv(exports / f"{day}", day, "1")
    folder = tmp_path / "spool"
    folder.mkdir()
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), datetime(2015, 1, 1, tzinfo=UTC), folder, RefreshTally()
    )
    seen: list[Batch] = []
    tally = RefreshTally(progress=lambda _text: focus_csv(exports / "3", 3, "50"))
    for change in FocusSource([str(exports / "*.csv")]).refresh(replace(context, tally=tally)):
        assert isinstance(change, Batch)
        seen.append(change)
    total = sum(Decimal(str(row[0])) for batch in seen for row in costs(batch))
    assert total == 3 + 3 + 150


@pytest.mark.slow
def test_a_file_is_unpacked_by_what_it_has_and_not_by_its_name(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for day in range(1, 6):
        focus_csv(exports / f"{day}", day, "1")
    for packed in (exports / "1.csv", exports / "2.csv"):
        packed.write_bytes(gzip.compress(packed.read_bytes()))
    (exports / "3.csv").rename(exports / "plain.csv.gz")
    changes, _ = all_of(FocusSource([str(exports / "*.*")]), tmp_path / "spool")
    rows = {Path(each.partition).name: each.rows for each in changes if isinstance(each, Batch)}
    assert rows == dict.fromkeys(("1.csv", "2.csv", "plain.csv.gz", "4.csv", "5.csv"), 3)


def test_a_group_is_not_larger_than_it_may_be(tmp_path: Path) -> None:
    assert group_reading.bytes_to_read(Path("a.csv.gz"), 10) == 10 * group_reading.UNPACKED
    assert group_reading.bytes_to_read(Path("a.csv"), 10) == 10
