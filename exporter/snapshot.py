"""The snapshot: everything a scrape or the landing page shows, immutable and already rendered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from exporter.exposition import Exposition
from exporter.sources.base import Rejected


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source is doing."""

    name: str
    up: bool | None
    """Whether the last refresh succeeded; None before the first one has ended."""
    last_success: datetime | None
    """Aware; None if it has not succeeded yet."""
    last_error: str
    """What failed last and what to do, empty if nothing did; never holds a secret."""
    rows: int
    """Rows read so far, without those set aside."""
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent state of all metrics."""

    exposition: Exposition
    built_at: datetime
    """Aware."""
    ready: bool
    """Whether it was built from data: False until the first refresh of the sources has ended."""
    sources: tuple[SourceStatus, ...]
    totals: tuple[tuple[str, Decimal | None], ...]
    """Heading and amount in USD, in the order to show; None where the amount is not known yet."""
