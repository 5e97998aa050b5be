"""Tables and queries of FOCUS in BigQuery: the same charges as a file of the same rows, month by month.

bqemulator runs the SQL, launched as bqemulator_launch.py says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from exporter.core.charges import CHARGE_COLUMNS
from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Rejected, Retraction
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.opening import Opening
from exporter.sources.focus.bigquery.source import FocusBigQuerySource
from exporter.sources.focus.source import FocusSource
from tests.integration.bqemulator_env import running_emulator
from tests.support.focus_rows import Row, focus_row, write_focus_csv

pytestmark = pytest.mark.integration

NOW = datetime(2026, 12, 3, 9, tzinfo=UTC)
KEPT = ("label:team", "label:env")
USD_PER = {"EUR": Decimal("1.08")}
WHEN_KNOWN = ("export_hour", "exported_at")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigquery.Client]:
    with running_emulator(tmp_path_factory.mktemp("bqemulator") / "log") as address:
        client = bigquery.Client(
            project="pay", credentials=AnonymousCredentials(), client_options={"api_endpoint": address}
        )
        client.create_dataset("pay.bills")
        yield client
        client.close()


Charge = tuple[Any, ...]


@dataclass
class Ledger:
    """Charges and cursors by partition, as the last refresh left them."""

    source: FocusBigQuerySource | FocusSource
    spool: Path
    cursors: dict[str, str] = field(default_factory=dict)
    charges: dict[str, list[Charge]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    rows: int = 0

    def refresh(self) -> list[Change]:
        changes: list[Change] = []
        self.rejected, self.rows = [], 0
        context = RefreshContext(
            dict(self.cursors),
            NOW,
            NOW + timedelta(hours=1),
            NOW - timedelta(days=400),
            self.spool,
            RefreshTally(),
        )
        for change in self.source.refresh(context):
            assert isinstance(change, Batch | Retraction)
            changes.append(change)
            if isinstance(change, Retraction):
                del self.cursors[change.partition], self.charges[change.partition]
                continue
            self.cursors[change.partition] = change.cursor
            self.charges[change.partition] = charges_in(change.charges)
            self.rejected += change.rejected
            self.rows += change.rows
            change.charges.unlink()
        assert list(self.spool.iterdir()) == []
        return changes

    def all_charges(self) -> list[Charge]:
        return sorted((each for charges in self.charges.values() for each in charges), key=repr)

    def usd(self) -> dict[str, Decimal]:
        """Dollars by partition."""
        number = list(compared()).index("billed_cost_usd")
        return {
            partition: sum((each[number] or Decimal(0) for each in charges), Decimal(0))
            for partition, charges in self.charges.items()
        }

    def reasons(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.rejected:
            found[each.reason] = found.get(each.reason, 0) + each.count
        return found


def compared() -> list[str]:
    """A file is known when it was written, a table when it was read; all else is the same."""
    return [name for name in CHARGE_COLUMNS if name not in WHEN_KNOWN]


def charges_in(path: Path) -> list[Charge]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {', '.join(compared())} FROM read_parquet('{path}')").fetchall()


def kind_of(name: str) -> str:
    if name.endswith("Cost") or name.endswith("InUsd"):
        return "STRING" if name == "x_ListCostInUsd" else "NUMERIC"
    if name.endswith("Quantity"):
        return "FLOAT"
    return "TIMESTAMP" if name.endswith(("PeriodStart", "PeriodEnd")) else "STRING"


def make_table(client: bigquery.Client, name: str, rows: list[Row]) -> str:
    names = list(dict.fromkeys(column for row in rows for column in row))
    table_id = f"pay.bills.{name}"
    client.delete_table(table_id, not_found_ok=True)
    # In another order and in other letters than FOCUS has them, as engines do.
    schema = [bigquery.SchemaField(each.lower(), kind_of(each)) for each in reversed(names)]
    client.create_table(bigquery.Table(table_id, schema=schema))
    insert(client, table_id, rows)
    return table_id


def insert(client: bigquery.Client, table_id: str, rows: list[Row]) -> None:
    lower = [{key.lower(): value for key, value in row.items() if value not in (None, "")} for row in rows]
    for start in range(0, len(lower), 400):
        assert client.insert_rows_json(table_id, lower[start : start + 400]) == []


def source_of(client: bigquery.Client, *entries: FocusEntry, **settings: Any) -> FocusBigQuerySource:
    opening = Opening(credentials=AnonymousCredentials(), endpoint=client._connection.API_BASE_URL)
    settings.setdefault("usd_per", USD_PER)
    return FocusBigQuerySource(entries, kept_tags=KEPT, opening=opening, **settings)


def random_rows(seed: int) -> list[Row]:
    """Rows of three providers over three months, alike often enough to be summed; some are bad."""
    rng = random.Random(seed)
    costs = ["0.1", "-0.1", "0", "1.25", "0.0000004", "12345.678901", f"{rng.random():.9f}"]
    providers = {"AWS": "Amazon", "Microsoft": "Microsoft", "Oracle": "Oracle"}
    rows = []
    for _ in range(120):
        month = rng.choice(["2026-10", "2026-11", "2026-12"])
        hour = f"{month}-0{rng.randrange(1, 3)}T{rng.randrange(3):02}"
        provider = rng.choice(list(providers))
        cost = rng.choice(costs)
        rows.append(
            focus_row(
                "1.2",
                BilledCost=cost,
                EffectiveCost=rng.choice([cost, "0", "0.5"]),
                ListCost=rng.choice([cost, "2", "-2", "0", None]),
                BillingCurrency=rng.choice(["USD", "USD", "EUR", "JPY"]),
                BillingPeriodStart=f"{month}-01T00:00:00Z",
                BillingPeriodEnd=None,
                ChargePeriodStart=f"{hour}:00:00Z",
                ChargePeriodEnd=f"{hour}:59:59Z",
                ChargeCategory=rng.choice(["Usage", "Usage", "Tax", "Credit", "Purchase", "Refund"]),
                ChargeClass=rng.choice([None, None, "Correction"]),
                CommitmentDiscountId=rng.choice([None, None, "plan-1"]),
                ConsumedQuantity=rng.choice(["25", None, "1e15"]),
                ProviderName=provider,
                PublisherName=providers[provider],
                ServiceName=rng.choice(["Compute", 'It\'s "big" 🦊, really']),
                Tags=rng.choice([None, '{"team": "shop"}', '{"env":"prod","team":"web"}', "no JSON"]),
                x_BilledCostInUsd=rng.choice([None, "0.7"]) if provider == "Microsoft" else None,
                x_ListCostInUsd=rng.choice([None, "0.9", "0"]) if provider == "Microsoft" else None,
            )
        )
    return rows + bad_rows(rows[0])


def bad_rows(row: Row) -> list[Row]:
    bad = [
        {"BilledCost": None},
        {"BilledCost": "1e12"},
        {"BillingCurrency": None},
        {"ProviderName": None, "PublisherName": None},
        {"ChargePeriodStart": None},
        {"ChargePeriodStart": "2014-12-31T00:00:00Z", "BillingCurrency": "USD"},
        {"ChargePeriodStart": "2040-12-31T00:00:00Z"},
        {"BillingPeriodStart": None},
    ]
    return [{**row, **damage} for damage in bad]


@pytest.mark.parametrize("cost", ["billed", "effective"])
@pytest.mark.parametrize("seed", [1])
def test_a_table_gives_the_charges_of_a_file_of_its_rows(
    client: bigquery.Client, tmp_path: Path, seed: int, cost: Any
) -> None:
    rows = random_rows(seed)
    (tmp_path / "files").mkdir()
    (tmp_path / "spool").mkdir()
    file = write_focus_csv(tmp_path / "files" / "bill.csv", rows)
    owned = frozenset({"oci"})
    of_file = Ledger(
        FocusSource([str(file)], cost=cost, usd_per=USD_PER, kept_tags=KEPT, owned_by_others=owned),
        tmp_path / "spool",
    )
    table = make_table(client, f"same_{cost}_{seed}", rows)
    of_table = Ledger(
        source_of(client, FocusEntry("all", table=table), cost=cost, owned_by_others=owned),
        tmp_path / "spool",
    )

    of_file.refresh()
    of_table.refresh()

    assert len(of_table.all_charges()) > 50
    assert of_table.all_charges() == of_file.all_charges()
    assert of_table.reasons() == of_file.reasons()
    assert of_table.rows == of_file.rows
    assert of_table.charges.keys() == {"all/", "all/2026-10", "all/2026-11", "all/2026-12"}
    assert of_table.refresh() == []


def bill(month: str, cost: str, **changes: str | None) -> Row:
    return focus_row(
        BilledCost=cost,
        BillingPeriodStart=f"{month}-01T00:00:00Z",
        ChargePeriodStart=f"{month}-02T08:00:00Z",
        ChargePeriodEnd=f"{month}-02T09:00:00Z",
        **changes,
    )


def test_a_month_that_is_replaced_changes_exactly_that_month(client: bigquery.Client, tmp_path: Path) -> None:
    months = [bill("2026-09", "1"), bill("2026-10", "2"), bill("2026-11", "3")]
    table = make_table(client, "replaced", months)
    ledger = Ledger(source_of(client, FocusEntry("aws", table=table)), tmp_path)
    ledger.refresh()
    assert ledger.usd() == {"aws/2026-09": 1, "aws/2026-10": 2, "aws/2026-11": 3}

    make_table(client, "replaced", [months[0], bill("2026-10", "2.5"), months[2]])
    assert [change.partition for change in ledger.refresh()] == ["aws/2026-10"]
    assert ledger.usd() == {"aws/2026-09": 1, "aws/2026-10": Decimal("2.5"), "aws/2026-11": 3}

    # The same cost of another team: no sum of the month tells.
    make_table(client, "replaced", [bill("2026-09", "1", Tags='{"team":"web"}'), *months[1:]])
    assert {change.partition for change in ledger.refresh()} == {"aws/2026-09", "aws/2026-10"}

    make_table(client, "replaced", months[1:])
    assert ledger.refresh() == [Retraction("aws/2026-09")]


def test_a_table_without_rows_is_an_error_and_nothing_leaves(client: bigquery.Client, tmp_path: Path) -> None:
    table = make_table(client, "emptied", [bill("2026-11", "3")])
    ledger = Ledger(source_of(client, FocusEntry("aws", table=table)), tmp_path)
    ledger.refresh()
    client.query_and_wait(f"DELETE FROM `{table}` WHERE TRUE")

    with pytest.raises(SourceError, match="has no rows since 2025-10 any more") as error:
        ledger.refresh()
    assert error.value.reason == "export_empty"
    assert ledger.usd() == {"aws/2026-11": 3}


def test_a_query_gives_foreign_columns_the_names_of_focus(client: bigquery.Client, tmp_path: Path) -> None:
    client.query_and_wait(
        "CREATE TABLE `pay.bills.invoices` AS SELECT 'acme' AS vendor, DATE '2026-11-05' AS day, "
        "NUMERIC '9.99' AS usd, 'Support' AS what UNION ALL SELECT 'acme', DATE '2026-11-06', 0.01, 'Support'"
    )
    sql = """SELECT vendor AS ProviderName, 'A1' AS BillingAccountId, 'USD' AS BillingCurrency,
      DATE_TRUNC(day, MONTH) AS BillingPeriodStart, 'Purchase' AS ChargeCategory, day AS ChargePeriodStart,
      what AS ServiceName, usd AS BilledCost
    FROM `pay.bills.invoices` -- all of them"""
    ledger = Ledger(source_of(client, FocusEntry("invoices", sql=sql, job_project="pay")), tmp_path)

    ledger.refresh()

    assert ledger.usd() == {"invoices/2026-11": 10}
    names = compared()
    charges = [dict(zip(names, each, strict=True)) for each in ledger.all_charges()]
    assert {each["provider"] for each in charges} == {"acme"}
    assert {each["charge_category"] for each in charges} == {"purchase"}
    assert {each["invoice_month"] for each in charges} == {"202611"}
    assert ledger.refresh() == []


def test_an_entry_that_fails_costs_no_other_and_one_that_is_removed_leaves(
    client: bigquery.Client, tmp_path: Path
) -> None:
    aws = FocusEntry(
        "aws", table=make_table(client, "one", [bill("2026-11", "3")]), place="focus.bigquery[0]"
    )
    gone = FocusEntry("gone", table="pay.bills.nowhere", place="focus.bigquery[1]")
    oci = FocusEntry(
        "oci",
        table=make_table(client, "two", [bill("2026-11", "4", ProviderName="Oracle")]),
        place="focus.bigquery[2]",
    )
    ledger = Ledger(source_of(client, aws, gone, oci), tmp_path)
    with pytest.raises(SourceError, match=r"focus\.bigquery\[1\] \(gone\)"):
        ledger.refresh()
    assert ledger.usd() == {"aws/2026-11": 3, "oci/2026-11": 4}

    ledger.source = source_of(client, oci)
    assert ledger.refresh() == [Retraction("aws/2026-11", explained=True)]


def test_only_the_providers_of_an_entry_count(client: bigquery.Client, tmp_path: Path) -> None:
    rows = [bill("2026-11", "3"), bill("2026-11", "4", ProviderName="Oracle", PublisherName="Oracle")]
    table = make_table(client, "mixed", rows)
    ledger = Ledger(
        source_of(client, FocusEntry("oracle", table=table, providers=frozenset({"oci"}))), tmp_path
    )
    ledger.refresh()
    assert ledger.usd() == {"oracle/2026-11": 4}
    assert ledger.rows == 1
    assert ledger.rejected == []
