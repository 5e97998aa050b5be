"""The files of a backfill: each family of history as OpenMetrics, a file for each UTC month."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.cli.progress import Show
from exporter.ledger.charges.daily import DAY_STAMP_SECONDS, daily_costs
from exporter.ledger.charges.daily_parts import Division, daily_parts
from exporter.ledger.charges.hourly import StampedCost, hourly_costs
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.metrics.daily_parts import FAMILIES
from exporter.metrics.exposition.exposition import TimedSample, timed_openmetrics
from exporter.metrics.families import Family


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


@dataclass(frozen=True, slots=True)
class History:
    """What is written: hours and billing days of the bill, and parts of these days."""

    view: LedgerView
    zones: Mapping[str, str]
    """Billing zones by provider."""
    divisions: Sequence[Division] = ()
    job: str = ""
    """A label of every sample; none where it is empty."""

    def contents(self) -> dict[str, Division | None]:
        """Return what has a file for each month, by the key of its family."""
        return {"hour": None, "day": None, **{each.name: each for each in self.divisions}}


def billing_days(first: date, end: date, timezone: str) -> Window:
    """Return the time from the start of a billing day to that of another, in UTC."""
    zone = ZoneInfo(timezone)
    begin, until = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, end))
    return begin, until


def write_months(
    history: History, windows: Mapping[str, Window], folder: Path, show: Show
) -> list[MonthFile]:
    """Write the files of the hours and days in each provider's window; a month without cost has no file.

    Each file appears in one step. Raises OSError.
    """
    written = []
    months = months_of(windows)
    for number, month in enumerate(months):
        show(number, f"{month[0]:%Y-%m}")
        for contents in history.contents():
            costs = _costs(contents, history, windows, month)
            file = _write_month(FAMILIES[contents], history.job, costs, month, folder)
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
    family: Family, job: str, costs: Iterator[StampedCost], month: Window, folder: Path
) -> MonthFile | None:
    of_job = (job,) if job else ()
    labelled = replace(family, labels=("job", *family.labels)) if job else family
    path = folder / f"{family.name}-{month[0]:%Y-%m}.om"
    written = _Written()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            for text in timed_openmetrics(labelled, _samples(costs, of_job, written)):
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


def _samples(
    costs: Iterator[StampedCost], of_job: tuple[str, ...], written: _Written
) -> Iterator[TimedSample]:
    for labels, second, usd in costs:
        written.samples += 1
        written.first = min(written.first, second)
        written.last = max(written.last, second)
        yield (*of_job, *labels), float(usd), second


def _costs(
    contents: str, history: History, windows: Mapping[str, Window], month: Window
) -> Iterator[StampedCost]:
    division = history.contents()[contents]
    for provider, (begin, end) in sorted(windows.items()):
        if contents == "hour":
            since, until = max(begin, month[0]), min(end, month[1])
        else:
            # The whole billing days whose date is in the month.
            first, last = billing_days(month[0].date(), month[1].date(), history.zones[provider])
            since, until = max(begin, first), min(end, last)
        if since >= until:
            continue
        if contents == "hour":
            yield from hourly_costs(history.view, provider, since, until, order="series")
        elif division is None:
            yield from daily_costs(history.view, provider, history.zones[provider], since, until)
        else:
            yield from _stamped(history, division, provider, (since, until))


def _stamped(history: History, division: Division, provider: str, days: Window) -> Iterator[StampedCost]:
    for part in daily_parts(history.view, division, history.zones, days, provider=provider):
        if part.usd is not None:
            yield part.labels, int(part.day.timestamp()) + DAY_STAMP_SECONDS, part.usd
