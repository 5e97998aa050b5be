"""What people use instead, each started with the same figures: yields its address and its process.

tools/benchmark-tools.sh fetches Debian's packages. A peer whose program is missing is left out by name.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
UNPRIVILEGED = "postgres"
"""PostgreSQL refuses to run as root; Debian's package makes this user."""

LINES = """SELECT billing_account_id, project.id AS project_id, service.description AS service_name,
  sku.id AS sku_id, sku.description AS sku, location.region AS region_id, usage_start_time AS began,
  cost, coalesce(list_sum(list_transform(credits, lambda credit: credit.amount)), 0) AS credit
FROM read_parquet('{files}')"""

GROUPED = """SELECT billing_account_id, project_id, service_name, sku_id, sku, region_id,
  sum(cost + credit) FILTER (WHERE began >= date_trunc('day', now())) AS today,
  sum(cost + credit) FILTER (WHERE began >= date_trunc('month', now())) AS month_to_date,
  sum(cost) AS cost, sum(credit) AS credits
FROM lines GROUP BY 1, 2, 3, 4, 5, 6"""


@dataclass(frozen=True)
class Peer:
    """Something that serves metrics."""

    name: str
    address: tuple[str, int]
    process_id: int
    seconds: float | None = None
    """What it took to have the figures, where it gets them itself."""
    path: str = "/metrics"


class MissingError(Exception):
    """A program that is not here; the text says which and how to get it."""


def program(name: str) -> str:
    """Return the path of a program. Raises MissingError."""
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is missing: run tools/benchmark-tools.sh")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the end of the block."""
    process = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(address: tuple[str, int], process: subprocess.Popen[str], seconds: float = 30.0) -> None:
    """Wait until something accepts connections there."""
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(address, timeout=1):
                return
        except OSError:
            assert process.poll() is None, f"{process.args} ended"
            assert time.monotonic() < until, f"{process.args} does not answer at {address}"
            time.sleep(0.05)


@contextmanager
def script(how: str, path: Path) -> Iterator[Peer]:
    """The script of gauges.py."""
    with running(
        [sys.executable, str(HERE / "gauges.py"), how, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port, seconds = process.stdout.readline().split()
        yield Peer("prometheus_client gauges", ("127.0.0.1", int(port)), process.pid, float(seconds))


@contextmanager
def pushgateway(exposition: bytes) -> Iterator[Peer]:
    """Debian's Pushgateway, with everything in one group."""
    address = ("127.0.0.1", free_port())
    command = [program("prometheus-pushgateway"), f"--web.listen-address={address[0]}:{address[1]}"]
    with running(command, stderr=subprocess.DEVNULL) as process:
        wait_for(address, process)
        url = f"http://{address[0]}:{address[1]}/metrics/job/spend"
        request = urllib.request.Request(url, exposition, {"Content-Type": "text/plain"}, method="PUT")
        started = time.perf_counter()
        urllib.request.urlopen(request, timeout=120).close()
        yield Peer("Pushgateway", address, process.pid, time.perf_counter() - started)


@contextmanager
def textfile_collector(folder: Path, exposition: bytes) -> Iterator[Peer]:
    """Debian's node_exporter, with its textfile collector alone."""
    address = ("127.0.0.1", free_port())
    (folder / "spend.prom").write_bytes(exposition)
    command = [
        program("prometheus-node-exporter"),
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
        f"--web.listen-address={address[0]}:{address[1]}",
    ]
    with running(command, stderr=subprocess.DEVNULL) as process:
        wait_for(address, process)
        yield Peer("node_exporter, textfile", address, process.pid)


@contextmanager
def sql_exporter(files: str) -> Iterator[Peer]:
    """Debian's SQL exporter, with a query that sums the rows in PostgreSQL. Scrapes show the last result."""
    binary = program("prometheus-sql-exporter")
    with tempfile.TemporaryDirectory() as name, postgres(Path(name)) as (database, load):
        load(files)
        address = ("127.0.0.1", free_port())
        query = {
            "name": "spend_usd",
            "help": "Cost.",
            "labels": ["billing_account_id", "project_id", "service_name", "sku_id", "sku", "region_id"],
            "values": ["today", "month_to_date", "cost", "credits"],
            "query": GROUPED,
        }
        job = {"name": "spend", "interval": "1h", "connections": [database], "queries": [query]}
        config = Path(name) / "config.yml"
        config.write_text(json.dumps({"jobs": [job]}), encoding="utf-8")
        listen = f"-web.listen-address={address[0]}:{address[1]}"
        command = [binary, f"-config.file={config}", listen]
        started = time.perf_counter()
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(address, process)
            url = f"http://{address[0]}:{address[1]}/metrics"
            until = time.monotonic() + 120
            while b"\nsql_spend_usd{" not in urllib.request.urlopen(url).read():
                assert time.monotonic() < until, "the SQL exporter shows no figures"
                time.sleep(0.05)
            yield Peer("SQL exporter", address, process.pid, time.perf_counter() - started)


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A database of its own; yields its address and a function that loads the rows of export files."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/bin")]
    at = next((each for each in folders if (each / "initdb").exists()), None)
    if at is None:
        raise MissingError("PostgreSQL is missing: install Debian's package postgresql")
    as_user = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=postgres", "--clear-groups"]
    as_user = as_user if os.geteuid() == 0 else []
    data, port = folder / "data", free_port()
    if as_user:
        shutil.chown(folder, UNPRIVILEGED)

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    run(*as_user, at / "initdb", "-D", data, "-A", "trust", "-U", "postgres")
    command = [*as_user, str(at / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
    with running([*command, "-c", "fsync=off"], stderr=subprocess.DEVNULL, cwd=folder) as process:
        wait_for(("127.0.0.1", port), process)
        address = f"postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"

        def load(files: str) -> None:
            rows = folder / "rows.csv"
            with duckdb.connect() as connection:
                connection.execute(f"COPY ({LINES.format(files=files)}) TO '{rows}' (FORMAT csv, HEADER)")
            rows.chmod(0o644)
            sql = (
                "CREATE TABLE lines (billing_account_id text, project_id text, service_name text, "
                "sku_id text, sku text, region_id text, began timestamptz, cost numeric, credit numeric)"
            )
            copy = f"\\copy lines FROM '{rows}' CSV HEADER"
            psql = [str(at / "psql"), "-q", address]
            until = time.monotonic() + 30
            while subprocess.run([*psql, "-c", "SELECT 1"], capture_output=True, check=False).returncode:
                assert time.monotonic() < until, "PostgreSQL takes no connection"
                time.sleep(0.1)
            run(*psql, "-c", sql, "-c", copy, "-c", "ANALYZE lines")

        yield address, load
