"""Resident memory of each process of `serve` over a thousand refreshes of files that change each time.

    python benchmarks/memory_over_refreshes.py [--refreshes 1000] [--every 100]

Before each refresh a row of the export changes, and the log of calls grows by a line. Printed is the
memory after every hundredth refresh: of the exporter, of the front that answers scrapes, of what estimates.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

SECONDS_BETWEEN_REFRESHES = 0.05
DAYS, SKUS = 10, 6
REFRESHED = re.compile(rb"files: [1-9][0-9]* rows read")
"""The line in the log of a refresh that has read something."""


@dataclass(frozen=True)
class Reading:
    """Megabytes of each process after so many refreshes."""

    refreshes: int
    megabytes: dict[str, float]


def export_line(hour: datetime, sku: int, exported: datetime) -> str:
    """A row of Google's export, of one SKU and hour."""
    return json.dumps(
        {
            "billing_account_id": "01AB23-4C5D67-89EF01",
            "service": {"id": f"SERV-{sku % 3}", "description": f"Service {sku % 3}"},
            "sku": {"id": f"SKU-{sku}", "description": f"SKU {sku}"},
            "usage_start_time": f"{hour:%Y-%m-%d %H}:00:00 UTC",
            "usage_end_time": f"{hour + timedelta(hours=1):%Y-%m-%d %H}:00:00 UTC",
            "project": {"id": f"project-{sku % 4}", "name": "p"},
            "location": {"region": "europe-west4"},
            "export_time": f"{exported:%Y-%m-%d %H:%M:%S} UTC",
            "cost": 0.5,
            "currency": "USD",
            "currency_conversion_rate": 1.0,
            "usage": {"amount": 3600.0, "unit": "seconds"},
            "credits": [],
            "invoice": {"month": f"{hour:%Y%m}"},
            "cost_type": "regular",
        }
    )


def call_line(number: int, now: datetime) -> str:
    """A line of a log of calls."""
    return json.dumps(
        {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 100 + number,
            "gen_ai.usage.output_tokens": 5,
        }
    )


def write_past(folder: Path, now: datetime) -> None:
    """Write the export of some days, a file for each day, the log, and the configuration."""
    for days in range(1, DAYS):
        day = now.replace(hour=0) - timedelta(days=days)
        lines = [
            export_line(day + timedelta(hours=hour), sku, day + timedelta(hours=hour + 4))
            for hour in range(24)
            for sku in range(SKUS)
        ]
        (folder / f"{day:%Y-%m-%d}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "calls.log").write_text(call_line(0, now) + "\n")
    minutes = SECONDS_BETWEEN_REFRESHES / 60
    gcp = {"billing_export": {"files": ["*.jsonl"]}, "update_interval_minutes": minutes}
    config = {"ledger": "spend.duckdb", "gcp": gcp, "llm": {"usage_logs": ["calls.log"]}}
    (folder / "config.yml").write_text(json.dumps(config))


def change_a_row(folder: Path, number: int, now: datetime) -> None:
    """Have one row of yesterday's export cost a little more, and the log grow by a line."""
    day = folder / f"{now - timedelta(days=1):%Y-%m-%d}.jsonl"
    lines = day.read_text().splitlines()
    row = json.loads(lines[number % len(lines)])
    lines[number % len(lines)] = json.dumps(row | {"cost": round(row["cost"] + 0.001, 6)})
    written = day.with_suffix(".tmp")
    written.write_text("\n".join(lines) + "\n")
    written.replace(day)
    with (folder / "calls.log").open("a") as handle:
        handle.write(call_line(number, now) + "\n")


def children(pid: int) -> Iterator[tuple[int, str]]:
    """Processes that a process has started, with what they do."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(entry.name) and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                yield int(entry.name), "front" if "web.front" in command else "estimator"


def resident_megabytes(pid: int) -> float:
    """What a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def read(pid: int, refreshes: int) -> Reading:
    """Measure each process; one that estimates may not be there."""
    found = {"exporter": resident_megabytes(pid)}
    for child, name in children(pid):
        with contextlib.suppress(OSError):
            found[name] = resident_megabytes(child)
    return Reading(refreshes, found)


def until_refreshed(log: Path, process: subprocess.Popen[bytes], times: int) -> None:
    """Wait until so many refreshes have read something."""
    deadline = time.monotonic() + 600
    pause = threading.Event()
    while len(REFRESHED.findall(log.read_bytes())) < times:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"no refresh in time; the exporter's exit code: {process.poll()}")
        pause.wait(0.02)


@contextlib.contextmanager
def served(folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `serve`; its log goes to a file."""
    command = [sys.executable, "-m", "exporter", "serve", "--config", "config.yml", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd=folder, stderr=errors, env=environment) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def measured(folder: Path, refreshes: int, every: int) -> Iterator[Reading]:
    """Yield the memory after every so many refreshes."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    write_past(folder, now)
    log = folder / "serve.err"
    with served(folder, log) as process:
        until_refreshed(log, process, 1)
        for number in range(1, refreshes + 1):
            change_a_row(folder, number, now)
            until_refreshed(log, process, number + 1)
            if number % every == 0:
                yield read(process.pid, number)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--refreshes", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for reading in measured(Path(folder), chosen.refreshes, chosen.every):
            shown = ", ".join(f"{name} {size:.0f}" for name, size in sorted(reading.megabytes.items()))
            print(
                f"refresh {reading.refreshes:5}: {shown} MB, after {time.monotonic() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
