"""How long a refresh of one large export file takes, beside DuckDB alone doing the same aggregation.

    python benchmarks/refresh_time.py [--rows 1000000] [--runs 5] [--format parquet|jsonl|csv] [--script]

All read the same file with two threads, in turn, each time in a process of its own. `bare` is one GROUP BY
into a table in memory, its sums in floating point; `refresh` reads, checks, aggregates exactly and commits to
a new ledger on disk; `one file of 30 changed` is a later refresh of the same rows in thirty files by day, of
which one is new; `script` loops over the rows in Python.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb
from gauges import loop_over_rows
from memory import status_mebibytes
from prometheus_client import CollectorRegistry

from exporter.ledger.charges.store import Ledger
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from exporter.sources.base import Batch, RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PARTS = 30

BARE = """
CREATE OR REPLACE TABLE aggregated AS
SELECT billing_account_id, project.id, service.id, service.description, sku.id, sku.description,
  location.region, cost_type, date_trunc('hour', usage_start_time), date_trunc('hour', export_time),
  invoice.month, currency,
  usage.unit, max(export_time), sum(cost), sum(cost / currency_conversion_rate), sum(usage.amount),
  sum(list_sum(list_transform(credits, lambda credit: credit.amount)))
FROM {relation} GROUP BY ALL
"""

NESTED = ("service", "sku", "project", "labels", "location", "usage", "credits", "invoice")
"""Columns that a CSV file has as JSON text."""

KEPT = """SELECT billing_account_id, service, sku, project, location, usage_start_time, usage_end_time,
  export_time, cost, currency, currency_conversion_rate, usage, credits, invoice, cost_type, labels
FROM {table}"""


@dataclass
class Runs:
    """What one of the ways took, run after run."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """Of the whole process: of it, what else runs on the machine takes nothing."""
    mebibytes: int = 0
    """The most by which the process of a run grew."""


def make_export(folder: Path, rows: int, form: str = "parquet") -> Path:
    """Write one file of a simulated company's export, each row repeated as if from many resources."""
    days = folder / "days"
    days.mkdir()
    write_export(World.ending_at(NOW), days, NOW)
    path = folder / f"export.{form}"
    with duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False}) as connection:
        table = f"read_parquet('{days}/*.parquet')"
        count = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        repeated = f"SELECT days.* FROM {table} AS days, range({-(-rows // count)}) LIMIT {rows}"
        if form == "csv":
            texts = ", ".join(f"to_json({name}) AS {name}" for name in NESTED)
            repeated = f"SELECT * REPLACE ({texts}) FROM ({KEPT.format(table=f'({repeated})')})"
        how = {"parquet": "FORMAT parquet", "csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json"}[form]
        connection.execute(f"COPY ({repeated}) TO '{path}' ({how})")
    return path


def relation(path: Path) -> str:
    """Return how DuckDB alone reads the file; of CSV, the columns that are summed and no others."""
    if path.suffix == ".csv":
        types = {
            "project": '{"id": "VARCHAR"}',
            "service": '{"id": "VARCHAR", "description": "VARCHAR"}',
            "sku": '{"id": "VARCHAR", "description": "VARCHAR"}',
            "location": '{"region": "VARCHAR"}',
            "usage": '{"amount": "DOUBLE", "unit": "VARCHAR"}',
            "invoice": '{"month": "VARCHAR"}',
            "credits": '[{"amount": "DOUBLE"}]',
        }
        parsed = ", ".join(f"from_json({name}, '{kind}') AS {name}" for name, kind in types.items())
        return f"(SELECT * REPLACE ({parsed}) FROM read_csv('{path}'))"
    return f"read_{'parquet' if path.suffix == '.parquet' else 'json'}('{path}')"


def time_bare(path: Path) -> float:
    with duckdb.connect(config={"threads": 2}) as connection:
        started = time.perf_counter()
        connection.execute(BARE.format(relation=relation(path)))
        return time.perf_counter() - started


def time_refresh(path: Path, folder: Path) -> tuple[float, int]:
    """Return the seconds of a first refresh, and its rows."""
    for old in folder.glob("spend.duckdb*"):
        old.unlink()
    ledger = Ledger(folder / "spend.duckdb")
    seconds, rows = refreshed(ledger, FilesSource([str(path)]), folder, {})
    ledger.close()
    return seconds, rows


def refreshed(ledger: Ledger, source: FilesSource, folder: Path, known: dict[str, str]) -> tuple[float, int]:
    """Refresh once; `known` has the cursors, and gets the new ones."""
    context = RefreshContext(
        dict(known), NOW, NOW + timedelta(days=1), NOW - timedelta(days=400), folder, RefreshTally()
    )
    started, rows = time.perf_counter(), 0
    for change in source.refresh(context):
        assert isinstance(change, Batch)
        ledger.put("files", change.partition, change.cursor, change.charges, change.rows)
        change.charges.unlink()
        known[change.partition] = change.cursor
        rows += change.rows
    return time.perf_counter() - started, rows


def split_by_day(path: Path, folder: Path) -> Path:
    """Write the same rows in PARTS files, each with whole days."""
    days = folder / "by-day"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT *, (dense_rank() OVER (ORDER BY usage_start_time::DATE)) % {PARTS} AS part
                FROM {relation(path)}) TO '{days}' (FORMAT parquet, PARTITION_BY part)"""
        )
    return days


def time_one_changed(days: Path, folder: Path) -> float:
    """Return the seconds of a refresh that finds one file changed, of a ledger that has them all."""
    for old in folder.glob("spend.duckdb*"):
        old.unlink()
    ledger, known = Ledger(folder / "spend.duckdb"), dict[str, str]()
    source = FilesSource([f"{days}/*/*.parquet"])
    refreshed(ledger, source, folder, known)
    os.utime(next(days.glob("*/*.parquet")))
    seconds, rows = refreshed(ledger, source, folder, known)
    ledger.close()
    assert rows > 0
    return seconds


def time_script(path: Path) -> float:
    """Return the seconds of a loop over the rows that adds each to its gauges."""
    started = time.perf_counter()
    loop_over_rows(path, CollectorRegistry())
    return time.perf_counter() - started


def run_refresh(path: Path, folder: Path) -> float:
    return time_refresh(path, folder)[0]


def in_own_process(work: Callable[..., float], *arguments: Path) -> tuple[float, float, int]:
    """Return what the work returns, its CPU seconds, and by how many MiB its process grew at most."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_with_peak, work, arguments).result()


def _with_peak(work: Callable[..., float], arguments: tuple[Path, ...]) -> tuple[float, float, int]:
    # DuckDB takes a process without a main file for a person's, and shows its progress there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    before, cpu = status_mebibytes("self", "VmRSS"), time.process_time()
    seconds = work(*arguments)
    return seconds, time.process_time() - cpu, status_mebibytes("self", "VmHWM") - before


def measure(path: Path, folder: Path, runs: int, *, script: bool, one_changed: bool) -> dict[str, Runs]:
    """Run each way in turn, so many times."""
    ways: dict[str, tuple[Callable[..., float], tuple[Path, ...]]] = {
        "bare DuckDB": (time_bare, (path,)),
        "refresh": (run_refresh, (path, folder)),
    }
    if one_changed:
        ways[f"refresh, one file of {PARTS} changed"] = (
            time_one_changed,
            (split_by_day(path, folder), folder),
        )
    if script:
        ways["script that loops over rows"] = (time_script, (path,))
    found = {name: Runs() for name in ways}
    for _ in range(runs):
        for name, (work, arguments) in ways.items():
            seconds, cpu_seconds, mebibytes = in_own_process(work, *arguments)
            found[name].seconds.append(seconds)
            found[name].cpu_seconds.append(cpu_seconds)
            found[name].mebibytes = max(found[name].mebibytes, mebibytes)
    return found


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of runs that took turns."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--format", choices=["parquet", "jsonl", "csv"], default="parquet")
    parser.add_argument("--script", action="store_true", help="also a loop over the rows")
    parser.add_argument("--one-changed", action="store_true", help="also a refresh with one file changed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = make_export(folder, chosen.rows, chosen.format)
        size = path.stat().st_size / 2**20
        print(f"{chosen.rows:,} rows of {chosen.format}, {size:.0f} MiB, load {os.getloadavg()[0]:.1f}")
        found = measure(path, folder, chosen.runs, script=chosen.script, one_changed=chosen.one_changed)
        bare = found["bare DuckDB"]
        for what, runs in found.items():
            print(
                f"{what:<36}{median(runs.seconds):8.2f} s ({min(runs.seconds):.2f}..{max(runs.seconds):.2f})"
                f"  ratio {median_ratio(runs.seconds, bare.seconds):6.2f}"
                f"  CPU {median(runs.cpu_seconds):6.2f} s"
                f"  ratio {median_ratio(runs.cpu_seconds, bare.cpu_seconds):6.2f}"
                f"  {runs.mebibytes:5} MB more at peak"
            )


if __name__ == "__main__":
    main()
