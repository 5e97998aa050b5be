"""Billing days in the outbox: those of the provider's zone, of 23 and 25 hours too; a time is used once."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.ledger.outbox import Outbox
from exporter.ledger.outbox_period import DAY
from tests.support.charge_rows import HOUR, charge, put
from tests.support.history_world import billing_day, charges

FIRST, END = date(2026, 10, 29), date(2026, 11, 5)
"""With a day of 25 hours, November 1st."""
NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
ZONES = {"gcp": "America/Los_Angeles"}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def days(ledger: Ledger, since: datetime = NOW - timedelta(days=60)) -> Outbox:
    return Outbox(ledger, "http://receiver", ["files"], since, period=DAY, zones=ZONES)


def deliver(box: Outbox, stored: dict[tuple[tuple[str, ...], int], float], now: datetime = NOW) -> int:
    """Send all that is due into a store that keeps the first value of a time; return how many."""
    box.know_series(now)
    for window in box.windows(now):
        box.decide(window, now, 10_000)
    batch = box.due(now, 10_000)
    for each in batch:
        assert (each.labels, each.stamp_ms) not in stored
        stored[each.labels, each.stamp_ms] = float(each.usd)
    if batch:
        box.acknowledge(batch)
    return len(batch)


def by_day(stored: dict[tuple[tuple[str, ...], int], float]) -> dict[tuple[str, date], float]:
    found: dict[tuple[str, date], float] = defaultdict(float)
    for (labels, stamp), usd in stored.items():
        found[labels[0], datetime.fromtimestamp(stamp / 1000, UTC).date()] += usd
    return dict(found)


def billed(rows: list[Charge]) -> dict[tuple[str, date], float]:
    found: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row.provider, billing_day(row)] += row.billed_cost_usd
    return {key: float(usd) for key, usd in found.items()}


@pytest.mark.parametrize(("first", "end"), [(FIRST, END), (date(2026, 3, 5), date(2026, 3, 12))])
def test_each_billing_day_is_a_sample_at_noon_of_its_date(
    ledger: Ledger, tmp_path: Path, first: date, end: date
) -> None:
    rows = list(charges(first, end))
    put(ledger, tmp_path, "a", *rows)
    stored: dict[tuple[tuple[str, ...], int], float] = {}
    box = days(ledger, datetime(2026, 1, 1, tzinfo=UTC))
    assert deliver(box, stored) == (end - first).days * 4
    assert {datetime.fromtimestamp(stamp / 1000, UTC).hour for _, stamp in stored} == {12}
    assert by_day(stored) == pytest.approx(billed(rows), rel=1e-9)
    assert deliver(box, stored) == 0


@pytest.mark.slow
def test_restated_days_add_up_to_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    stored: dict[tuple[tuple[str, ...], int], float] = {}
    box = days(ledger)
    for seed in range(12):
        rows = list(charges(FIRST, FIRST + timedelta(days=2), seed=seed))
        put(ledger, tmp_path, "a", *random.Random(seed).sample(rows, k=len(rows) - 3))
        deliver(box, stored)
    put(ledger, tmp_path, "a", *rows)
    deliver(box, stored)
    assert len(stored) > 60
    assert by_day(stored) == pytest.approx(billed(rows), abs=1e-6)


@pytest.mark.parametrize("offset", [-10, -8, 0, 1, 11])
def test_a_thousand_restatements_have_times_of_their_own_on_the_same_date(offset: int) -> None:
    midnight = datetime(2026, 11, 19, tzinfo=UTC)
    stamps = {DAY.stamp_ms(midnight, revision) for revision in range(1000)}
    assert len(stamps) == 1000
    local = {datetime.fromtimestamp(stamp / 1000, UTC) + timedelta(hours=offset) for stamp in stamps}
    assert {moment.date() for moment in local} == {midnight.date()}


@pytest.mark.slow
def test_a_day_is_sent_from_noon_on_as_far_as_it_is_known_and_corrected_later(
    ledger: Ledger, tmp_path: Path
) -> None:
    midnight = datetime(2026, 11, 19, 8, tzinfo=UTC)
    hours = [charge("1", charge_period_start=midnight + hour * HOUR) for hour in range(24)]
    noon = datetime(2026, 11, 19, 12, tzinfo=UTC)
    stored: dict[tuple[tuple[str, ...], int], float] = {}
    box = days(ledger)
    put(ledger, tmp_path, "a", *hours[:3])
    assert deliver(box, stored, noon - timedelta(seconds=1)) == 0
    assert deliver(box, stored, noon) == 1
    assert list(stored.values()) == [3.0]
    put(ledger, tmp_path, "a", *hours)
    assert deliver(box, stored, NOW) == 1
    assert sorted(stored.values()) == [3.0, 21.0]
    assert sorted(stamp for _, stamp in stored) == [
        int(noon.timestamp()) * 1000 - 60_000,
        int(noon.timestamp()) * 1000,
    ]


@pytest.mark.slow
def test_a_day_whose_charges_are_deleted_in_part_is_not_corrected(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", *charges(FIRST, END))
    stored: dict[tuple[tuple[str, ...], int], float] = {}
    box = days(ledger)
    deliver(box, stored)
    before = by_day(stored)
    assert len(before) == 2 * (END - FIRST).days
    ledger.forget_before(datetime(2026, 10, 31, 20, tzinfo=UTC))
    assert deliver(box, stored) == 0
    box.forget_old()
    assert deliver(box, stored) == 0
    assert by_day(stored) == before


def test_the_days_and_the_hours_of_a_receiver_are_kept_apart(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", charge("5", charge_period_start=datetime(2026, 11, 10, 7, tzinfo=UTC)))
    hours = Outbox(ledger, "http://one", ["files"], NOW - timedelta(days=31))
    box = Outbox(ledger, "http://one (days)", ["files"], NOW - timedelta(days=31), period=DAY, zones=ZONES)
    stored: dict[tuple[tuple[str, ...], int], float] = {}
    assert deliver(hours, stored) == 1
    assert deliver(box, stored) == 1
    # An hour before midnight in Los Angeles: the ninth.
    assert by_day(stored)["gcp", date(2026, 11, 9)] == 5.0
