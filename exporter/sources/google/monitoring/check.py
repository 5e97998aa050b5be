"""What `check` says of Cloud Monitoring: which projects answer, and what reading them will cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from exporter.core.errors import SourceError
from exporter.sources.base import Finding, Unreadable, UsageBatch, UsageChange
from exporter.sources.google.monitoring.costs import (
    FREE_SERIES_PER_MONTH,
    USD_PER_MILLION_SERIES,
    reading_usd_per_month,
)


def findings(
    changes: Iterator[UsageChange],
    series_per_month: Callable[[timedelta], float],
    update_interval: timedelta,
) -> Iterator[Finding]:
    """Read every project once, as the first refresh would, keep nothing, and tell what came.

    The series that this returns count towards the month's, as those of one refresh.
    """
    answered = 0
    try:
        for change in changes:
            match change:
                case UsageBatch():
                    change.points.unlink(missing_ok=True)
                    answered += 1
                    project = change.reads[0].project_id
                    yield Finding(True, project, f"{change.rows:,} points of {len(change.reads)} meters")
                case Unreadable():
                    # A project that never used a service has none of its metrics, and that is fine.
                    unused = change.rejected.reason == "unknown_metric"
                    yield Finding(unused, change.partition, change.rejected.detail, warning=unused)
    except SourceError as error:
        yield Finding(False, "reading", str(error))
        return
    if not answered:
        yield Finding(True, "usage", "no project has any live usage", warning=True)
        return
    series = series_per_month(update_interval)
    usd = reading_usd_per_month(series)
    minutes = update_interval.total_seconds() / 60
    yield Finding(
        True,
        "a month",
        f"about {series:,.0f} time series at a refresh every {minutes:g} minutes: ${usd:.2f}, were nothing "
        f"else read with the account ({FREE_SERIES_PER_MONTH:,} a month are free, then "
        f"${USD_PER_MILLION_SERIES:.2f} a million)",
    )
