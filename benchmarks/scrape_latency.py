"""Scraping 100,000 series: what a scrape takes, idle and while its exporter is busy.

    python benchmarks/scrape_latency.py [--series 100000] [--scrapes 100] [--scrapers 8]

Four servers of the same bytes: one that does nothing but send, which is what the machine allows, the
exporter with its front, its server without one, and prometheus_client's own. While busy, the server's process
renders snapshots without a pause and writes large answers. Scrapers are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.cli.commands.serve import THREAD_SWITCH_SECONDS
from exporter.metrics.exposition.exposition import Renderer, render
from exporter.metrics.exposition.kept_bytes import SHARED
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
    renderer = Renderer(SHARED)
    states = iter([changed(all_samples, 0), all_samples] * 3)
    renderer.render(all_samples)
    one_changed = best_seconds(lambda: renderer.render(next(states)))
    same = best_seconds(lambda: renderer.render(all_samples))
    print(f"  where one family of {len(all_samples)} changed         {one_changed * 1000:7.0f} ms")
    print(f"  where none changed                     {same * 1000:7.0f} ms")
    print(f"prometheus_client, text alone, no gzip   {theirs * 1000:7.0f} ms   ratio {theirs / ours:.1f}\n")


def changed(all_samples: list[FamilySamples], which: int) -> list[FamilySamples]:
    """Return the families with one other sample in one of them."""
    labels, value = next(iter(all_samples[which].samples))
    samples = [(labels, value + 1.0), *list(all_samples[which].samples)[1:]]
    return [*all_samples[:which], replace(all_samples[which], samples=samples), *all_samples[which + 1 :]]


@contextmanager
def busy(all_samples: list[FamilySamples], publish: Callable[[Snapshot], None]) -> Iterator[None]:
    """New snapshots, one after the other, and the text of large answers, in threads of this process."""
    stopping = threading.Event()
    rows = [list(values) for values, _ in all_samples[0].samples]

    def render_snapshots() -> None:
        while not stopping.is_set():
            publish(snapshot(all_samples))

    def write_answers() -> None:
        while not stopping.is_set():
            # In one call that lets no other thread run, as the writers of JSON do.
            json.dumps(rows)

    threads = [threading.Thread(target=work) for work in (render_snapshots, write_answers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def snapshot(all_samples: list[FamilySamples]) -> Snapshot:
    return Snapshot(render(all_samples), datetime.now(UTC), True, (), ())


@contextmanager
def sending_alone(body: bytes) -> Iterator[tuple[str, int]]:
    """A process that answers everything with the same bytes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        # Else the body waits until the head has been acknowledged.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(4096):
            connection.sendall(head)
            connection.sendall(body)

    if (child := os.fork()) == 0:
        while True:
            threading.Thread(target=answer, args=listening.accept()[:1], daemon=True).start()
    try:
        yield listening.getsockname()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        listening.close()


def scrape_milliseconds(
    address: tuple[str, int], scrapes: int, encoding: str, scrapers: int = 1
) -> list[float]:
    """Return what each scrape took, of scrapers that begin together."""
    host, port = address
    command = [
        sys.executable,
        Path(__file__).with_name("scraper.py"),
        host,
        str(port),
        encoding,
        str(scrapes),
    ]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(scrapers)]
    found = [seconds for client in clients for seconds in json.loads(client.communicate()[0])]
    return [1000 * seconds for seconds in found]


def percentile_99(values: Sequence[float]) -> float:
    """Return the value below which 99 of 100 are; of fewer than a hundred values the largest."""
    return sorted(values)[int(len(values) * 0.99)]


def measure(address: tuple[str, int], scrapes: int, encoding: str, scrapers: int) -> str:
    """Median and 99th percentile of scrapers that begin together."""
    milliseconds = scrape_milliseconds(address, scrapes, encoding, scrapers)
    return f"{statistics.median(milliseconds):9.1f} {percentile_99(milliseconds):8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=100)
    parser.add_argument("--scrapers", type=int, default=8)
    parser.add_argument("--rendering", action="store_true", help="also compare rendering")
    arguments = parser.parse_args()
    all_samples = families(arguments.series)
    print(f"{arguments.series} series, Python {sys.version.split()[0]}")
    if arguments.rendering:
        compare_rendering(all_samples)
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    current = snapshot(all_samples)
    sizes = {"gzip": current.exposition.openmetrics_gzip, "identity": current.exposition.openmetrics}

    def line(name: str, address: tuple[str, int], encodings: Sequence[str] = ENCODINGS) -> None:
        figures = [
            measure(address, arguments.scrapes, encoding, scrapers)
            for encoding in encodings
            for scrapers in (1, arguments.scrapers)
        ]
        print(f"{name:32}" + " |".join(figures), flush=True)

    print("from the request to the last byte, ms: median and p99, of 1 scraper and of several at once")
    print(
        f"{'':32}"
        + " |".join(f"{e[:8] + ' x' + str(n):>18}" for e in ENCODINGS for n in (1, arguments.scrapers))
    )
    for encoding, body in sizes.items():
        with sending_alone(body) as address:
            line(f"sending alone, {encoding}", address, [encoding])
    for front in (True, False):
        name = "exporter" if front else "its server without a front"

        def publish(newer: Snapshot) -> None:
            nonlocal current
            current = newer
            server.show(newer)

        with Server(("127.0.0.1", 0), lambda: current, front=front, max_concurrent_scrapes=64) as server:
            line(f"{name}, idle", server.address)
            with busy(all_samples, publish):
                line(f"{name}, busy", server.address)
            if front and server.front_process_id is not None:
                print(f"the front's memory: {megabytes(server.front_process_id)}")
    registry = CollectorRegistry()
    registry.register(Prebuilt(all_samples))
    theirs, thread = start_http_server(0, "127.0.0.1", registry)
    arguments.scrapes = min(arguments.scrapes, 5)
    line("prometheus_client, idle", theirs.server_address[:2])
    theirs.shutdown()
    thread.join()


def megabytes(process_id: int) -> str:
    """Its own memory, and its share of what it has in common with others."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kilobytes = {name: int(value) for name, value, *_ in map(str.split, lines)}
    shared = kilobytes["Pss_Shmem:"] // 1024
    return f"{kilobytes['Pss:'] // 1024} MB, {shared} of them the exposition that it shares"


if __name__ == "__main__":
    main()
