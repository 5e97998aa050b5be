"""What reaches the ledger: how far back a source is to read, and what becomes too old to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.past_estimates import PastEstimates
from exporter.ledger.usage.store import UsageLedger
from exporter.refresh.intake import KEEP_POINTS, Intake
from exporter.sources.base import Change, RefreshContext, RefreshTally
from exporter.sources.spool import write_usage_csv
from tests.ledger.test_past_estimates import FIRST, kept
from tests.ledger.usage.test_store import POINT, read
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
DAY = timedelta(days=1)
KEEP = 62 * DAY


@dataclass
class Quiet(TestedSource):
    """A source that has nothing new."""

    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        yield from ()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def intake(ledger: Ledger, folder: Path, now: datetime = NOW) -> Intake:
    return Intake(ledger, folder, KEEP, lambda: now)


def use(ledger: Ledger, folder: Path, hour: datetime) -> None:
    spool = write_usage_csv(
        folder / "usage.csv", [replace(POINT, start=hour, end=hour + timedelta(minutes=1))]
    )
    UsageLedger(ledger).put(
        "cloud_monitoring", [replace(read(), since=hour, until=hour + HOUR, through=hour + HOUR)], spool
    )


def hours_of_usage(ledger: Ledger) -> list[datetime]:
    with ledger.reading() as connection:
        rows = connection.execute("SELECT DISTINCT hour FROM usage_hour ORDER BY ALL").fetchall()
    return [hour.replace(tzinfo=UTC) for (hour,) in rows]


def points_of_usage(ledger: Ledger) -> list[datetime]:
    with ledger.reading() as connection:
        rows = connection.execute("SELECT DISTINCT begins FROM usage_point ORDER BY ALL").fetchall()
    return [begins.replace(tzinfo=UTC) for (begins,) in rows]


@pytest.mark.slow
def test_usage_and_estimates_are_kept_as_long_as_charges_and_points_for_some_days(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", charge(export_hour=NOW))
    old, within, recent = NOW - KEEP - HOUR, NOW - KEEP_POINTS - HOUR, NOW - HOUR
    for hour in (old, within, recent):
        use(ledger, tmp_path, hour)
    estimates = [replace(FIRST, hour=hour, day=hour.date()) for hour in (old, within)]
    PastEstimates(ledger).keep(estimates)

    intake(ledger, tmp_path).forget_old()

    assert ledger.kept_from() == NOW - KEEP
    assert hours_of_usage(ledger) == [within, recent]
    assert points_of_usage(ledger) == [recent]
    assert kept(ledger) == estimates[1:]


def test_a_source_reads_no_further_back_than_the_ledger_keeps_also_when_the_clock_jumped_back(
    ledger: Ledger, tmp_path: Path
) -> None:
    def oldest_kept(now: datetime) -> datetime:
        return intake(ledger, tmp_path, now).context(Quiet(), RefreshTally(), lambda: False).oldest_kept

    assert oldest_kept(NOW) == NOW - KEEP
    put(ledger, tmp_path, "a", charge(export_hour=NOW))
    intake(ledger, tmp_path).forget_old()
    assert oldest_kept(NOW - 10 * DAY) == ledger.kept_from() == NOW - KEEP
    assert oldest_kept(NOW + DAY) == NOW + DAY - KEEP
