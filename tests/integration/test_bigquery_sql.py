"""The SQL of source `bigquery`, really run: its charges against sums made in Python, row by row.

bqemulator runs it, launched as bqemulator_launch.py says. What it cannot show: pruning and bytes, the 20
decimals of BIGNUMERIC beyond the 18th, and BigQuery's own type checking.
"""

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Retraction
from exporter.sources.google.bigquery.source import BigQuerySource
from tests.integration.bqemulator_env import running_emulator

pytestmark = pytest.mark.integration

DATA = Path(__file__).parents[1] / "data"
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
Row = dict[str, Any]
KEY = (
    *("billing_account_id", "project_id", "service_id", "service_name", "sku_id", "sku", "region_id"),
    *("charge_category", "charge_period_start", "export_hour", "invoice_month", "billing_currency"),
    "consumed_unit",
)
EXACT = Decimal("1e-9")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigquery.Client]:
    with running_emulator(tmp_path_factory.mktemp("bqemulator") / "log") as address:
        client = bigquery.Client(
            project="pay", credentials=AnonymousCredentials(), client_options={"api_endpoint": address}
        )
        dataset = bigquery.Dataset("pay.billing")
        dataset.location = "EU"
        client.create_dataset(dataset)
        yield client
        client.close()


@dataclass
class Ledger:
    """Charges and cursors by partition, as the last refresh left them."""

    source: BigQuerySource
    spool: Path
    cursors: dict[str, str] = field(default_factory=dict)
    charges: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def refresh(self) -> list[Change]:
        context = RefreshContext(
            known=dict(self.cursors),
            now=NOW,
            latest_plausible=NOW + timedelta(hours=1),
            oldest_kept=datetime(1970, 1, 1, tzinfo=UTC),
            spool=self.spool,
            tally=RefreshTally(),
        )
        changes = []
        for change in self.source.refresh(context):
            changes.append(change)
            if isinstance(change, Retraction):
                del self.cursors[change.partition], self.charges[change.partition]
                continue
            assert isinstance(change, Batch)
            self.cursors[change.partition] = change.cursor
            with change.charges.open(newline="", encoding="utf-8") as handle:
                self.charges[change.partition] = list(csv.DictReader(handle))
            self.rows += change.rows
            for refused in change.rejected:
                self.rejected[refused.reason] += refused.count
        return changes


def make_table(
    client: bigquery.Client,
    name: str,
    rows: list[Row],
    partitioning: bigquery.TimePartitioning | None,
    columns: set[str] | None = None,
) -> str:
    schema = client.schema_from_json(str(DATA / "gcp_billing_export_resource_v1.schema.json"))
    # Reordered, as Google is free to do; ingested_at stands for _PARTITIONTIME, see bqemulator_launch.py.
    schema = [column for column in reversed(schema) if columns is None or column.name in columns]
    table = bigquery.Table(
        f"pay.billing.{name}", schema=[bigquery.SchemaField("ingested_at", "TIMESTAMP"), *schema]
    )
    table.time_partitioning = partitioning
    client.create_table(table)
    insert(client, str(table.reference), rows, columns)
    return f"pay.billing.{name}"


def insert(client: bigquery.Client, table: str, rows: list[Row], columns: set[str] | None = None) -> None:
    kept = [
        {name: value for name, value in row.items() if columns is None or name in columns | {"ingested_at"}}
        for row in rows
    ]
    for start in range(0, len(kept), 200):
        assert client.insert_rows_json(table, kept[start : start + 200]) == []


def ledger_of(client: bigquery.Client, table: str, spool: Path) -> Ledger:
    endpoint = client._connection.API_BASE_URL
    return Ledger(BigQuerySource(table=table, credentials=AnonymousCredentials(), endpoint=endpoint), spool)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def random_row(rng: random.Random, day: datetime) -> Row:
    """A good export row, exported on `day`, of usage up to two days before."""
    exported = day + timedelta(microseconds=rng.randrange(86_400 * 10**6))
    service = rng.choice(["Compute Engine", "Cloud Run", "Vertex AI"])
    euros = rng.random() < 0.5
    row: Row = {
        "ingested_at": text(day),
        "billing_account_id": "0A-0B-0C",
        "service": {"id": service.upper(), "description": service},
        "sku": {
            "id": f"SKU-{rng.randrange(4)}",
            "description": rng.choice(["N1 core", "Commitment v1: cpu", "RAM 'x' \"y\" \\ 🦊"]),
        },
        "usage_start_time": text(exported - timedelta(seconds=rng.randrange(172_800))),
        "project": rng.choice([{"id": "shop"}, {"id": "web"}, None]),
        "location": rng.choice(
            [{"location": "europe-west4", "region": "europe-west4"}, {"location": "us"}, {}, None]
        ),
        "export_time": text(exported),
        "cost": rng.choice([4e-7, 0.1, -0.1, 1 / 3, 12345.678901, rng.uniform(-1, 50), 0.0]),
        "currency": "EUR" if euros else "USD",
        "currency_conversion_rate": rng.choice([0.9336499999998755, 0.91])
        if euros
        else rng.choice([None, 1.0]),
        "usage": rng.choice([{"amount": rng.uniform(0, 1e6), "unit": "seconds"}, {"amount": None}, None]),
        "credits": [
            {"name": "c", "amount": -rng.choice([4e-7, 0.1, rng.random()]), "type": "DISCOUNT"}
            for _ in range(rng.choice([0, 0, 1, 3]))
        ],
        "invoice": {"month": f"{exported:%Y%m}"},
        "cost_type": rng.choice(["regular"] * 6 + ["tax", "adjustment", "rounding_error"]),
        "adjustment_info": rng.choice([None, {}, {"id": "A1", "type": "GOODWILL"}]),
    }
    return row


BAD_ROWS: list[tuple[str, Row]] = [
    ("bad_cost", {"cost": None}),
    ("bad_cost", {"cost": 1e300}),
    ("bad_cost", {"cost": -1e12}),
    ("bad_cost", {"cost": "NaN"}),
    ("bad_cost", {"cost": "Infinity"}),
    ("bad_credit", {"credits": [{"amount": -1.0}, {"amount": None}]}),
    ("bad_credit", {"credits": [{"amount": 1e300}]}),
    ("bad_credit", {"credits": [{"amount": "NaN"}]}),
    ("bad_conversion_rate", {"currency": "EUR", "currency_conversion_rate": None}),
    ("bad_currency", {"currency": None, "currency_conversion_rate": None}),
    ("bad_conversion_rate", {"currency": "EUR", "currency_conversion_rate": 0.0}),
    ("bad_conversion_rate", {"currency": "USD", "currency_conversion_rate": -1.0}),
    ("bad_conversion_rate", {"currency": "EUR", "currency_conversion_rate": "NaN"}),
    ("bad_conversion_rate", {"currency": "EUR", "cost": 5.0, "currency_conversion_rate": 1e-300}),
    ("bad_timestamp", {"usage_start_time": None}),
    ("bad_timestamp", {"export_time": None}),
    ("undated_usage", {"usage_start_time": "2014-12-31 23:59:59 UTC"}),
    ("undated_usage", {"usage_start_time": "1970-01-01 00:00:00 UTC", "cost": -30.0}),
    ("far_timestamp", {"usage_start_time": text(NOW + timedelta(days=4000))}),
    ("future_timestamp", {"export_time": text(NOW + timedelta(days=900))}),
]


def world(seed: int) -> tuple[list[Row], list[Row]]:
    """Good rows and bad ones, spread over four days of two months."""
    rng = random.Random(seed)
    days = [datetime(2026, 10, 30, tzinfo=UTC) + timedelta(days=number) for number in range(4)]
    good = [random_row(rng, rng.choice(days)) for _ in range(200)]
    bad = [{**random_row(rng, rng.choice(days)), **damage} for _, damage in BAD_ROWS]
    return good, bad


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value.removesuffix(" UTC")).replace(tzinfo=UTC)


def expected(rows: list[Row]) -> dict[tuple[str, ...], list[Decimal]]:
    """Cost, cost in dollars and quantity by key, in exact decimals, without any SQL."""
    sums: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)

    def field_of(row: Row, outer: str, inner: str) -> str:
        return (row.get(outer) or {}).get(inner) or ""

    def hour(value: str) -> str:
        return moment(value).strftime("%Y-%m-%d %H:00:00.000000")

    def add(row: Row, category: str, unit: str, amount: Decimal, quantity: float) -> None:
        key = (
            *(row["billing_account_id"], field_of(row, "project", "id")),
            *(
                row["service"]["id"],
                row["service"]["description"],
                row["sku"]["id"],
                row["sku"]["description"],
            ),
            field_of(row, "location", "region") or field_of(row, "location", "location"),
            *(category, hour(row["usage_start_time"]), hour(row["export_time"])),
            *(field_of(row, "invoice", "month"), row["currency"], unit),
        )
        rate = Decimal(repr(row["currency_conversion_rate"] or 1.0))
        before = sums[key]
        sums[key] = [before[0] + amount, before[1] + amount / rate, before[2] + Decimal(quantity)]

    for row in rows:
        add(
            row,
            category_of(row),
            field_of(row, "usage", "unit"),
            Decimal(repr(row["cost"])),
            quantity_of(row),
        )
        if row["credits"]:
            add(row, "credit", "", sum(Decimal(repr(one["amount"])) for one in row["credits"]), 0.0)
    return sums


def quantity_of(row: Row) -> float:
    return (row.get("usage") or {}).get("amount") or 0.0


def category_of(row: Row) -> str:
    adjustment = row["adjustment_info"] or {}
    if row["cost_type"] == "tax":
        return "tax"
    if row["cost_type"] in ("adjustment", "rounding_error") or adjustment.get("id") or adjustment.get("type"):
        return "adjustment"
    return "purchase" if row["sku"]["description"].startswith("Commitment") else "usage"


INVOICE_ONLY = ("bad_conversion_rate", "undated_usage")
NOTHING = "\\0"


def expected_on_invoices_alone(bad: list[Row]) -> dict[tuple[str, str], Decimal]:
    """Net cost by invoice and currency of the rows whose dollars or day are unknown."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (reason, _), row in zip(BAD_ROWS, bad, strict=True):
        if reason in INVOICE_ONLY:
            credits = sum((Decimal(repr(one["amount"])) for one in row["credits"]), Decimal(0))
            sums[row["invoice"]["month"], row["currency"]] += Decimal(repr(row["cost"])) + credits
    return dict(sums)


def received_on_invoices_alone(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for charges in ledger.charges.values():
        for charge in charges:
            if charge["billed_cost_usd"] == NOTHING:
                sums[charge["invoice_month"], charge["billing_currency"]] += Decimal(charge["billed_cost"])
    return dict(sums)


def received(ledger: Ledger) -> dict[tuple[str, ...], list[Decimal]]:
    sums: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for charges in ledger.charges.values():
        for charge in (each for each in charges if each["billed_cost_usd"] != NOTHING):
            key = tuple(charge[name] for name in KEY)
            amounts = (charge[name] for name in ("billed_cost", "billed_cost_usd", "consumed_quantity"))
            sums[key] = [before + Decimal(text) for before, text in zip(sums[key], amounts, strict=True)]
    return sums


def assert_same(
    found: dict[tuple[str, ...], list[Decimal]], wanted: dict[tuple[str, ...], list[Decimal]]
) -> None:
    assert found.keys() == wanted.keys()
    for key, amounts in wanted.items():
        for is_, should_be in zip(found[key], amounts, strict=True):
            # Half a unit of the 18th decimal is what a charge itself can be off by.
            assert abs(is_ - should_be) <= max(EXACT * abs(should_be), Decimal("1e-17")), key


DAY = bigquery.TimePartitioning(type_="DAY")
PARTITIONINGS = {
    "ingested": DAY,
    "by_export_time": bigquery.TimePartitioning(type_="DAY", field="export_time"),
    "by_usage_month": bigquery.TimePartitioning(type_="MONTH", field="usage_start_time"),
    "unpartitioned": None,
}


@pytest.mark.parametrize("name", PARTITIONINGS)
def test_charges_equal_the_sums_of_the_rows_and_no_row_is_lost(
    client: bigquery.Client, name: str, tmp_path: Path
) -> None:
    good, bad = world(seed=7)
    ledger = ledger_of(client, make_table(client, f"sums_{name}", good + bad, PARTITIONINGS[name]), tmp_path)

    ledger.refresh()

    assert_same(received(ledger), expected(good))
    assert received_on_invoices_alone(ledger) == expected_on_invoices_alone(bad)
    assert ledger.rejected == Counter(reason for reason, _ in BAD_ROWS)
    assert ledger.rows == len(good)
    assert ledger.refresh() == []


def tags_of_row(row: Row) -> str:
    """What is kept of a row's labels, tags and resource, in words of its own."""
    labels = {pair["key"]: pair["value"] for pair in (row.get("project") or {}).get("labels") or []}
    labels |= {pair["key"]: pair["value"] for pair in row.get("labels") or []}
    found = {f"label:{key}": value for key, value in labels.items() if key in ("team", "it's")}
    found |= {f"tag:{pair['key']}": pair["value"] for pair in row.get("tags") or []}
    name = (row.get("resource") or {}).get("name")
    found |= {"resource:name": name} if name else {}
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if found else ""


def test_kept_labels_and_tags_split_charges_without_moving_a_dollar(
    client: bigquery.Client, tmp_path: Path
) -> None:
    good, bad = world(seed=13)
    rng = random.Random(13)
    for row in good:
        team = [{"key": "team", "value": "a 'b' 🦊"}, {"key": "x", "value": "y"}]
        row["labels"] = rng.choice([[], team])
        row["tags"] = rng.choice([[], [{"key": "env", "value": "prod"}], [{"key": "env", "value": ""}]])
        row["resource"] = rng.choice([None, {"name": "vm-1", "global_name": "//x"}, {"name": ""}])
        if row["project"] is not None:
            row["project"] = {
                **row["project"],
                "labels": rng.choice([[], [{"key": "team", "value": "web"}, {"key": "it's", "value": "1"}]]),
            }
    ledger = ledger_of(client, make_table(client, "kept_tags", good + bad, DAY), tmp_path)
    ledger.refresh()
    assert {charge["tags"] for batch in ledger.charges.values() for charge in batch} == {""}
    without = received(ledger)

    ledger.source = BigQuerySource(
        table=ledger.source.table,
        credentials=AnonymousCredentials(),
        endpoint=ledger.source.endpoint,
        kept_tags=("tag:env", "label:team", "label:it's", "resource:name"),
    )
    assert len(ledger.refresh()) == 4
    assert ledger.refresh() == []

    assert_same(received(ledger), without)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for batch in ledger.charges.values():
        for charge in (each for each in batch if each["billed_cost_usd"] != NOTHING):
            found[charge["tags"]] += Decimal(charge["billed_cost"])
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for row in good:
        amounts = [row["cost"], *(one["amount"] for one in row["credits"])]
        wanted[tags_of_row(row)] += sum(Decimal(repr(amount)) for amount in amounts)
    assert found.keys() == wanted.keys()
    assert len(found) > 6
    for tags, amount in wanted.items():
        assert abs(found[tags] - amount) <= EXACT * max(abs(amount), 1)


def test_totals_are_the_same_by_every_dimension(client: bigquery.Client, tmp_path: Path) -> None:
    good, _ = world(seed=11)
    ledger = ledger_of(client, make_table(client, "totals", good, DAY), tmp_path)
    ledger.refresh()
    net = sum(
        Decimal(repr(amount)) / Decimal(repr(row["currency_conversion_rate"] or 1.0))
        for row in good
        for amount in [row["cost"], *(credit["amount"] for credit in row["credits"])]
    )

    charges = [charge for batch in ledger.charges.values() for charge in batch]
    for dimension in ("service_name", "sku_id", "project_id", "charge_category"):
        by_value: dict[str, Decimal] = defaultdict(Decimal)
        for charge in charges:
            by_value[charge[dimension]] += Decimal(charge["billed_cost_usd"])
        assert abs(sum(by_value.values()) - net) <= EXACT * abs(net)


def test_the_real_row_becomes_one_charge(client: bigquery.Client, tmp_path: Path) -> None:
    (row,) = json.loads((DATA / "gcp_export_resource_v1_real_row_anonymised.json").read_text())
    row["ingested_at"] = "2024-05-13 00:00:00 UTC"
    ledger = ledger_of(client, make_table(client, "real_row", [row], DAY), tmp_path)

    ledger.refresh()

    ((charge,),) = ledger.charges.values()
    assert charge == {
        "provider": "gcp",
        "billing_account_id": "0X0X0X-0X0X0X-0X0X0X",
        "project_id": "example-project",
        "service_id": "6F81-5844-456A",
        "service_name": "Compute Engine",
        "sku_id": "315D-05CC-A75E",
        "sku": "SSD backed PD Capacity in Netherlands",
        "region_id": "europe-west4",
        "charge_category": "usage",
        "charge_period_start": "2024-05-12 22:00:00.000000",
        "export_hour": "2024-05-13 01:00:00.000000",
        "exported_at": "2024-05-13 01:49:02.981774",
        "invoice_month": "202405",
        "billing_currency": "EUR",
        "billed_cost": "0.012434000000000000",
        "billed_cost_usd": charge["billed_cost_usd"],
        "consumed_quantity": "204816252928000.0",
        "consumed_unit": "byte-seconds",
        "tags": "",
        "charge_period_end": "2024-05-12 23:00:00.000000",
        "corrects": NOTHING,
        "list_cost_usd": charge["billed_cost_usd"],
    }
    in_usd = Decimal("0.012434") / Decimal("0.93364999999987552")
    assert abs(Decimal(charge["billed_cost_usd"]) - in_usd) < EXACT * in_usd


def test_list_prices_are_kept_exactly_and_rows_without_one_stay_apart(
    client: bigquery.Client, tmp_path: Path
) -> None:
    (row,) = json.loads((DATA / "gcp_export_resource_v1_real_row_anonymised.json").read_text())
    row |= {"ingested_at": "2024-05-13 00:00:00 UTC", "currency_conversion_rate": 0.5}
    rows = [
        {**row, "cost": 1.25, "cost_at_list": 1.5, "credits": [{"name": "SUD", "amount": -0.25}]},
        {**row, "cost": 0.1, "cost_at_list": 0.2},
        {**row, "cost": 3.0, "cost_at_list": None, "credits": [{"name": "SUD", "amount": -1.0}]},
        {**row, "cost": 4.0, "cost_at_list": 0.0},
    ]
    ledger = ledger_of(client, make_table(client, "list_prices", rows, DAY), tmp_path)

    ledger.refresh()

    ((*charges,),) = ledger.charges.values()
    found = {Decimal(each["billed_cost_usd"]): each["list_cost_usd"] for each in charges}
    assert {usd: at_list if at_list == NOTHING else Decimal(at_list) for usd, at_list in found.items()} == {
        Decimal("2.7"): Decimal("3.4"),
        Decimal(14): NOTHING,
        Decimal("-2.5"): NOTHING,
    }


def test_a_table_without_list_prices_has_none(client: bigquery.Client, tmp_path: Path) -> None:
    (row,) = json.loads((DATA / "gcp_export_resource_v1_real_row_anonymised.json").read_text())
    row["ingested_at"] = "2024-05-13 00:00:00 UTC"
    columns = {"cost", "currency", "usage_start_time", "export_time", "service"}
    ledger = ledger_of(client, make_table(client, "without_list", [row], DAY, columns), tmp_path)

    ledger.refresh()

    ((charge,),) = ledger.charges.values()
    assert charge["list_cost_usd"] == NOTHING


def test_a_correction_in_a_later_partition_is_added_and_earlier_partitions_are_left_alone(
    client: bigquery.Client, tmp_path: Path
) -> None:
    rng = random.Random(3)
    january = {**random_row(rng, datetime(2026, 1, 10, tzinfo=UTC)), "cost": 10.0, "credits": []}
    table = make_table(client, "corrected", [january], DAY)
    ledger = ledger_of(client, table, tmp_path)
    ledger.refresh()
    later = {"ingested_at": "2026-02-03 00:00:00 UTC", "export_time": "2026-02-03 04:00:00 UTC"}
    negation = {
        **january,
        **later,
        "cost": -10.0,
        "adjustment_info": {"id": "C1", "type": "PRICE_CORRECTION"},
    }
    insert(client, table, [negation, {**negation, "cost": 5.0}])
    # The next process, so that old partitions are looked at too.
    ledger.source = ledger_of(client, table, tmp_path).source

    changes = ledger.refresh()

    assert [change.partition for change in changes] == [f"{table}/2026-02-03"]
    costs = [Decimal(charge["billed_cost"]) for charges in ledger.charges.values() for charge in charges]
    assert sum(costs) == 5


def test_rows_alike_in_everything_are_summed_and_never_dropped(
    client: bigquery.Client, tmp_path: Path
) -> None:
    row = {**random_row(random.Random(5), datetime(2026, 11, 20, tzinfo=UTC)), "cost": 0.1, "credits": []}
    ledger = ledger_of(client, make_table(client, "alike", [row] * 3, DAY), tmp_path)

    ledger.refresh()

    ((charge,),) = ledger.charges.values()
    assert Decimal(charge["billed_cost"]) == Decimal("0.3")


def test_a_table_with_the_bare_minimum_of_columns_is_read(client: bigquery.Client, tmp_path: Path) -> None:
    columns = {"cost", "currency", "usage_start_time", "export_time", "sku"}
    row = {
        **random_row(random.Random(5), datetime(2026, 11, 20, tzinfo=UTC)),
        "cost": 0.25,
        "currency": "USD",
    }
    ledger = ledger_of(client, make_table(client, "bare", [row], None, columns), tmp_path)

    ledger.refresh()

    ((charge,),) = ledger.charges.values()
    assert Decimal(charge["billed_cost_usd"]) == Decimal("0.25")
    assert charge["sku_id"] == row["sku"]["id"]
    assert charge["service_name"] == charge["region_id"] == charge["invoice_month"] == ""
