"""Google's FOCUS export beside the detailed export of the same usage: equal to the cent, whatever is asked.

bqemulator runs the SQL of both, launched as bqemulator_launch.py says.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from exporter.core.charges import tags_of
from exporter.simulator.google.world import World
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally
from exporter.sources.google.bigquery.source import BigQuerySource
from tests.integration.bqemulator_env import running_emulator
from tests.support.export_rows import SCHEMA as EXPORT_SCHEMA
from tests.support.google_focus import TABLE_NAME, focus_row_of, schema

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 5, 18, tzinfo=UTC)
HOURS = {1: (7,), 5: (14, 15)}
"""Day of November -> hours whose rows are taken."""
KEPT = ("label:team", "label:env", "tag:environment", "resource:name")
FOCUS = f"pay.gcp_billing_immutable_0a_0b_0c_eu.{TABLE_NAME}"
DETAILED = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
DAY = bigquery.TimePartitioning(type_="DAY")
CENT = Decimal("0.01")
NOTHING = "\\0"

Charge = dict[str, str]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigquery.Client]:
    with running_emulator(tmp_path_factory.mktemp("bqemulator") / "log") as address:
        client = bigquery.Client(
            project="pay", credentials=AnonymousCredentials(), client_options={"api_endpoint": address}
        )
        for name in ("billing", "gcp_billing_immutable_0a_0b_0c_eu"):
            dataset = bigquery.Dataset(f"pay.{name}")
            dataset.location = "EU"
            client.create_dataset(dataset)
        yield client
        client.close()


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """What a company is billed in an hour at the turn of a month, in two later ones, and all specials."""
    world = World(7, datetime(2026, 10, 29, tzinfo=UTC))
    exported = world.rows_exported(datetime(2026, 11, 1, tzinfo=UTC), NOW)
    chosen = [row for row in exported if row["export_time"].hour in HOURS.get(row["export_time"].day, ())]
    chosen += [
        row
        for row in world.rows_exported(datetime(2026, 11, 1, tzinfo=UTC), NOW)
        if row not in chosen and (row["cost_type"] != "regular" or any(row["adjustment_info"].values()))
    ]
    assert {row["cost_type"] for row in chosen} == {"regular", "tax", "rounding_error"}
    assert any(row["credits"] for row in chosen)
    return chosen


def fill(client: bigquery.Client, table_id: str, fields: list[Row], rows: list[Row], made: Any) -> None:
    columns = [bigquery.SchemaField.from_api_repr(field) for field in fields]
    # ingested_at stands for _PARTITIONTIME, see bqemulator_launch.py.
    table = bigquery.Table(table_id, schema=[bigquery.SchemaField("ingested_at", "TIMESTAMP"), *columns])
    table.time_partitioning = made
    client.create_table(table)
    for start in range(0, len(rows), 400):
        assert client.insert_rows_json(table_id, rows[start : start + 400]) == []


def plain(value: Any) -> Any:
    """A value of the simulator as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"
    return str(value) if isinstance(value, Decimal) else value


def day_of(row: Row) -> str:
    return f"{row['export_time']:%Y-%m-%d} 00:00:00 UTC"


@dataclass
class Read:
    """The charges of one table, as its source gave them."""

    source: BigQuerySource
    changes: list[Change]
    charges: list[Charge]

    def sums(self, key: Callable[[Charge], str], amount: str) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for charge in self.charges:
            if charge[amount] != NOTHING:
                found[key(charge)] += Decimal(charge[amount])
        return dict(found)


def context(spool: Path, known: dict[str, str] | None = None) -> RefreshContext:
    return RefreshContext(
        known or {}, NOW, NOW + timedelta(hours=1), NOW - timedelta(days=400), spool, RefreshTally()
    )


def read(client: bigquery.Client, table_id: str, spool: Path, known: dict[str, str] | None = None) -> Read:
    endpoint = client._connection.API_BASE_URL
    source = BigQuerySource(
        table=table_id, credentials=AnonymousCredentials(), endpoint=endpoint, kept_tags=KEPT
    )
    changes, charges = [], []
    for change in source.refresh(context(spool, known)):
        changes.append(change)
        if isinstance(change, Batch):
            assert change.rejected == ()
            with change.charges.open(newline="", encoding="utf-8") as handle:
                charges += list(csv.DictReader(handle))
    return Read(source, changes, charges)


@pytest.fixture(scope="module")
def both(
    client: bigquery.Client, rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Read, Read]:
    detailed_schema = client.schema_from_json(str(EXPORT_SCHEMA))
    fields = [field.to_api_repr() for field in detailed_schema]
    names = {field["name"] for field in fields}
    detailed = [
        {"ingested_at": day_of(row), **{name: plain(value) for name, value in row.items() if name in names}}
        for row in rows
    ]
    fill(client, DETAILED, fields, detailed, DAY)
    fill(client, FOCUS, schema(), [{"ingested_at": day_of(row), **focus_row_of(row)} for row in rows], DAY)
    spool = tmp_path_factory.mktemp("spool")
    return read(client, DETAILED, spool), read(client, FOCUS, spool)


def label(name: str) -> Callable[[Charge], str]:
    return lambda charge: tags_of(charge["tags"]).get(name, "")


KEYS: dict[str, Callable[[Charge], str]] = {
    **{
        name: lambda charge, name=name: charge[name]  # type: ignore[misc]
        for name in (
            *("service_id", "service_name", "sku", "project_id", "region_id", "charge_category"),
            *("invoice_month", "billing_account_id", "billing_currency", "charge_period_start"),
        )
    },
    **{name: label(name) for name in KEPT},
    "total": lambda _charge: "",
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("amount", ["billed_cost", "billed_cost_usd", "list_cost_usd"])
def test_both_exports_of_one_usage_are_equal(both: tuple[Read, Read], key: str, amount: str) -> None:
    detailed, focus = (each.sums(KEYS[key], amount) for each in both)
    assert detailed.keys() == focus.keys()
    assert detailed == pytest.approx(focus, abs=Decimal("1e-9"))


def test_net_cost_gross_cost_and_credits_are_equal_by_sku(both: tuple[Read, Read]) -> None:
    def usage(read: Read) -> Read:
        # The rows that Google gives a SKU in FOCUS: tax and rounding have none.
        kept = [each for each in read.charges if each["charge_category"] in ("usage", "purchase", "credit")]
        return Read(read.source, read.changes, [each for each in kept if each["service_name"] != "Invoice"])

    def by_sku(charge: Charge) -> str:
        return f"{charge['sku_id']} {charge['charge_category']}"

    detailed, focus = (usage(each).sums(by_sku, "billed_cost") for each in both)
    assert len(detailed) > 50
    assert any(name.endswith("credit") for name in detailed)
    assert detailed == pytest.approx(focus, abs=Decimal("1e-9"))


def test_the_parts_sum_to_the_total_and_the_total_is_what_google_billed(
    both: tuple[Read, Read], rows: list[Row]
) -> None:
    _, focus = both
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        billed[row["currency"]] += Decimal(focus_row_of(row)["BilledCost"])
    assert focus.sums(KEYS["billing_currency"], "billed_cost") == pytest.approx(dict(billed), abs=CENT / 100)
    total = sum(focus.sums(KEYS["total"], "billed_cost_usd").values())
    for key in KEYS.values():
        assert sum(focus.sums(key, "billed_cost_usd").values()) == total


def test_the_rows_that_the_charges_were_made_from_are_all_rows(
    both: tuple[Read, Read], rows: list[Row]
) -> None:
    counts = [sum(each.rows for each in read.changes if isinstance(each, Batch)) for read in both]
    assert counts == [len(rows), len(rows)]
