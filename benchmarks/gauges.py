"""What people write themselves: a script with prometheus_client that loops over rows and sets gauges.

    python benchmarks/gauges.py rows EXPORT.parquet     reads rows, adds each to its gauges, serves
    python benchmarks/gauges.py exposition FILE         sets a gauge for each line of an exposition, serves

Prints its port, and how long reading took; serves until it is ended.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

import duckdb
from prometheus_client import CollectorRegistry, Gauge, start_http_server

LABELS = ("billing_account_id", "project_id", "service_name", "sku_id", "sku", "region_id")

ROWS = """SELECT billing_account_id, project.id, service.description, sku.id, sku.description,
  location.region, usage_start_time, cost,
  list_sum(list_transform(credits, lambda credit: credit.amount)) FROM read_parquet('{path}')"""

_LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def loop_over_rows(path: Path, registry: CollectorRegistry) -> None:
    """Add up each row, in floating point, under its day's and its month's gauge."""
    day = Gauge("script_day_usd", "Cost by day.", (*LABELS, "date"), registry=registry)
    month = Gauge("script_month_usd", "Cost by month.", (*LABELS, "month"), registry=registry)
    with duckdb.connect(config={"threads": 2}) as connection:
        rows = connection.execute(ROWS.format(path=path))
        while chunk := rows.fetchmany(10_000):
            for *labels, began, cost, credit in chunk:
                net = cost + (credit or 0.0)
                month.labels(*labels, f"{began:%Y-%m}").inc(net)
                day.labels(*labels, f"{began:%Y-%m-%d}").inc(net)


def set_as_exposed(path: Path, registry: CollectorRegistry) -> None:
    """Set one gauge for each line that has labels."""
    gauges: dict[str, Gauge] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if found := _LINE.match(line):
                name, labels, value = found.groups()
                pairs = dict(_PAIR.findall(labels))
                if name not in gauges:
                    gauges[name] = Gauge(name, "As exposed.", tuple(pairs), registry=registry)
                gauges[name].labels(**pairs).set(float(value))


def main() -> None:
    how, path = sys.argv[1], Path(sys.argv[2])
    registry = CollectorRegistry()
    started = time.perf_counter()
    (loop_over_rows if how == "rows" else set_as_exposed)(path, registry)
    seconds = time.perf_counter() - started
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(server.server_address[1], seconds, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
