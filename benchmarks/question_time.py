"""Windows and questions on a ledger of years at 1,000 series an hour: seconds of each, and scrapes meanwhile.

    python benchmarks/question_time.py [FILE] [--years 3]

FILE is where the ledger is kept; it is made if it does not exist. Windows are those of a snapshot: today,
yesterday, this month and the last.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from exporter.analysis.bill.attribution import Attribution
from exporter.analysis.bill.windows import billing_windows
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.store import Ledger
from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.model_names import ModelNames
from exporter.metrics.snapshot import Snapshot
from exporter.questions.asking import Questions
from exporter.questions.dimensions import Dimensions
from exporter.web.server import Server

SERIES, DAYS_OF_A_YEAR = 1000, 365
COUNTERS = [
    f"{kind}_{part}"
    for kind in ("billed", "credit")
    for part in ("present_usd", "retired_usd", "usd_total", "base_usd")
]
END = datetime(2026, 11, 26, 8, tzinfo=UTC)
QUESTIONS = {
    "a year by day and service": "from=2025-11-26&by=service",
    "a year by month and SKU, compared": "from=2026-05-26&by=sku&step=month&compare=previous",
    "a year by day, label and service": "from=2025-11-26&by=label.team,service",
    "a year of usage": "from=2025-11-26&measure=usage&step=total&by=sku",
    "ten days by hour and project": "from=now-10d&step=hour&by=project",
    "a day by SKU": "from=now-1d&step=total&by=sku",
}


def fill(ledger: Ledger, days: int) -> None:
    begin = END - timedelta(days=days)
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO partition VALUES (1, 'files', 'all', 'cursor', 1)")
        connection.execute(
            f"""INSERT INTO series BY NAME SELECT i AS series_id, 'files' AS source, 'gcp' AS provider,
                  '01AB23-4C5D67-89EF01' AS billing_account_id, 'project-' || i % 40 AS project_id,
                  'service-' || i % 25 AS service_id, 'Service ' || i % 25 AS service_name,
                  'sku-' || i // 2 AS sku_id, 'SKU ' || i // 2 AS sku, 'region-' || i % 4 AS region_id,
                  CASE WHEN i % 5 = 0 THEN 'credit' ELSE 'usage' END AS charge_category,
                  {", ".join(f"0 AS {counter}" for counter in COUNTERS)}
                FROM range({SERIES}) made(i)"""
        )
    for day in range(days):
        with ledger.transaction() as connection:
            connection.execute(
                f"""INSERT INTO charge BY NAME
                    SELECT 1 AS partition_id, i AS series_id, began AS charge_period_start,
                      began + INTERVAL 5 HOUR AS export_hour, began + INTERVAL 5 HOUR AS exported_at,
                      strftime(began, '%Y%m') AS invoice_month, 'USD' AS billing_currency,
                      cost AS billed_cost, cost AS billed_cost_usd, 1.5 * (i % 7) AS consumed_quantity,
                      'seconds' AS consumed_unit,
                      CASE WHEN i % 3 = 0 THEN '' ELSE '{{"label:team":"team-' || i % 9 || '"}}' END AS tags
                    FROM (SELECT i, $day::TIMESTAMP + to_hours(h) AS began,
                            (hash(i * 10000 + h) % 1000000)::DECIMAL(38,18) / 1000000::DECIMAL(7,0) AS cost
                          FROM range({SERIES}) series(i), range(24) hours(h))""",
                {"day": (begin + timedelta(days=day)).replace(tzinfo=None)},
            )


def get(address: tuple[str, int], path: str) -> tuple[int, int]:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    size = len(response.read())
    connection.close()
    return response.status, size


def scrape(address: tuple[str, int], seconds: float) -> list[float]:
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        get(address, "/metrics")
        took.append(time.perf_counter() - started)
        time.sleep(0.02)
    return took


def ask(address: tuple[str, int], clients: int, seconds: float) -> dict[int, int]:
    """Let so many clients ask again and again; a refused one waits as it is told."""
    end, statuses = time.monotonic() + seconds, dict[int, int]()

    def client() -> None:
        while time.monotonic() < end:
            status, _ = get(address, "/api/v1/costs?" + QUESTIONS["a year by day and service"])
            statuses[status] = statuses.get(status, 0) + 1
            time.sleep(1.0 if status == 429 else 0.0)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def percentiles(took: list[float]) -> str:
    ordered = sorted(took)
    p99 = ordered[int(0.99 * len(ordered))]
    named = {"median": statistics.median(ordered), "p99": p99, "max": ordered[-1]}
    return ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in named.items())


def window_seconds(ledger: Ledger) -> list[float]:
    """Sum every window of every series, ten times."""
    took = []
    for _ in range(10):
        started = time.perf_counter()
        with ledger.view(["files"]) as view:
            found = view.window_sums("gcp", billing_windows(END, "America/Los_Angeles"))
        took.append(time.perf_counter() - started)
        assert len(found) == SERIES
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--years", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.file or Path(folder) / "years.duckdb"
        missing = not path.exists()
        ledger = Ledger(path)
        ledger.spill_to(Path(folder))
        if missing:
            fill(ledger, chosen.years * DAYS_OF_A_YEAR)
        print(f"the ledger has {path.stat().st_size / 1e6:,.0f} MB")
        print(f"all windows: {percentiles(window_seconds(ledger))}")
        family = Family("cost_usd", "gauge", ("sku",), "What it cost.", "usd")
        samples = [((f"{number:08d}",), 1.5) for number in range(10_000)]
        shown = Snapshot(render([FamilySamples(family, samples)]), END, ready=True, sources=(), totals=())
        questions = Questions(
            lambda: ledger.view(["files"]),
            Dimensions(("label:team",), Attribution(), ModelNames(GCP_LLM_SERVICE_IDS)),
            {"gcp": "America/Los_Angeles"},
            clock=lambda: END,
            version=lambda: 1,
        )
        sys.setswitchinterval(0.0005)
        with Server(("127.0.0.1", 0), lambda: shown, questions=questions) as server:
            for name, query in QUESTIONS.items():
                took = []
                for _ in range(5):
                    cpu, started = time.process_time(), time.perf_counter()
                    status, size = get(server.address, f"/api/v1/costs?{query}")
                    took.append((time.perf_counter() - started, time.process_time() - cpu))
                first, median = took[0][0], statistics.median(wall for wall, _ in took)
                cpu = statistics.median(each for _, each in took)
                print(
                    f"{name}: {status}, {size:,} bytes; first {first:.2f} s, median {median:.2f} s, "
                    f"processor {cpu:.2f} s"
                )
            # Clients have processes of their own, so that they share no lock with the server.
            with ProcessPoolExecutor(2, get_context("spawn")) as pool:
                for clients in (0, 1, 2, 50):
                    asking = pool.submit(ask, server.address, clients, 10.0)
                    scraping = pool.submit(scrape, server.address, 10.0)
                    print(
                        f"scrapes while {clients} clients ask: {percentiles(scraping.result())}; "
                        f"answers {asking.result()}"
                    )
        ledger.close()


if __name__ == "__main__":
    main()
