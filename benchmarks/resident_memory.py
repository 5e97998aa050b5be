"""Resident memory of `serve` with a bill in files and live usage over gRPC.

    python benchmarks/resident_memory.py [--copies 13] [--minutes 8]

A simulated company's projects are repeated so many times (13: about 10,000 samples in a scrape). Its Cloud
Monitoring runs in a process of its own, and so does the exporter, whose memory is printed every 15 seconds.
The clients of BigQuery and the recommender, and the list prices of language models, are loaded as if those
sources were configured as well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import duckdb
from memory import status_mebibytes, watched

from exporter.cli.commands.serve import serve, stop_on_signals
from exporter.config.model import parse
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.cloud_monitoring import CloudMonitoring, serving
from exporter.simulator.google.company import PROJECTS
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.simulator.google.world import World
from exporter.sources.google.bigquery.lean_import import without_data_frames
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.llm.tokens import Tokens

COPY = """
COPY (SELECT * REPLACE (CASE WHEN copy = 0 OR project.id IS NULL THEN project
                        ELSE struct_update(project, id := project.id || '-' || copy) END AS project)
      FROM read_parquet('{source}'), range({copies}) AS copies(copy)
      WHERE copy = 0 OR project.id IS NOT NULL) TO '{target}' (FORMAT parquet)
"""


def company(folder: Path, copies: int) -> None:
    """Write the past of a company, and answer as its Cloud Monitoring until killed."""
    world = World.ending_at(datetime.now(UTC))
    once, export = folder / "once", folder / "export"
    once.mkdir()
    export.mkdir()
    write_export(world, once, datetime.now(UTC))
    with duckdb.connect() as connection:
        for path in sorted(once.iterdir()):
            connection.execute(COPY.format(source=path, copies=copies, target=export / path.name))
    with serving(CloudMonitoring(SimulatedUsage(world), lambda: datetime.now(UTC))) as address:
        print(address, flush=True)
        threading.Event().wait()


def exporter(folder: Path, monitoring: str, copies: int) -> None:
    """Serve what the company has written and tells."""
    gcp = {"update_interval_minutes": 1, "billing_export": {"files": [f"{folder}/export/*.parquet"]}}
    # Of a copy there are about 900 samples.
    settings = {"ledger": str(folder / "spend.duckdb"), "gcp": gcp, "max_series": max(50_000, 1_000 * copies)}
    config = parse(json.dumps(settings), folder)
    projects = [project.id for project in PROJECTS.values()]
    live = CloudMonitoringSource(
        projects, endpoint=monitoring, plaintext=True, update_interval=timedelta(minutes=1)
    )
    load_other_clients()
    serve(config, ("127.0.0.1", 0), stop_on_signals(), lambda url: print(url, flush=True), [live])


def load_other_clients() -> None:
    """Have in memory what the sources load that have no simulator here."""
    with without_data_frames():
        import_module("exporter.sources.google.bigquery.session")
    import_module("exporter.sources.google.recommender.session")
    assert TokenPrices().price("openai", "gpt-4o", Tokens(input=1, output=1), datetime.now(UTC))


def started(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Run this file in another role; returns the process and the first line that it prints."""
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def measure(folder: Path, copies: int, minutes: float) -> None:
    world, monitoring = started("--company", str(folder), "--copies", str(copies))
    served, url = started("--exporter", str(folder), monitoring, "--copies", str(copies))
    try:
        until = time.monotonic() + minutes * 60
        with watched(served.pid) as memory:
            while time.monotonic() < until:
                time.sleep(15)
                began = time.perf_counter()
                with urllib.request.urlopen(f"{url}/metrics") as response:
                    samples = sum(not line.startswith(b"#") for line in response)
                took = 1000 * (time.perf_counter() - began)
                own = status_mebibytes(served.pid, "RssAnon")
                now = memory.look(served.pid)
                print(
                    f"{now.resident_at_end:5} MB resident ({own} of its own), {now.resident} at most; all "
                    f"processes {now.together_at_end} MB PSS, {now.together} at most; "
                    f"{samples} samples in {took:.0f} ms",
                    flush=True,
                )
    finally:
        served.terminate()
        served.wait()
        world.kill()
        world.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--company", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--exporter", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.company:
        company(chosen.company, chosen.copies)
    elif chosen.exporter:
        exporter(Path(chosen.exporter[0]), chosen.exporter[1], chosen.copies)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), chosen.copies, chosen.minutes)


if __name__ == "__main__":
    main()
