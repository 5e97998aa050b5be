"""How fast hourly costs leave: samples a second of our remote write beside a Python client of the protocol.

    pip install prometheus-remote-writer
    python benchmarks/remote_write_rate.py [--prometheus]

Both encode the same samples into requests of the same size and send them to the same receiver, over one
connection: one that only reads and answers, or with --prometheus a real one. Then the whole way is measured:
from a ledger that has the charges, with what was sent written down, to the receiver.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from exporter.core.charges import CHARGE_COLUMNS
from exporter.history.delivery import BATCH_SAMPLES
from exporter.history.remote_write import Receiver, Sample
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.sources.spool import write_spool_csv
from tests.support.charge_rows import charge, put

SERIES = 400
HOURS = 24 * 20
ROUNDS = 3
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

SINK = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def sink() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/write"
        finally:
            process.kill()


@contextmanager
def prometheus() -> Iterator[str]:
    from tests.integration.test_prometheus_remote_write import Prometheus  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        made = Prometheus(Path(folder))
        made.start()
        try:
            yield f"{made.url}/api/v1/write"
        finally:
            made.end()


def samples(metric: str) -> list[Sample]:
    chance = random.Random(1)
    made = []
    for number in range(SERIES):
        labels = (
            ("__name__", metric),
            ("charge_category", "usage"),
            ("project_id", f"project-{number // 20}"),
            ("provider", "gcp"),
            ("service_name", f"Service {number % 20}"),
        )
        for hour in range(HOURS, 0, -1):
            stamp = int((END - timedelta(hours=hour)).timestamp() * 1000) + 3_599_000
            made.append(Sample(labels, stamp, chance.uniform(0, 100)))
    return made


def ours(url: str, batches: Sequence[Sequence[Sample]]) -> None:
    receiver = Receiver(url)
    with receiver.session() as session:
        for batch in batches:
            receiver.write(session, batch)


def theirs(url: str, batches: Sequence[Sequence[Sample]]) -> None:
    from prometheus_remote_writer import RemoteWriter  # noqa: PLC0415

    writer = RemoteWriter(url)
    for batch in batches:
        by_series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        for labels, stamp, value in batch:
            item = by_series.setdefault(labels, {"metric": dict(labels), "values": [], "timestamps": []})
            item["values"].append(value)
            item["timestamps"].append(stamp)
        writer.send(list(by_series.values()))


def rate(send: Callable[[str, Sequence[Sequence[Sample]]], None], url: str, name: str) -> float:
    """Samples a second in the best of some rounds, each under another name, so that all are new."""
    best = 0.0
    for number in range(ROUNDS):
        told = samples(f"{name}_{number}")
        batches = [told[at : at + BATCH_SAMPLES] for at in range(0, len(told), BATCH_SAMPLES)]
        began = time.perf_counter()
        send(url, batches)
        best = max(best, len(told) / (time.perf_counter() - began))
    return best


def whole_way(url: str) -> tuple[float, float]:
    """Samples a second from a ledger on disk, and the seconds to find that nothing is new."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = Ledger(folder / "ledger.duckdb")
        fill(ledger, folder)
        sender = HistorySender(ledger, Receiver(url), ["files"], since=timedelta(days=30))
        began = time.perf_counter()
        assert sender.send() is None
        sent = time.perf_counter() - began
        began = time.perf_counter()
        assert sender.send() is None
        again = time.perf_counter() - began
        assert sender.status.acknowledged == SERIES * HOURS
        ledger.close()
        return SERIES * HOURS / sent, again


def fill(ledger: Ledger, folder: Path) -> None:
    """A charge for each series and hour, by way of a Parquet file as the sources write it."""
    put(ledger, folder, "one", charge())
    one = folder / "one.parquet"
    with duckdb.connect() as connection:
        rows = folder / "row.csv"
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in CHARGE_COLUMNS.items())
        write_spool_csv(rows, [charge()])
        connection.execute(
            f"""COPY (SELECT * REPLACE (
                  'project-' || (number // 20) AS project_id, 'Service ' || (number % 20) AS service_name,
                  TIMESTAMP '{END:%Y-%m-%d %H:%M:%S}' - to_hours(hour) AS charge_period_start,
                  (random() * 100)::DECIMAL(38,18) AS billed_cost_usd)
                FROM read_csv('{rows}', header = true, auto_detect = false, nullstr = '\\0',
                    columns = {{{columns}}}),
                  range(1, {HOURS + 1}) AS hours(hour), range({SERIES}) AS numbers(number))
                TO '{one}' (FORMAT parquet)"""
        )
    ledger.put("files", "one", "cursor", one, SERIES * HOURS)


def main() -> None:
    chosen = argparse.ArgumentParser(description=__doc__)
    chosen.add_argument("--prometheus", action="store_true", help="send to a real Prometheus")
    with prometheus() if chosen.parse_args().prometheus else sink() as url:
        own, other = rate(ours, url, "own"), rate(theirs, url, "other")
        print(f"{SERIES * HOURS:,} samples of {SERIES} series, {BATCH_SAMPLES:,} in a request")
        print(f"spend-exporter            {own:>10,.0f} samples/s")
        print(f"prometheus-remote-writer  {other:>10,.0f} samples/s")
        print(f"ratio                     {own / other:>10.2f}")
        way, again = whole_way(url)
        print(f"from the ledger           {way:>10,.0f} samples/s, {way / other:.2f} of the client alone")
        print(f"finding nothing new       {again:>10.3f} s")


if __name__ == "__main__":
    main()
