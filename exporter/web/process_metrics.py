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
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

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
        """Return OpenMetrics 1.0 with the closing `# EOF`; counters with when they were created."""
        dated = _Dated(list(self._registry.collect()))
        output: bytes = generate_openmetrics(dated)  # type: ignore[no-untyped-call]
        return output


class _Dated:
    """Families whose counters say that they were created when the process started, where it is known.

    The text format cannot say it: there it would be a gauge of its own.
    """

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        started = [
            sample.value
            for family in self._families
            for sample in family.samples
            if sample.name == "process_start_time_seconds"
        ]
        for family in self._families:
            if family.type == "counter" and started:
                samples = family.samples
                family.samples = []
                for each in samples:
                    name = f"{family.name}_created"
                    family.samples += [each, Sample(name, each.labels, started[0])]
            yield family


class _Scrapes(Collector):
    """Scrapes answered, by HTTP status."""

    def __init__(self) -> None:
        # All that there can be, so that the first of each shows as a rise.
        self.by_status = Counter({200: 0, 503: 0})

    def collect(self) -> Iterator[CounterMetricFamily]:
        declared = SPEND_EXPORTER_SCRAPES_TOTAL
        family = CounterMetricFamily(declared.name, declared.help, labels=declared.labels)
        for status, count in sorted(self.by_status.items()):
            family.add_metric((str(status),), count)
        yield family
