"""How soon `serve` shows the whole bill, estimates and judged forecasts, and what memory it takes.

    python benchmarks/first_figures.py [--lines 300 2000 10000] [--rows 930000] [--format parquet]
                                       [--spread hours|days] [--wait 300]

A line is a SKU of a project. For each number of lines it writes a billing export, one file for each day of
usage, starts `serve` on it with an empty ledger, and again on the ledger that results. The bill is whole when
this month and the last one are the exact sums that DuckDB finds in the files. `bare` is DuckDB alone summing
the same files to the same grain. Times are from the start of the process; CPU seconds are of the process that
serves, until the bill was whole. Memory is what the kernel calls VmHWM, the most that was resident, and PSS,
which counts shared pages once; what an estimation needs for itself is its VmHWM less that of its imports.
Its seconds are those of its figures, without the start of its process and the extract.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from memory import watched

PACIFIC = ZoneInfo("America/Los_Angeles")

SKUS = 400

WORLD = """
CREATE TABLE export AS
WITH line AS (
  SELECT i AS line, i % {skus} AS sku, i // {skus} AS project FROM range({lines}) AS lines(i)
), used AS (
  SELECT *, {hours_ago} AS hours_ago FROM line, range({each}) AS hours(n)
), priced AS (
  SELECT *, TIMESTAMP '{end}' - to_hours((hours_ago + 1)::INTEGER) AS begin,
    hash(line, hours_ago) AS chance,
    round(exp(sku % 17 / 4.0 - 6) * (1 + 0.3 * sin(hours_ago * pi() / 12))
      * (0.8 + hash(line, n) % 1000 / 2500.0), 9) AS cost
  FROM used
)
SELECT '01AB23-4C5D67-89EF01' AS billing_account_id,
  {{'id': printf('%04X-SERV', sku % 20), 'description': 'Service ' || sku % 20}} AS service,
  {{'id': printf('%04X-%04X-%04X', sku, sku * 7, sku * 13),
    'description': 'SKU of many words, number ' || sku}} AS sku,
  begin::TIMESTAMPTZ AS usage_start_time, (begin + INTERVAL 1 HOUR)::TIMESTAMPTZ AS usage_end_time,
  {{'id': 'project-' || project, 'name': 'Project ' || project,
    'labels': [{{'key': 'team', 'value': 'team-' || project % 9}}]}} AS project,
  [{{'key': 'env', 'value': if(project % 3 = 0, 'prod', 'dev')}}] AS labels,
  {{'location': 'europe-west1', 'country': 'BE', 'region': 'europe-west1', 'zone': ''}} AS location,
  least(begin + to_seconds((7200 + chance % 36000)::INTEGER), TIMESTAMP '{end}')::TIMESTAMPTZ AS export_time,
  cost, 'USD' AS currency, 1.0 AS currency_conversion_rate,
  {{'amount': 3600.0, 'unit': 'seconds', 'amount_in_pricing_units': 1.0, 'pricing_unit': 'hour'}} AS usage,
  if(chance % 5 = 0, [{{'name': 'Discount', 'amount': round(cost * -0.1, 9), 'type': 'DISCOUNT'}}], [])
    AS credits,
  {{'month': strftime(begin - INTERVAL 8 HOUR, '%Y%m')}} AS invoice, 'regular' AS cost_type
FROM priced
"""

HOURS_AGO = {"hours": "n", "days": "(n * {days} * 24) // {each}"}
"""Every line is used in each of the last hours, or now and then over two months."""

DAYS = 60

CSV = """SELECT * REPLACE (to_json(service) AS service, to_json(sku) AS sku, to_json(project) AS project,
  to_json(labels) AS labels, to_json(location) AS location, to_json(usage) AS usage,
  to_json(credits) AS credits, to_json(invoice) AS invoice) FROM"""

BARE = """
CREATE OR REPLACE TABLE aggregated AS
SELECT billing_account_id, project.id, service.id, service.description, sku.id, sku.description,
  location.region, cost_type, date_trunc('hour', usage_start_time), date_trunc('hour', export_time),
  invoice.month, currency, usage.unit, max(export_time), sum(cost), sum(cost / currency_conversion_rate),
  sum(usage.amount), sum(list_sum(list_transform(credits, lambda credit: credit.amount)))
FROM {files} GROUP BY ALL
"""

TOTAL = """
SELECT coalesce(sum(cost::DECIMAL(38, 9)
  + coalesce(list_sum(list_transform(credits, lambda credit: credit.amount::DECIMAL(38, 9))), 0)), 0)::VARCHAR
FROM export WHERE usage_start_time >= ?
"""


@dataclass(frozen=True)
class World:
    """A billing export in files."""

    files: str
    """Glob."""
    usd: float
    """Net cost of this month and the last one."""
    rows: int
    megabytes: float
    bare_seconds: float | None


def make_world(folder: Path, lines: int, rows: int, form: str, spread: str, now: datetime) -> World:
    """Write an export whose usage ends with the last full hour."""
    folder.mkdir()
    each = min(rows // lines, DAYS * 24)
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        hours_ago = HOURS_AGO[spread].format(days=DAYS, each=each)
        end = now.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        connection.execute(
            WORLD.format(skus=min(SKUS, lines), lines=lines, each=each, hours_ago=hours_ago, end=end)
        )
        days = connection.execute(
            "SELECT DISTINCT usage_start_time::DATE AS day FROM export ORDER BY day"
        ).fetchall()
        how = {"parquet": "FORMAT parquet", "csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json"}[form]
        for (day,) in days:
            select = CSV if form == "csv" else "FROM"
            connection.execute(
                f"COPY ({select} export WHERE usage_start_time::DATE = DATE '{day}') "
                f"TO '{folder}/{day}.{form}' ({how})"
            )
        first = (now.astimezone(PACIFIC).replace(day=1) - timedelta(days=1)).replace(day=1)
        since = first.replace(hour=0, minute=0, second=0, microsecond=0)
        [(usd,)] = connection.execute(TOTAL, [since]).fetchall()
        [(count,)] = connection.execute("SELECT count(*) FROM export").fetchall()
    files = f"{folder}/*.{form}"
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    return World(files, float(usd), count, size, bare_seconds(files) if form == "parquet" else None)


def bare_seconds(files: str) -> float:
    """Return what DuckDB alone takes to sum the files, the second time."""
    with duckdb.connect(config={"threads": 2}) as connection:
        for _ in range(2):
            started = time.perf_counter()
            connection.execute(BARE.format(files=f"read_parquet('{files}')"))
            seconds = time.perf_counter() - started
    return seconds


def _cpu_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(
    folder: Path, files: str, **settings: object
) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Run `serve`; yields the process, its address and the time at which it was started."""
    config = folder / "spend-exporter.yml"
    gcp = {"update_interval_minutes": 60, "billing_export": {"files": [files]}}
    whole = {"ledger": str(folder / "spend.duckdb"), "gcp": gcp, **settings}
    config.write_text(json.dumps(whole), encoding="utf-8")
    command = [sys.executable, "-m", "exporter", "serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, text=True)
    try:
        while not (announced := (folder / "log").read_text(encoding="utf-8")).count("\n"):
            assert process.poll() is None, announced
            time.sleep(0.05)
        yield process, announced.split()[1].removesuffix("/metrics"), started
    finally:
        process.terminate()
        process.wait()


def asked(url: str) -> bytes | None:
    """Return an answer, or None where there is none yet."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return bytes(response.read())
    except OSError:
        return None


def measure(folder: Path, world: World, wait_seconds: float) -> dict[str, float | None]:
    """Start `serve` and wait until everything is there; returns seconds and MB by what they are of."""
    found: dict[str, float | None] = {}
    at_bill = 0
    with serving(folder, world.files) as (process, url, started), watched(process.pid) as memory:

        def note(what: str) -> None:
            found.setdefault(what, time.monotonic() - started)

        while time.monotonic() - started < wait_seconds and "judged s" not in found:
            time.sleep(0.1)
            if "ready s" not in found and asked(f"{url}/readyz") is not None:
                note("ready s")
            told = json.loads(asked(f"{url}/api/v1/summary") or b"{}")
            if not told:
                continue
            months = (told["month"]["to_date_billed_usd"], told["last_month"]["billed_usd"])
            if "bill s" not in found and abs(sum(usd or 0.0 for usd in months) - world.usd) < 1e-6:
                assert abs(exposed_usd(url) - world.usd) < 1e-6 * world.usd
                note("bill s")
                found["cpu s"] = _cpu_seconds(process.pid)
                at_bill = memory.look(process.pid).resident
            if told["by_service"]:
                note("estimates s")
            if told["month"]["forecast_end_usd"]:
                note("judged s")
        found |= figure_seconds(url)
        found["samples"] = (asked(f"{url}/metrics") or b"").count(b"\nspend_")
    return found | {
        "MB at bill": at_bill,
        "MB served": memory.resident,
        "MB estimating": memory.children,
        "MB of its imports": importing_megabytes(),
        "MB PSS together": memory.together,
    }


def importing_megabytes() -> int:
    """Return what a process that only imports what estimates takes."""
    program = (
        "import exporter.refresh.estimation.process; "
        "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return int(done.stdout) // 1024


def figure_seconds(url: str) -> dict[str, float]:
    """Return how long the figures took that are estimated elsewhere."""
    lines = (asked(f"{url}/metrics") or b"").decode().splitlines()
    begin = 'spend_figure_duration_seconds{figure="'
    pairs = (line.removeprefix(begin).split('"} ') for line in lines if line.startswith(begin))
    return {f"{name} s": float(seconds) for name, seconds in pairs if name.startswith("nowcast")}


def exposed_usd(url: str) -> float:
    """Return the sum over the series of this month and the last one."""
    lines = (asked(f"{url}/metrics") or b"").splitlines()
    windows = (b"spend_month_to_date_usd{", b"spend_last_month_usd{")
    return sum(float(line.rpartition(b" ")[2]) for line in lines if line.startswith(windows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[300, 2_000, 10_000])
    parser.add_argument("--rows", type=int, default=930_000)
    parser.add_argument("--format", choices=["parquet", "csv", "jsonl"], default="parquet")
    parser.add_argument("--spread", choices=list(HOURS_AGO), default="hours")
    parser.add_argument("--wait", type=float, default=300.0, help="seconds to wait for judged forecasts")
    chosen = parser.parse_args()
    for lines in chosen.lines:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            world = make_world(
                folder / "export", lines, chosen.rows, chosen.format, chosen.spread, datetime.now(UTC)
            )
            bare = f", bare DuckDB {world.bare_seconds:.2f} s" if world.bare_seconds else ""
            print(f"{lines:,} lines, {world.rows:,} rows, {world.megabytes:.0f} MiB of {chosen.format}{bare}")
            for start in ("empty ledger", "same ledger"):
                load = os.getloadavg()[0]
                found = measure(folder, world, chosen.wait)
                if world.bare_seconds and (bill := found.get("bill s")):
                    found["bill / bare"] = bill / world.bare_seconds
                shown = ", ".join(
                    f"{what} {'-' if value is None else f'{value:.1f}'}" for what, value in found.items()
                )
                print(f"  {start} (load before {load:.1f}): {shown}", flush=True)


if __name__ == "__main__":
    main()
