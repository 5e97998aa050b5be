"""The log of snapshots: whole lines only, a file a day, compressed, removed, and readable with DuckDB."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.config.model import load
from exporter.history.log import HistoryLog
from exporter.metrics.snapshot import Snapshot
from exporter.wiring.refresher import opened_refresher
from tests.metrics.test_summary import NOW, full_snapshot
from tests.support import places
from tests.support.exposed import until
from tests.support.running import serving, write_config

DOCS = places.DOCS
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
START = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)


def log_in(folder: Path, *, keep: timedelta = 400 * DAY, interval: timedelta = 15 * MINUTE) -> HistoryLog:
    return HistoryLog(folder, keep=keep, interval=interval)


def billed(month_usd: str, *, ready: bool = True) -> Snapshot:
    totals = tuple(
        (name, Decimal(month_usd) if name == "Month to date" else usd) for name, usd in full_snapshot().totals
    )
    return replace(full_snapshot(), outlooks=(), budgets=(), totals=totals, ready=ready)


def lines(path: Path) -> list[dict[str, Any]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_line_is_the_summary_of_that_time(tmp_path: Path) -> None:
    log_in(tmp_path / "made").keep(full_snapshot(), NOW)
    [reported] = lines(tmp_path / "made" / f"spend-{NOW:%Y-%m-%d}.jsonl")
    assert reported["time"] == NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert [each["provider"] for each in reported["by_provider"]] == ["gcp", "other"]
    assert reported["month"]["to_date_billed_usd"] == 5300.25


@pytest.mark.slow
def test_what_changes_is_written_once_in_an_interval_and_what_does_not_once_an_hour(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for minutes in range(0, 180, 5):
        log.keep(billed("1" if minutes < 60 else str(minutes)), START + minutes * MINUTE)
    [path] = tmp_path.iterdir()
    written = [each["time"][11:16] for each in lines(path)]
    assert written == ["00:05", *(f"{1 + n // 4:02d}:{5 + n % 4 * 15:02d}" for n in range(8))]


def test_a_snapshot_of_nothing_is_not_written(tmp_path: Path) -> None:
    log_in(tmp_path).keep(billed("1", ready=False), START)
    assert names(tmp_path) == []


def test_a_torn_last_line_is_cut_at_the_next_start(tmp_path: Path) -> None:
    log_in(tmp_path).keep(billed("1"), START)
    path = tmp_path / "spend-2026-11-20.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    log_in(tmp_path).keep(billed("2"), START + 20 * MINUTE)
    assert [each["month"]["to_date_billed_usd"] for each in lines(path)] == [1.0, 2.0]


def test_a_day_that_is_over_is_compressed_and_an_old_one_removed(tmp_path: Path) -> None:
    log = log_in(tmp_path, keep=2 * DAY)
    (tmp_path / "mine.jsonl").write_text("not a file of the log\n", encoding="utf-8")
    for days in range(4):
        log.keep(billed(str(days)), START + days * DAY)
        log.keep(billed(str(days + 10)), START + days * DAY + 20 * MINUTE)
    kept = [f"spend-2026-11-{day}.jsonl" for day in (21, 22, 23)]
    assert names(tmp_path) == ["mine.jsonl", f"{kept[0]}.gz", f"{kept[1]}.gz", kept[2]]
    first = lines(tmp_path / f"{kept[0]}.gz")
    assert [each["month"]["to_date_billed_usd"] for each in first] == [1.0, 11.0]


@pytest.mark.parametrize("compressed_before", [False, True])
def test_compressing_goes_on_where_a_killed_process_stopped(tmp_path: Path, compressed_before: bool) -> None:
    log_in(tmp_path).keep(billed("1"), START)
    path = tmp_path / "spend-2026-11-20.jsonl"
    if compressed_before:
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / f".{path.name}.partial").write_bytes(b"half")
    log_in(tmp_path).keep(billed("2"), START + DAY)
    assert len(lines(tmp_path / f"{path.name}.gz")) == 1
    assert not path.exists()


def test_a_clock_that_was_set_back_loses_nothing(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for usd, moment in (("1", START), ("2", START + DAY), ("3", START + MINUTE), ("4", START + DAY)):
        log.keep(billed(usd), moment)
    found = lines(tmp_path / "spend-2026-11-20.jsonl.gz")
    assert [each["month"]["to_date_billed_usd"] for each in found] == [1.0, 3.0]
    assert len(lines(tmp_path / "spend-2026-11-21.jsonl")) == 2


def test_a_folder_that_cannot_be_written_is_reported_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    log_in(tmp_path / "file" / "folder").keep(billed("1"), START)
    assert "history.jsonl: cannot write to" in caplog.text


_WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.history.test_log import START, billed, log_in
log, moment = log_in(Path(sys.argv[1])), START
print("begins", flush=True)
while True:
    moment += timedelta(minutes=20)
    log.keep(billed("1"), moment)
    log.keep(billed("2"), moment + timedelta(minutes=15))
"""


@pytest.mark.slow
def test_killed_at_any_moment_every_line_is_whole_after_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for kill in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, cwd=DOCS.parent
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == b"begins\n"
            until(lambda n=kill: len(list(folder.glob("*"))) > 2 * (n + 1), "some days")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
    log_in(folder).keep(billed("3"), START + 4000 * DAY)
    kept = list(folder.glob("spend-*"))
    assert kept
    assert all(lines(path) for path in kept)
    assert [path.suffix for path in kept].count(".jsonl") == 1


def test_duckdb_reads_the_log_as_the_page_says(tmp_path: Path) -> None:
    log = log_in(tmp_path / "history")
    for days, usd in enumerate(("1", "7", "3")):
        log.keep(billed(usd), START + days * DAY)
    page = (DOCS / "history.md").read_text(encoding="utf-8")
    [statement] = re.findall(r'^    duckdb -c "(.*)"$', page, re.MULTILINE)
    with duckdb.connect() as connection:
        rows = connection.execute(statement.replace("'history/", f"'{tmp_path}/history/")).fetchall()
    assert [(str(row[0])[:10], row[1]) for row in rows] == [
        ("2026-11-20", 1.0),
        ("2026-11-21", 7.0),
        ("2026-11-22", 3.0),
    ]


@pytest.mark.slow
def test_serve_writes_where_the_configuration_says(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    config = write_config(tmp_path, f"{export}/*", history={"jsonl": {"directory": str(tmp_path / "h")}})
    with opened_refresher(load(config), [], None) as refresher:
        assert refresher.snapshot.ready is False
    assert not (tmp_path / "h").exists()
    with serving(config) as process:
        until(lambda: list((tmp_path / "h").glob("spend-*.jsonl")), "a line")
        assert process.end() == 0
    [path] = (tmp_path / "h").iterdir()
    assert lines(path)[0]["currency"] == "USD"
