"""Tags are a fact of a charge: rows of their own, but no series, no restatement and no counter moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from exporter.core.charges import tags_text
from exporter.ledger.charges.attribution import AttributionView
from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import MIGRATIONS, migrate
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
RESEARCH, SALES = (tags_text({"label:team": team}) for team in ("research", "sales"))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger(None)
    yield ledger
    ledger.close()


def by_tags(ledger: Ledger) -> dict[str, Decimal]:
    window = {"all": (NOW - timedelta(days=30), NOW)}
    with ledger.view(["files"]) as view:
        sums = AttributionView(view).window_sums("gcp", window)
    return {values[-1]: usd for values, (usd,) in sums if usd is not None}


def test_charges_that_differ_in_tags_alone_are_two_charges_of_one_series(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", charge("1", tags=RESEARCH), charge("2", tags=SALES), charge("4"))
    assert by_tags(ledger) == {RESEARCH: 1, SALES: 2, "": 4}
    with ledger.view(["files"]) as view:
        [totals] = view.series_totals()
        assert view.connection.execute("SELECT count(*) FROM charge").fetchall() == [(3,)]
    assert totals.billed_usd == 7


def test_reading_again_with_other_tags_restates_nothing_and_moves_no_counter(
    ledger: Ledger, tmp_path: Path
) -> None:
    adjustment = {"charge_category": "adjustment", "sku_id": "y"}
    later = charge("5", export_hour=NOW - HOUR)
    put(ledger, tmp_path, "a", charge("7"), charge("3", **adjustment), later)

    def counted(before: datetime | None = None) -> object:
        with ledger.view(["files"], before) as view:
            totals = {each.labels: (each.billed_usd, each.credit_usd) for each in view.series_totals()}
            return totals, view.restated() if before is None else None

    known, known_now = counted(), counted(NOW)
    put(
        ledger,
        tmp_path,
        "a",
        charge("-1", tags=RESEARCH),
        charge("8", tags=SALES),
        charge("-2", tags=SALES, **adjustment),
        charge("5", **adjustment),
        later,
    )
    assert (counted(), counted(NOW)) == (known, known_now)
    ledger.forget_before(NOW - HOUR)
    assert counted() == known


@pytest.mark.slow
def test_charges_from_before_there_were_tags_have_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new.duckdb")
    put(ledger, tmp_path, "a", charge("7"))
    ledger.close()
    connection = duckdb.connect(str(tmp_path / "old.duckdb"))
    migrate(connection, MIGRATIONS[:2])
    connection.execute(f"ATTACH '{tmp_path / 'new.duckdb'}' AS new (READ_ONLY)")
    for table, later in (("partition", ""), ("series", " EXCLUDE (counted_from, unseen)")):
        connection.execute(f"INSERT INTO {table} SELECT *{later} FROM new.{table}")
    later = "tags, charge_period_end, corrects, list_above_billed_usd"
    connection.execute(f"INSERT INTO charge SELECT * EXCLUDE ({later}) FROM new.charge")
    connection.close()

    migrated = Ledger(tmp_path / "old.duckdb")
    assert by_tags(migrated) == {"": 7}
    put(migrated, tmp_path, "b", charge("1", tags=RESEARCH))
    assert by_tags(migrated) == {"": 7, RESEARCH: 1}
    migrated.close()
