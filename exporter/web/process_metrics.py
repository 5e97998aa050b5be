"""Metrics of the exporter's own process: CPU, memory, Python.

They follow the cached bytes of a snapshot, so they are current even while a refresh hangs.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.samples import Sample


class ProcessMetrics:
    """The process's own metrics in either format. For use from one thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.began = self._registry.get_sample_value("process_start_time_seconds")
        """When the process was started, in seconds since 1970; None where the system does not tell."""

    def text(self) -> bytes:
        """Return text format 0.0.4."""
        return generate_latest(self._registry)

    def openmetrics(self) -> bytes:
        """Return OpenMetrics 1.0 without the closing line; counters with when they were created."""
        dated = _Dated(list(self._registry.collect()), self.began)
        output: bytes = generate_openmetrics(dated)  # type: ignore[no-untyped-call]
        return output.removesuffix(b"# EOF\n")


class _Dated:
    """Families whose counters say that they were created when the process started, where it is known.

    The text format cannot say it: there it would be a gauge of its own.
    """

    def __init__(self, families: list[Metric], began: float | None) -> None:
        self._families = families
        self._began = began

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            if family.type == "counter" and self._began is not None:
                samples = family.samples
                family.samples = []
                for each in samples:
                    name = f"{family.name}_created"
                    family.samples += [each, Sample(name, each.labels, self._began)]
            yield family
