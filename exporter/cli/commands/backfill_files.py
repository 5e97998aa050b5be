"""The files of a backfill: spend_hourly_usd as OpenMetrics, one file for each UTC month."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.cli.progress import Show
from exporter.ledger.charges.hourly import hourly_costs
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.metrics.exposition.exposition import TimedSample, timed_openmetrics
from exporter.metrics.families import SPEND_HOURLY_USD


@dataclass(frozen=True, slots=True)
class MonthFile:
    """A written file and what it contains."""

    path: Path
    samples: int
    first_second: int
    """Times of the first and the last sample, in seconds since 1970."""
    last_second: int


@dataclass(slots=True)
class _Written:
    samples: int = 0
    first: int = 2**62
    last: int = 0


def billing_days(first: date, end: date, timezone: str) -> Window:
    """Return the time from the start of a billing day to that of another, in UTC."""
    zone = ZoneInfo(timezone)
    begin, until = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, end))
    return begin, until


def write_months(
    view: LedgerView, windows: Mapping[str, Window], folder: Path, show: Show
) -> list[MonthFile]:
    """Write the files of the usage hours in each provider's window; a month without cost has no file.

    Each file appears in one step. Raises OSError.
    """
    written = []
    months = months_of(windows)
    for number, (begin, end) in enumerate(months):
        show(number, f"{begin:%Y-%m}")
        file = _write_month(view, windows, (begin, end), folder / f"spend_hourly_usd-{begin:%Y-%m}.om")
        if file is not None:
            written.append(file)
    show(len(months), "")
    return written


def months_of(windows: Mapping[str, Window]) -> list[Window]:
    """Return the UTC months that the windows touch."""
    first = min(begin for begin, _ in windows.values())
    last = max(end for _, end in windows.values())
    month = first.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = []
    while month < last:
        following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        found.append((month, following))
        month = following
    return found


def _write_month(
    view: LedgerView, windows: Mapping[str, Window], month: Window, path: Path
) -> MonthFile | None:
    written = _Written()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            for text in timed_openmetrics(SPEND_HOURLY_USD, _samples(view, windows, month, written)):
                file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if not written.samples:
            # A file that an earlier run wrote for the month would go into the blocks.
            path.unlink(missing_ok=True)
            return None
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return MonthFile(path, written.samples, written.first, written.last)


def _samples(
    view: LedgerView, windows: Mapping[str, Window], month: Window, written: _Written
) -> Iterator[TimedSample]:
    for provider, (begin, end) in sorted(windows.items()):
        since, until = max(begin, month[0]), min(end, month[1])
        if since >= until:
            continue
        for labels, second, usd in hourly_costs(view, provider, since, until, order="series"):
            written.samples += 1
            written.first = min(written.first, second)
            written.last = max(written.last, second)
            yield labels, float(usd), second
