"""Killed at any moment of its refreshes, `serve` ends up with the figures of one that was never disturbed."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.simulator.google.billing_export import write_csv, write_jsonl, write_parquet
from exporter.simulator.google.rows import ExportRow
from exporter.simulator.google.world import World
from exporter.sources.files.source import FilesSource
from tests.support.exposed import POLL_SECONDS, samples, until
from tests.support.running import Running, serving, write_config

pytestmark = pytest.mark.integration

NOW = datetime(2025, 11, 4, 12, tzinfo=UTC)
KILLS = 10
STAGES = 6
"""In so many steps each file grows to its full length."""


class GrowingExport:
    """Files of an export in three formats, each written to a stage of its growth."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        world = World.ending_at(NOW, past=timedelta(days=4))
        rows = list(world.rows_exported(world.start, NOW))
        by_half_day = groupby(
            rows, key=lambda row: (row["export_time"].date(), row["export_time"].hour // 12)
        )
        self._files = [list(some) for _, some in by_half_day]
        self._stages = [0] * len(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def grow(self, numbers: Sequence[int], stages: int = 1) -> None:
        for number in numbers:
            self._stages[number] = min(self._stages[number] + stages, STAGES)
            rows = self._files[number][: len(self._files[number]) * self._stages[number] // STAGES]
            suffix = ("parquet", "jsonl", "csv")[number % 3]
            self._write(self._folder / f"{number}.{suffix}", rows)

    def _write(self, path: Path, rows: list[ExportRow]) -> None:
        part = path.with_name(f".{path.name}")
        if path.suffix == ".jsonl":
            write_jsonl(part, rows)
        elif path.suffix == ".csv":
            write_csv(part, rows)
        else:
            with duckdb.connect() as connection:
                write_parquet(part, rows, connection)
        part.replace(path)


@contextmanager
def refresher(ledger: Path, export: Path, spool: Path) -> Iterator[Refresher]:
    spool.mkdir(exist_ok=True)
    opened = Ledger(ledger)
    source = FilesSource([str(export / "*")])
    interval, keep = timedelta(minutes=15), timedelta(days=400)
    yield Refresher(
        [source], opened, spool, interval=interval, keep=keep, max_series=50_000, clock=lambda: NOW
    )
    opened.close()


def figures(made: Refresher) -> list[bytes]:
    """Every line of the exposition after a refresh, but for the health of the source."""
    lines = made.refresh_all().exposition.text.splitlines()
    return [line for line in lines if b"spend_source_" not in line]


def kill_while_it_reads(process: Running, spool: Path, files: int, spins: int) -> bool:
    """Kill it when so many files have come into the spool, a moment later, or at last when all are read.

    Returns whether it was reading.
    """
    seen: set[str] = set()

    def is_time() -> bool:
        seen.update(names_in(spool))
        return len(seen) >= files or "rows read in" in process.log()

    until(is_time, "a refresh", pause_seconds=0.0005)
    # As many turns as chance has it, no sleep.
    for _ in range(spins):
        pass
    process.process.kill()
    process.process.wait()
    return bool(names_in(spool))


def names_in(folder: Path) -> set[str]:
    """Names in a folder that another process makes anew whenever it starts."""
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()


def test_figures_are_those_of_a_ledger_that_was_never_disturbed(tmp_path: Path) -> None:
    chance = random.Random(11)
    export = tmp_path / "export"
    export.mkdir()
    growing = GrowingExport(export)
    everything = range(len(growing))
    growing.grow(everything)
    config = write_config(tmp_path, f"{export}/*", interval_seconds=3600)
    spool = tmp_path / ".spool-of-spend.duckdb"
    left_behind = 0
    for _ in range(KILLS):
        growing.grow(chance.sample(everything, k=len(growing) // 2))
        with serving(config) as process:
            files = chance.randint(1, len(growing) // 2)
            left_behind += kill_while_it_reads(process, spool, files, chance.randint(0, 300_000))
    assert left_behind >= KILLS // 3, "hardly any kill was in the middle of a refresh"
    growing.grow(everything, stages=STAGES)

    with serving(config) as process:
        until(
            lambda: process.values("spend_source_up"),
            "a refresh after the last kill",
            pause_seconds=POLL_SECONDS,
        )
        assert process.values("spend_source_errors_total") == {}
        assert process.end(signal.SIGTERM) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.yml",
        "export",
        "spend.duckdb",
        "spend.duckdb.counters",
        "stderr.log",
    }

    with (
        refresher(tmp_path / "undisturbed.duckdb", export, tmp_path / "spool") as undisturbed,
        refresher(tmp_path / "spend.duckdb", export, tmp_path / "spool") as disturbed,
    ):
        expected = figures(undisturbed)
        assert len(expected) > 300
        assert figures(disturbed) == expected
        assert figures(disturbed) == expected
        assert figures(undisturbed) == expected
        rows = samples(disturbed.snapshot.exposition.text)["spend_source_rows_total"]
        assert rows == {(("source", "files"),): 0.0}, "there was something left to read"


def test_what_a_kill_leaves_in_the_spool_is_removed_at_the_next_start(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    (export / "a.jsonl").write_text(json.dumps({"cost": 1, "usage_start_time": "2025-11-01 00:00:00 UTC"}))
    spool = tmp_path / ".spool-of-spend.duckdb"
    (spool / "duckdb_temp").mkdir(parents=True)
    (spool / "left.parquet").write_bytes(b"half a file")
    with serving(write_config(tmp_path, f"{export}/*")) as process:
        process.address()
        assert not (spool / "left.parquet").exists()
        assert spool.is_dir()
        assert process.end() == 0
    assert not spool.exists()
