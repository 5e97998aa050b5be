"""What Cloud Monitoring bills for time series that are read: pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from exporter.core.meters import UsageMeter

FREE_SERIES_PER_MONTH: Final = 1_000_000
USD_PER_MILLION_SERIES: Final = 0.50
"""Google's price of reading time series beyond the free ones, since October 2025."""

MONTH: Final = timedelta(days=30.4375)


def series_per_month(returned: Iterable[tuple[int, float]], update_interval: timedelta) -> float:
    """Return how many series a month of refreshes returns.

    `returned` has, for each read, how many series one refresh returns and its seconds between two points:
    what has a point an hour is not read more often.
    """
    interval = update_interval.total_seconds()
    return sum(series * MONTH.total_seconds() / max(interval, period) for series, period in returned)


def reading_usd_per_month(series_per_month: float) -> float:
    """Return what reading so many time series costs in a month, if nothing else is read with the account."""
    return max(0.0, series_per_month - FREE_SERIES_PER_MONTH) * USD_PER_MILLION_SERIES / 1e6


def series_of_services(services: int, meters: Sequence[UsageMeter]) -> list[tuple[int, float]]:
    """Return what one refresh returns for so many services that use every meter, one revision each."""
    return [(services, float(meter.period_seconds)) for meter in meters]
