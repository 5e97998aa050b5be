"""Metrics of the exporter's own process, read at each scrape: CPU, memory, Python, scrapes answered.

They follow the cached bytes of a snapshot, so they are current even while a refresh hangs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.families import SPEND_EXPORTER_SCRAPES_TOTAL


class ProcessMetrics:
    """The process's own metrics in either format. For use from one thread."""

    def __init__(self) -> None:
        self._scrapes = _Scrapes()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(self._scrapes)

    def count_scrape(self, status: int) -> None:
        """Count a scrape by its HTTP status; the next scrape shows it."""
        self._scrapes.by_status[status] += 1

    def text(self) -> bytes:
        """Return text format 0.0.4."""
        return generate_latest(self._registry)

    def openmetrics(self) -> bytes:
        """Return OpenMetrics 1.0 with the closing `# EOF`."""
        output: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]
        return output


class _Scrapes(Collector):
    """Scrapes answered, by HTTP status."""

    def __init__(self) -> None:
        self.by_status = Counter({200: 0})

    def collect(self) -> Iterator[CounterMetricFamily]:
        declared = SPEND_EXPORTER_SCRAPES_TOTAL
        family = CounterMetricFamily(declared.name, declared.help, labels=declared.labels)
        for status, count in sorted(self.by_status.items()):
            family.add_metric((str(status),), count)
        yield family
