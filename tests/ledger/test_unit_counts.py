"""Numbers of units are kept by day, through restarts and in old ledgers, and no longer than charges."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import MIGRATIONS, migrate
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount, unit_counts
from tests.support import places

DAY = date(2026, 11, 10)
ORDERS = UnitCount("order", DAY, 900.0, "sum(orders)", "America/Los_Angeles")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def numbers(ledger: Ledger, unit: str = "order") -> dict[date, float]:
    with ledger.view([]) as view:
        return unit_counts(view, unit, date(2026, 1, 1), date(2027, 1, 1))


def test_each_day_of_a_unit_has_its_latest_number(ledger: Ledger) -> None:
    kept = KeptUnitCounts(ledger)
    later = replace(ORDERS, day=DAY + timedelta(days=1), number=0.0)
    kept.keep([ORDERS, later, replace(ORDERS, unit="tenant", number=7.5)])
    kept.keep([replace(ORDERS, number=901.0, promql="sum(shop_orders)")])
    assert numbers(ledger) == {DAY: 901.0, later.day: 0.0}
    assert numbers(ledger, "tenant") == {DAY: 7.5}
    assert kept.since(later.day) == [later]


def test_a_number_that_is_known_is_not_written_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    KeptUnitCounts(ledger).keep([ORDERS])
    monkeypatch.setattr(ledger, "transaction", lambda: pytest.fail("wrote"))
    KeptUnitCounts(ledger).keep([ORDERS])
    KeptUnitCounts(ledger).keep([])


def test_numbers_of_old_days_are_forgotten(ledger: Ledger) -> None:
    kept = KeptUnitCounts(ledger)
    kept.keep([ORDERS, replace(ORDERS, day=DAY - timedelta(days=1))])
    kept.forget_before(datetime(2026, 11, 10, 7, tzinfo=UTC))
    assert numbers(ledger) == {DAY: 900.0}


@pytest.mark.slow
def test_a_ledger_without_the_table_gets_it_and_keeps_its_charges(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    path.write_bytes(
        gzip.decompress((places.DATA / "ledgers" / "schema-5" / "ledger.duckdb.gz").read_bytes())
    )
    with duckdb.connect(str(path), read_only=True) as old:
        charges = old.execute("SELECT count(*), sum(billed_cost_usd) FROM charge").fetchall()
    for expected in ({}, {DAY: 900.0}):
        opened = Ledger(path)
        assert numbers(opened) == expected
        KeptUnitCounts(opened).keep([ORDERS])
        opened.close()
    with duckdb.connect(str(path), read_only=True) as upgraded:
        assert upgraded.execute("SELECT count(*), sum(billed_cost_usd) FROM charge").fetchall() == charges
    assert charges[0][0] > 0


def test_the_version_before_is_upgraded_by_this_step_alone() -> None:
    before = next(number for number, step in enumerate(MIGRATIONS) if "TABLE unit_count" in step)
    with duckdb.connect() as connection:
        migrate(connection, MIGRATIONS[:before])
        tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'unit_count'"
        assert connection.execute(tables).fetchall() == [(0,)]
        migrate(connection)
        assert connection.execute(tables).fetchall() == [(1,)]
