"""How long a year of hours takes to become blocks of a Prometheus, beside promtool with its own block length.

    python benchmarks/backfill_time.py [--series 1000] [--days 365] [--skip-default]

`spend-exporter backfill`'s own code writes the files from a ledger, one a month. promtool makes blocks
of them, with the block length that the command asks for and then with its default of two hours.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from exporter.cli.commands.backfill_blocks import create_blocks
from exporter.cli.commands.backfill_files import History, MonthFile, billing_days, write_months
from exporter.core.charges import CHARGE_COLUMNS
from exporter.ledger.charges.store import Ledger

END = date(2026, 1, 1)
ZONE = "America/Los_Angeles"


def fill(ledger: Ledger, folder: Path, series: int, days: int) -> None:
    """Put a charge of every series and hour into the ledger, a month of the bill at once."""
    spool = folder / "spool.parquet"
    values = {
        "provider": "'gcp'",
        "billing_account_id": "'01AB23-4C5D67-89EF01'",
        "project_id": "'project-' || series // 20",
        "service_id": "'service-' || series % 20",
        "service_name": "'Service ' || series % 20",
        "sku_id": "'sku-' || series",
        "sku": "'SKU ' || series",
        "region_id": "'us-central1'",
        "charge_category": "'usage'",
        "charge_period_start": "hour",
        "export_hour": "hour + INTERVAL 5 HOUR",
        "exported_at": "hour + INTERVAL 5 HOUR",
        "invoice_month": "strftime(hour, '%Y%m')",
        "billing_currency": "'USD'",
        "billed_cost": "usd",
        "billed_cost_usd": "usd",
        "consumed_quantity": "1",
        "consumed_unit": "'requests'",
        "tags": "''",
    }
    columns = ", ".join(f"({values[name]})::{kind} AS {name}" for name, kind in CHARGE_COLUMNS.items())
    begin, end = billing_days(END - timedelta(days=days), END, ZONE)
    with duckdb.connect() as connection:
        while begin < end:
            following = min(begin + timedelta(days=30), end)
            connection.execute(
                f"""COPY (SELECT {columns} FROM (
                      SELECT hour, series, (hash(series, hour) % 1000000007)::DECIMAL(38, 9) / 1e9 AS usd
                      FROM generate_series(TIMESTAMP '{begin:%Y-%m-%d %H:%M:%S}',
                             TIMESTAMP '{following - timedelta(hours=1):%Y-%m-%d %H:%M:%S}', INTERVAL 1 HOUR)
                             AS hours(hour), range({series}) AS all_series(series)))
                    TO '{spool}' (FORMAT parquet)"""
            )
            ledger.put("files", f"{begin:%Y-%m-%d}", "1", spool, 1)
            begin = following


def with_default_length(files: list[MonthFile], data: Path) -> int:
    for file in files:
        command = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--quiet",
            str(file.path),
            str(data),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return len(list(data.glob("*/meta.json")))


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{what:<52} {time.perf_counter() - started:8.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--skip-default", action="store_true", help="leave promtool's own block length out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = Ledger(folder / "spend.duckdb", memory_limit="512MB")
        ledger.spill_to(folder)
        fill(ledger, folder, chosen.series, chosen.days)
        data, default, out = folder / "data", folder / "default", folder / "out"
        for path in (data, default, out):
            path.mkdir()
        window = billing_days(END - timedelta(days=chosen.days), END, ZONE)
        with timed("files from the ledger"), ledger.view(["files"]) as view:
            files = write_months(History(view, {"gcp": ZONE}), {"gcp": window}, out, lambda _done, _now: None)
        ledger.close()
        samples = sum(file.samples for file in files)
        size = sum(file.path.stat().st_size for file in files)
        print(f"{len(files)} files, {samples:,} samples, {size / 1e6:,.0f} MB")
        with timed("blocks as `backfill` makes them"):
            blocks = create_blocks(files, data, lambda _done, _now: None)
        print(f"{len(blocks)} blocks")
        if not chosen.skip_default:
            with timed("blocks of promtool's default length, same files"):
                count = with_default_length(files, default)
            print(f"{count} blocks")
        print(f"measured at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")


if __name__ == "__main__":
    main()
