"""How long a refresh of one large export file takes, beside DuckDB alone doing the same aggregation.

    python benchmarks/refresh_time.py [--rows 1000000] [--runs 5]

Both read the same Parquet file with two threads, in turn. `bare` is one GROUP BY into a table in memory, its
sums in floating point; `refresh` reads, checks, aggregates exactly and commits to a new ledger on disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb

from exporter.ledger.charges.store import Ledger
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.world import World
from exporter.sources.base import Batch, RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource

NOW = datetime(2026, 11, 20, tzinfo=UTC)

BARE = """
CREATE OR REPLACE TABLE aggregated AS
SELECT billing_account_id, project.id, service.id, service.description, sku.id, sku.description,
  location.region, cost_type, date_trunc('hour', usage_start_time), date_trunc('hour', export_time),
  invoice.month, currency,
  usage.unit, max(export_time), sum(cost), sum(cost / currency_conversion_rate), sum(usage.amount),
  sum(list_sum(list_transform(credits, lambda credit: credit.amount)))
FROM read_parquet('{path}') GROUP BY ALL
"""


def make_export(folder: Path, rows: int) -> Path:
    """Write one file of a simulated company's export, each row repeated as if from many resources."""
    days = folder / "days"
    days.mkdir()
    write_export(World.ending_at(NOW), days, NOW)
    path = folder / "export.parquet"
    with duckdb.connect() as connection:
        table = f"read_parquet('{days}/*.parquet')"
        count = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        connection.execute(
            f"COPY (SELECT days.* FROM {table} AS days, range({-(-rows // count)}) "
            f"LIMIT {rows}) TO '{path}' (FORMAT parquet)"
        )
    return path


def time_bare(path: Path) -> float:
    with duckdb.connect(config={"threads": 2}) as connection:
        started = time.perf_counter()
        connection.execute(BARE.format(path=path))
        return time.perf_counter() - started


def time_refresh(path: Path, folder: Path) -> tuple[float, int]:
    ledger_path = folder / "spend.duckdb"
    for old in folder.glob("spend.duckdb*"):
        old.unlink()
    ledger = Ledger(ledger_path)
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), NOW - timedelta(days=400), folder, RefreshTally()
    )
    started = time.perf_counter()
    for change in FilesSource([str(path)]).refresh(context):
        assert isinstance(change, Batch)
        ledger.put("files", change.partition, change.cursor, change.charges, change.rows)
        change.charges.unlink()
    seconds = time.perf_counter() - started
    ledger.close()
    return seconds, change.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = make_export(folder, chosen.rows)
        bare, refresh = [], []
        for _ in range(chosen.runs):
            bare.append(time_bare(path))
            seconds, rows = time_refresh(path, folder)
            refresh.append(seconds)
        ratios = [ours / theirs for ours, theirs in zip(refresh, bare, strict=True)]
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:.0f} MiB, {chosen.runs} runs, medians (min..max)")
        for label, values in (("bare DuckDB, s", bare), ("refresh, s", refresh), ("ratio", ratios)):
            print(f"{label:<16}{median(values):8.2f}  ({min(values):.2f}..{max(values):.2f})")


if __name__ == "__main__":
    main()
