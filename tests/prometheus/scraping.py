"""A real Prometheus that scrapes one exporter every second, and what it has stored of a metric."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prometheus.running_prometheus import prometheus_process
from tests.support.exposed import DEADLINE_SECONDS, until

PROMETHEUS_2 = shutil.which("prometheus")
PROMETHEUS_3 = os.environ.get("PROMETHEUS_3") or next(
    (str(found) for found in sorted(Path(".cache").glob("prometheus-3*/**/prometheus")) if found.is_file()),
    None,
)
"""A program that was built into .cache, or that the variable names."""


@dataclass(frozen=True)
class Scraper:
    """One that runs."""

    address: str

    def instant(self, query: str) -> dict[tuple[tuple[str, str], ...], Any]:
        """The answer by labels: a value, or for a range of time its samples."""
        question = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(
            f"{self.address}/api/v1/query?{question}", timeout=DEADLINE_SECONDS
        ) as answer:
            found = json.load(answer)["data"]["result"]
        return {
            tuple(sorted(each["metric"].items())): each.get("values") or float(each["value"][1])
            for each in found
        }

    def total(self, query: str) -> float:
        """The sum of the answer's values."""
        return float(sum(self.instant(query).values()))

    def risen(self, name: str) -> float:
        """What all series of a counter rose by between scrapes; after a fall it counts from zero."""
        risen = 0.0
        for samples in self.instant(f"{name}[2h]").values():
            values = [float(value) for _, value in samples]
            risen += sum(now - before if now >= before else now for before, now in itertools.pairwise(values))
        return risen


@contextlib.contextmanager
def scraping(
    folder: Path, program: str, port: int, exporter: str, *flags: str, scrape: Mapping[str, Any] | None = None
) -> Iterator[Scraper]:
    """Run a Prometheus that scrapes the exporter (host and port) every second."""
    job = {"job_name": "spend-exporter", "static_configs": [{"targets": [exporter]}], **(scrape or {})}
    document = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
    with prometheus_process(folder, document, port, *flags, program=program) as process:
        scraper = Scraper(f"http://127.0.0.1:{port}")
        until(lambda: _scraped(scraper) or process.poll() is not None, "Prometheus has scraped")
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield scraper


def _scraped(scraper: Scraper) -> bool:
    try:
        return scraper.total("count_over_time(up[1m])") >= 2
    except OSError:
        return False
