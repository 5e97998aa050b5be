"""The files of a backfill: hourly and daily cost as OpenMetrics, a file of each for each UTC month."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from exporter.cli.progress import Show
from exporter.ledger.charges.daily import daily_costs
from exporter.ledger.charges.hourly import StampedCost, hourly_costs
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.metrics.exposition.exposition import TimedSample, timed_openmetrics
from exporter.metrics.families import SPEND_DAILY_USD, SPEND_HOURLY_USD, Family

FAMILIES: Final = (SPEND_HOURLY_USD, SPEND_DAILY_USD)


@dataclass(frozen=True, slots=True)
class MonthFile:
    """A written file and what it contains."""

    path: Path
    family: Family
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
    view: LedgerView, windows: Mapping[str, Window], zones: Mapping[str, str], folder: Path, show: Show
) -> list[MonthFile]:
    """Write the files of the hours and days in each provider's window; a month without cost has no file.

    `zones` are the billing zones by provider. Each file appears in one step. Raises OSError.
    """
    written = []
    months = months_of(windows)
    for number, month in enumerate(months):
        show(number, f"{month[0]:%Y-%m}")
        for family in FAMILIES:
            file = _write_month(family, _costs(family, view, windows, zones, month), month, folder)
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
    family: Family, costs: Iterator[StampedCost], month: Window, folder: Path
) -> MonthFile | None:
    path = folder / f"{family.name}-{month[0]:%Y-%m}.om"
    written = _Written()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            for text in timed_openmetrics(family, _samples(costs, written)):
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
    return MonthFile(path, family, written.samples, written.first, written.last)


def _samples(costs: Iterator[StampedCost], written: _Written) -> Iterator[TimedSample]:
    for labels, second, usd in costs:
        written.samples += 1
        written.first = min(written.first, second)
        written.last = max(written.last, second)
        yield labels, float(usd), second


def _costs(
    family: Family,
    view: LedgerView,
    windows: Mapping[str, Window],
    zones: Mapping[str, str],
    month: Window,
) -> Iterator[StampedCost]:
    for provider, (begin, end) in sorted(windows.items()):
        if family is SPEND_HOURLY_USD:
            since, until = max(begin, month[0]), min(end, month[1])
        else:
            # The whole billing days whose date is in the month.
            first, last = billing_days(month[0].date(), month[1].date(), zones[provider])
            since, until = max(begin, first), min(end, last)
        if since >= until:
            continue
        if family is SPEND_HOURLY_USD:
            yield from hourly_costs(view, provider, since, until, order="series")
        else:
            yield from daily_costs(view, provider, zones[provider], since, until)
