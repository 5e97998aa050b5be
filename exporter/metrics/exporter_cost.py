"""The cost of the exporter's own reading, at the pace of the last day."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.sources.google.bigquery.costs import on_demand_usd
from exporter.sources.google.monitoring.costs import reading_usd_per_month
from exporter.sources.status import SourceStatus

PACE_OF: Final = timedelta(days=1)
LEAST: Final = timedelta(hours=1)
"""From a shorter time no month can be estimated."""

_MONTH: Final = timedelta(days=365) / 12


class ExporterCost:
    """Keeps, hour by hour, how much was read since the process began.

    Counting starts when every source has been read once: the first fill happens once, not every month.
    """

    def __init__(self) -> None:
        self._read: deque[tuple[datetime, int, int]] = deque()

    def family(self, statuses: Sequence[SourceStatus], now: datetime) -> FamilySamples:
        """Return the cost; nothing within the first hour, or without a source that costs money."""
        billed = [status for status in statuses if status.billed_reads is not None]
        if not billed or any(status.up is None for status in statuses):
            return FamilySamples(metrics.SPEND_EXPORTER_COST_USD_PER_MONTH, [])
        billed_bytes = sum(status.billed_bytes for status in billed)
        series = sum(status.series_returned for status in billed)
        if not self._read or now - self._read[-1][0] >= LEAST:
            self._read.append((now, billed_bytes, series))
        while len(self._read) > 1 and now - self._read[1][0] >= PACE_OF:
            self._read.popleft()
        since, bytes_then, series_then = self._read[0]
        if now - since < LEAST:
            return FamilySamples(metrics.SPEND_EXPORTER_COST_USD_PER_MONTH, [])
        months = (now - since) / _MONTH
        usd = on_demand_usd((billed_bytes - bytes_then) / months)
        usd += reading_usd_per_month((series - series_then) / months)
        return FamilySamples(metrics.SPEND_EXPORTER_COST_USD_PER_MONTH, [((), usd)])
