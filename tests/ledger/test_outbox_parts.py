"""Parts of billing days in the outbox: what a receiver has sums to the ledger, also after rules change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.ledger.charges.attribution import Values
from exporter.ledger.charges.daily_parts import Division, Part
from exporter.ledger.charges.store import Ledger
from exporter.ledger.outbox import Outbox, Stored
from exporter.ledger.outbox_period import DAY
from tests.support.charge_rows import charge, put
from tests.support.history_world import billing_day, charges

FIRST, END = date(2026, 10, 29), date(2026, 11, 5)
"""With a day of 25 hours, November 1st."""
NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
ZONES = {"gcp": "America/Los_Angeles"}

Stamped = dict[tuple[tuple[str, ...], int], float]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def by_sku(values: Values) -> Sequence[Part]:
    return (Part((values[5],), ("other",)),)


def by_project(values: Values) -> Sequence[Part]:
    return (Part((values[2],), ("other",)),)


def box(ledger: Ledger, parts: object = by_sku, compared: timedelta = timedelta(days=60)) -> Outbox:
    return Outbox(
        ledger,
        "http://receiver (days by rule)",
        ["files"],
        NOW - timedelta(days=60),
        period=DAY,
        zones=ZONES,
        division=Division("rule", ("rule",), parts),  # type: ignore[arg-type]
        compared=compared,
    )


def deliver(outbox: Outbox, stored: Stamped, now: datetime = NOW) -> int:
    """Send all that is due into a store that keeps the first value of a time; return how many."""
    outbox.know_series(now)
    waiting = sum(outbox.count_undecided(window) for window in outbox.windows(now))
    assert sum(outbox.decide(window, now, 10_000) for window in outbox.windows(now)) == waiting
    batch = outbox.due(now, 10_000)
    for each in batch:
        assert (each.labels, each.stamp_ms) not in stored
        stored[each.labels, each.stamp_ms] = float(each.usd)
    if batch:
        outbox.acknowledge(batch)
    return len(batch)


def by_part(stored: Stamped) -> dict[tuple[tuple[str, ...], date], float]:
    found: dict[tuple[tuple[str, ...], date], float] = defaultdict(float)
    for (labels, stamp), usd in stored.items():
        found[labels, datetime.fromtimestamp(stamp / 1000, UTC).date()] += usd
    return {key: usd for key, usd in found.items() if abs(usd) > 1e-9}


def billed(rows: Sequence[Charge], name: str) -> dict[tuple[tuple[str, ...], date], float]:
    found: dict[tuple[tuple[str, ...], date], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[(row.provider, str(getattr(row, name))), billing_day(row)] += row.billed_cost_usd
    return {key: float(usd) for key, usd in found.items()}


@pytest.mark.slow
def test_parts_are_sent_once_restated_by_corrections_and_divided_anew_by_new_rules(
    ledger: Ledger, tmp_path: Path
) -> None:
    rows = list(charges(FIRST, END))
    put(ledger, tmp_path, "a", *rows[:-40])
    stored: Stamped = {}
    assert deliver(box(ledger), stored) > 10
    assert deliver(box(ledger), stored) == 0
    put(ledger, tmp_path, "a", *rows)
    assert deliver(box(ledger), stored) > 0
    assert by_part(stored) == pytest.approx(billed(rows, "sku_id"), abs=1e-6)
    assert deliver(box(ledger, by_project), stored) > 0
    assert by_part(stored) == pytest.approx(billed(rows, "project_id"), abs=1e-6)
    assert deliver(box(ledger, by_project), stored) == 0


@pytest.mark.slow
def test_a_small_part_that_grows_leaves_other_and_the_day_keeps_its_sum(
    ledger: Ledger, tmp_path: Path
) -> None:
    used = datetime(2026, 11, 10, 20, tzinfo=UTC)
    small = [charge("1", sku_id=f"sku-{number:03}", charge_period_start=used) for number in range(120)]
    put(ledger, tmp_path, "a", *small)
    stored: Stamped = {}
    assert deliver(box(ledger), stored) == 101
    day = date(2026, 11, 10)
    assert by_part(stored)[("gcp", "other"), day] == 20.0
    put(ledger, tmp_path, "a", *small[:-1], charge("9", sku_id="sku-119", charge_period_start=used))
    # The one that grew, the one that it replaces, and nothing of `other`, which has as many as before.
    assert deliver(box(ledger), stored) == 2
    found = by_part(stored)
    assert found[("gcp", "sku-119"), day] == 9.0
    assert (("gcp", "sku-099"), day) not in found
    assert sum(found.values()) == pytest.approx(128.0)


@pytest.mark.slow
def test_days_that_are_older_than_what_is_compared_stay_as_they_were_sent(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", *charges(FIRST, END))
    stored: Stamped = {}
    deliver(box(ledger), stored)
    before = by_part(stored)
    new = box(ledger, by_project, timedelta(days=17))
    assert [begin.date() for begin, _ in new.windows(NOW)] == [date(2026, 11, 3)]
    assert deliver(new, stored) > 0
    after = by_part(stored)
    old = {key: usd for key, usd in before.items() if key[1] < date(2026, 11, 3)}
    assert {key: usd for key, usd in after.items() if key[1] < date(2026, 11, 3)} == old
    assert after != before


@pytest.mark.slow
def test_what_a_store_has_otherwise_is_sent_again(ledger: Ledger, tmp_path: Path) -> None:
    rows = list(charges(FIRST, END))
    put(ledger, tmp_path, "a", *rows)
    stored: Stamped = {}
    outbox = box(ledger)
    deliver(outbox, stored)
    day = datetime(2026, 11, 2, tzinfo=UTC)
    sent = outbox.acknowledged((day, day + timedelta(days=1)), DAY)
    assert {len(labels) for labels, _ in sent} == {2}
    lost = [(labels, stamp) for labels, stamp in stored if stamp // 1000 == int(day.timestamp()) + 43200]
    assert lost
    for key in lost:
        del stored[key]
    outbox.correct([Stored(labels, day, Decimal(0)) for labels, _ in sent])
    assert deliver(outbox, stored) == len(lost)
    assert by_part(stored) == pytest.approx(billed(rows, "sku_id"), abs=1e-6)
