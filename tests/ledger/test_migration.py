"""A ledger of an older version is brought up to date and keeps every figure."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import MIGRATIONS, SCHEMA_VERSION, migrate, version_of
from exporter.metrics.billed import billed_families, lateness_families
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
PACIFIC = {"gcp": "America/Los_Angeles"}


def figures(ledger: Ledger) -> dict[str, dict[tuple[str, ...], float]]:
    with ledger.view(["files"]) as view:
        billed = billed_families(view, NOW, PACIFIC, 1000, everything_read=True)
        families = [*billed.families, *lateness_families(view, NOW, PACIFIC)]
        return {each.family.name: dict(each.samples) for each in families}


def put_first_charges(ledger: Ledger, folder: Path) -> None:
    credit = charge("-0.4", charge_category="credit")
    other = charge("3", service_name="BigQuery", service_id="24E6-581D-38E5", sku_id="X")
    put(ledger, folder, "a", charge("10"), credit, other)
    put(ledger, folder, "a", charge("10"), credit)


def as_version_1(newest: Path, old: Path) -> None:
    """What the first version would have in its file, had it read the same."""
    connection = duckdb.connect(str(old))
    migrate(connection, MIGRATIONS[:1])
    connection.execute(f"ATTACH '{newest}' AS newest (READ_ONLY)")
    connection.execute("INSERT INTO setting SELECT * FROM newest.setting WHERE name <> 'schema_version'")
    for table, later in (("partition", ""), ("series", " EXCLUDE (counted_from, unseen)"), ("restated", "")):
        connection.execute(f"INSERT INTO {table} SELECT *{later} FROM newest.{table}")
    later = "tags, charge_period_end, corrects, list_above_billed_usd"
    connection.execute(f"INSERT INTO charge SELECT * EXCLUDE ({later}) FROM newest.charge")
    assert version_of(connection) == 1
    connection.close()


def test_a_ledger_of_before_the_end_of_usage_was_kept_takes_charges_with_one(tmp_path: Path) -> None:
    old = duckdb.connect(str(tmp_path / "old.duckdb"))
    migrate(old, MIGRATIONS[:5])
    old.close()

    ledger = Ledger(tmp_path / "old.duckdb")
    put(ledger, tmp_path, "a", charge("10", charge_period_end=NOW), charge("1", sku_id="X"))

    with ledger.reading() as connection:
        rows = connection.execute("SELECT billed_cost, charge_period_end FROM charge ORDER BY 1").fetchall()
    ledger.close()
    assert rows == [(1, None), (10, NOW.replace(tzinfo=None))]


@pytest.mark.slow
def test_a_version_1_ledger_keeps_charges_counters_and_cursors(tmp_path: Path) -> None:
    newest = Ledger(tmp_path / "newest.duckdb")
    put_first_charges(newest, tmp_path)
    expected = figures(newest)
    cursors = newest.cursors("files")
    newest.close()
    as_version_1(tmp_path / "newest.duckdb", tmp_path / "old.duckdb")

    migrated = Ledger(tmp_path / "old.duckdb")

    assert figures(migrated) == expected
    assert sum(expected["spend_billed_usd_total"].values()) == 13.0
    assert sum(expected["spend_today_usd"].values()) == 9.6
    assert migrated.cursors("files") == cursors == {"a": "cursor of a"}
    put(migrated, tmp_path, "b", charge("5", export_hour=NOW - HOUR))
    assert sum(figures(migrated)["spend_billed_usd_total"].values()) == 18.0
    migrated.close()
    connection = duckdb.connect(str(tmp_path / "old.duckdb"), read_only=True)
    assert version_of(connection) == SCHEMA_VERSION > 1
    connection.close()
