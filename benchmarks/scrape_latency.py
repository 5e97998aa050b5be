"""Rendering and scraping 100,000 series: beside prometheus_client, idle and during refreshes.

Run: python benchmarks/scrape_latency.py [--series 100000] [--scrapes 100]
The client is a process of its own, so that its work is not on the server's interpreter.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import (
    SPEND_LAST_MONTH_USD,
    SPEND_MONTH_TO_DATE_USD,
    SPEND_TODAY_USD,
    SPEND_YESTERDAY_USD,
    FamilySamples,
)
from exporter.metrics.snapshot import Snapshot
from exporter.web.server import Server

WINDOWS = (SPEND_TODAY_USD, SPEND_YESTERDAY_USD, SPEND_MONTH_TO_DATE_USD, SPEND_LAST_MONTH_USD)
SWITCH_INTERVALS = (0.005, 0.001, 0.0005, 0.0002, 0.0001)
ENCODINGS = ("gzip", "identity")


def families(series: int) -> list[FamilySamples]:
    """The four windows over the same label values, which are as long as a real bill's."""
    labels = [
        (
            "gcp",
            "01AB23-4C5D67-89EF01",
            f"project-{number % 50}",
            f"Service number {number // 50 % 20}",
            f"{number // 50:04X}-{number // 50 % 977:04X}-ABCD",
            f"E2 Instance Core running in region number {number // 50}",
            f"us-central{number // 50 % 9}",
            ("usage", "tax", "credit")[number % 3],
        )
        for number in range(series // len(WINDOWS))
    ]
    return [
        FamilySamples(family, [(values, round(number * 1.37 / 7, 6)) for number, values in enumerate(labels)])
        for family in WINDOWS
    ]


def best_seconds(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several runs: what the work costs when nothing else is in the way."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


class Prebuilt(Collector):
    """The same families as prometheus_client has them."""

    def __init__(self, all_samples: list[FamilySamples]) -> None:
        self._metrics = []
        for family_samples in all_samples:
            family = family_samples.family
            metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for values, value in family_samples.samples:
                metric.add_metric(values, value)
            self._metrics.append(metric)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._metrics


def compare_rendering(all_samples: list[FamilySamples]) -> None:
    registry = CollectorRegistry()
    registry.register(Prebuilt(all_samples))
    theirs = best_seconds(lambda: generate_latest(registry), 3)
    ours = best_seconds(lambda: render(all_samples))
    exposition = render(all_samples)
    tracemalloc.start()
    render(all_samples)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"text {len(exposition.text) / 1e6:.1f} MB, gzip {len(exposition.text_gzip) / 1e6:.2f} MB")
    print(f"render, both formats, plain and gzip     {ours * 1000:7.0f} ms   peak {peak / 1e6:.0f} MB")
    print(f"prometheus_client, text alone, no gzip   {theirs * 1000:7.0f} ms   ratio {theirs / ours:.1f}\n")


@contextmanager
def rendering_all_the_time(
    all_samples: list[FamilySamples], publish: Callable[[Snapshot], None]
) -> Iterator[None]:
    """New snapshots, one after the other, in a thread of this process."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            publish(snapshot(all_samples))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def snapshot(all_samples: list[FamilySamples]) -> Snapshot:
    return Snapshot(render(all_samples), datetime.now(UTC), True, (), ())


def measure(server: Server, scrapes: int, encoding: str) -> str:
    host, port = server.address
    command = [sys.executable, __file__, "--client", host, str(port), encoding, "--scrapes", str(scrapes)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    milliseconds = sorted(1000 * seconds for seconds in json.loads(output))
    return f"{statistics.median(milliseconds):8.1f} {milliseconds[int(len(milliseconds) * 0.99)]:8.1f}"


def scrape_repeatedly(host: str, port: int, encoding: str, scrapes: int) -> list[float]:
    """Seconds from sending a request to having its last byte, over one connection."""
    request = (
        f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n"
        f"Accept-Encoding: {encoding}\r\n\r\n"
    ).encode()
    buffer = memoryview(bytearray(64 << 20))
    pause = threading.Event()
    seconds = []
    with socket.create_connection((host, port)) as connection:
        for number in range(scrapes + 3):
            # Apart from each other, as scrapes are, at moments that fall anywhere in a refresh.
            pause.wait(0.011 + 0.0037 * (number % 7))
            begin = time.perf_counter()
            connection.sendall(request)
            read, end = 0, len(buffer)
            while read < end:
                read += connection.recv_into(buffer[read:end])
                if end == len(buffer) and (head := bytes(buffer[: min(read, 4096)]).find(b"\r\n\r\n")) >= 0:
                    headers = bytes(buffer[:head]).decode().lower()
                    end = head + 4 + int(headers.split("content-length: ")[1].split("\r\n")[0])
            seconds.append(time.perf_counter() - begin)
    return seconds[3:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=100)
    parser.add_argument("--client", nargs=3, metavar=("HOST", "PORT", "ENCODING"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        host, port, encoding = arguments.client
        print(json.dumps(scrape_repeatedly(host, int(port), encoding, arguments.scrapes)))
        return
    all_samples = families(arguments.series)
    print(f"{arguments.series} series, Python {sys.version.split()[0]}")
    compare_rendering(all_samples)
    current = snapshot(all_samples)

    def publish(newer: Snapshot) -> None:
        nonlocal current
        current = newer

    print("request sent to last byte received, ms")
    print(f"{'':34}" + "".join(f"{encoding + ' median':>17} {'p99':>8}" for encoding in ENCODINGS))
    with Server(("127.0.0.1", 0), lambda: current) as server:
        idle = [measure(server, arguments.scrapes, encoding) for encoding in ENCODINGS]
        print(f"{'idle':34}" + "".join(f"{figures:>26}" for figures in idle))
        for interval in SWITCH_INTERVALS:
            sys.setswitchinterval(interval)
            with rendering_all_the_time(all_samples, publish):
                busy = [measure(server, arguments.scrapes, encoding) for encoding in ENCODINGS]
            label = f"rendering, switch interval {interval * 1000:g} ms"
            print(f"{label:34}" + "".join(f"{figures:>26}" for figures in busy))


if __name__ == "__main__":
    main()
