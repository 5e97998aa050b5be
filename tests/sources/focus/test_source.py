"""FOCUS files: every version and provider becomes exact charges, and what is wrong is named and left out."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.core.charges import CHARGE_COLUMNS, tags_text
from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Retraction, Unreadable
from exporter.sources.focus.source import FocusSource
from tests.support.focus_rows import (
    SAMPLE,
    VERSIONS,
    Row,
    focus_row,
    without,
    write_focus_csv,
    write_focus_parquet,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 11, 5, 30, tzinfo=UTC)


@pytest.fixture
def context(tmp_path: Path) -> RefreshContext:
    spool = tmp_path / "spool"
    spool.mkdir()
    return RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + timedelta(days=1),
        oldest_kept=NOW - timedelta(days=400),
        spool=spool,
        tally=RefreshTally(),
    )


def refresh(context: RefreshContext, pattern: str | Path, **options: Any) -> list[Change]:
    return list(FocusSource([str(pattern)], **options).refresh(context))


def only_batch(context: RefreshContext, path: Path, **options: Any) -> Batch:
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    (change,) = refresh(context, path, **options)
    assert isinstance(change, Batch), change
    return change


def rows_of(query: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(query).fetchall()


def charges(batch: Batch) -> list[dict[str, Any]]:
    rows = rows_of(f"SELECT * FROM '{batch.charges}' ORDER BY ALL")
    return [dict(zip(CHARGE_COLUMNS, row, strict=True)) for row in rows]


def only_charges(context: RefreshContext, rows: list[Row], **options: Any) -> list[dict[str, Any]]:
    batch = only_batch(context, write_focus_csv(context.spool.parent / "a.csv", rows), **options)
    assert batch.rejected == ()
    return charges(batch)


def sums(batch: Batch, *by: str) -> list[tuple[Any, ...]]:
    names = ", ".join(by)
    return rows_of(
        f"SELECT {names}, sum(billed_cost_usd) FROM '{batch.charges}' GROUP BY {names} ORDER BY {names}"
    )


@pytest.mark.slow
def test_the_samples_totals_by_provider_and_service_equal_a_sum_over_the_file(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(SAMPLE.read_bytes())
    batch = only_batch(context, path)
    table = f"read_csv('{SAMPLE}', header = true, all_varchar = true)"

    expected = rows_of(
        f"""SELECT MAP {{'AWS': 'aws', 'Microsoft': 'azure', 'Oracle': 'oci'}}[ProviderName] AS provider,
              ServiceName, sum(BilledCost::DECIMAL(38,18)) FROM {table} GROUP BY ALL ORDER BY ALL"""
    )

    assert (batch.rows, batch.rejected) == (1000, ())
    assert sums(batch, "provider", "service_name") == expected
    assert sums(batch, "provider") == [
        ("aws", Decimal("18.0066386184")),
        ("azure", Decimal("1.97651418586")),
        ("oci", Decimal("0.53707392473")),
    ]
    by_category = dict(sums(batch, "charge_category"))
    assert by_category["credit"] == Decimal("-2.6137")
    assert sum(by_category.values()) == sum(total for _, _, total in expected)


@pytest.mark.slow
@pytest.mark.parametrize("money", ["DOUBLE", "DECIMAL(38,18)", "VARCHAR"])
def test_parquet_says_the_same_as_the_csv_it_was_made_from_to_the_last_digit(
    context: RefreshContext, tmp_path: Path, money: str
) -> None:
    table = tmp_path / "a.csv"
    table.write_bytes(gzip.decompress(SAMPLE.read_bytes()))
    columnar = write_focus_parquet(tmp_path / "a.snappy.parquet", table, money)

    from_text, from_parquet = charges(only_batch(context, table)), charges(only_batch(context, columnar))

    assert len(from_text) > 900
    for each in from_text + from_parquet:
        each["consumed_quantity"] = pytest.approx(each["consumed_quantity"])
    assert from_text == from_parquet


@pytest.mark.slow
@pytest.mark.parametrize(("version", "null"), list(zip(VERSIONS, ["", "NULL", "null", ""], strict=True)))
def test_every_version_gives_the_same_charge(context: RefreshContext, version: str, null: str) -> None:
    path = write_focus_csv(context.spool.parent / "a.csv", [focus_row(version, x_Anything=None)], null)

    assert charges(only_batch(context, path)) == [
        {
            "provider": "aws",
            "billing_account_id": "123456789012",
            "project_id": "210987654321",
            "service_id": "amazon-elastic-compute-cloud",
            "service_name": "Amazon Elastic Compute Cloud",
            "sku_id": "K7TJ",
            "sku": "$0.05 per hour of a small machine",
            "region_id": "eu-central-1",
            "charge_category": "usage",
            "charge_period_start": datetime(2026, 11, 10, 8),
            "export_hour": datetime(2026, 11, 11, 5),
            "exported_at": datetime(2026, 11, 11, 5, 30),
            "invoice_month": "202611",
            "billing_currency": "USD",
            "billed_cost": Decimal("1.25"),
            "billed_cost_usd": Decimal("1.25"),
            "consumed_quantity": 25.0,
            "consumed_unit": "Hours",
            "tags": "",
            "charge_period_end": datetime(2026, 11, 10, 9),
            "corrects": None,
            "list_cost_usd": Decimal(2),
        }
    ]


def test_list_prices_are_in_dollars_and_unknown_where_the_row_tells_none(context: RefreshContext) -> None:
    rows = [
        focus_row(ListCost="2.5", BillingCurrency="EUR"),
        focus_row(ListCost=None, BilledCost="3"),
        focus_row(ListCost="0", BilledCost="5", RegionId="azure writes 0 where it knows none"),
        focus_row(ChargeCategory="Credit", BilledCost="-1", ListCost="0"),
        focus_row(BillingCurrency="GBP", BilledCost="8", x_BilledCostInUsd="10", x_ListCostInUsd="12"),
    ]
    rows = [{"x_BilledCostInUsd": None, "x_ListCostInUsd": None, **row} for row in rows]
    found = only_charges(context, rows, usd_per={"EUR": Decimal(2)})
    assert sorted(
        (each["billed_cost_usd"], each["list_cost_usd"]) for each in found if each["list_cost_usd"]
    ) == [
        (Decimal("2.5"), Decimal(5)),
        (Decimal(10), Decimal(12)),
    ]
    unknown = {each["billed_cost_usd"] for each in found if each["list_cost_usd"] is None}
    assert unknown == {Decimal(3), Decimal(5), Decimal(-1)}


@pytest.mark.parametrize(("cost", "billed_at_list"), [("billed", "Purchase"), ("effective", "Usage")])
def test_a_commitment_and_what_it_covers_are_not_both_counted_at_list_prices(
    context: RefreshContext, cost: str, billed_at_list: str
) -> None:
    fee = focus_row(ChargeCategory="Purchase", BilledCost="70", EffectiveCost="0", ListCost="70")
    use = focus_row(BilledCost="0", EffectiveCost="70", ListCost="100")
    rows = [{**row, "CommitmentDiscountId": "plan-1"} for row in (fee, use)]
    found = {
        each["charge_category"]: each["list_cost_usd"] for each in only_charges(context, rows, cost=cost)
    }
    assert {name for name, usd in found.items() if usd} == {billed_at_list.lower()}
    assert set(found.values()) == {Decimal(0), Decimal(70 if cost == "billed" else 100)}


def test_without_the_column_no_list_price_is_known(context: RefreshContext) -> None:
    (charge,) = only_charges(context, [without(focus_row(), "ListCost")])
    assert charge["list_cost_usd"] is None


def test_version_1_3_needs_no_provider_name_and_older_ones_no_other(context: RefreshContext) -> None:
    new = without(focus_row("1.3", ServiceProviderName="Microsoft"), "ProviderName", "PublisherName")
    assert only_charges(context, [new])[0]["provider"] == "azure"


def test_what_a_provider_does_not_say_is_empty(context: RefreshContext) -> None:
    row = without(
        focus_row(RegionId=None, SubAccountId=None),
        *("ConsumedQuantity", "ConsumedUnit", "SkuId", "SkuPriceId", "ChargeDescription", "ChargeClass"),
    )
    (charge,) = only_charges(context, [row])
    empty = ("region_id", "project_id", "sku_id", "sku", "consumed_unit")
    assert {charge[name] for name in empty} == {""}
    assert charge["consumed_quantity"] == 0


@pytest.mark.parametrize(
    "spelled",
    [
        str.lower,
        str.upper,
        lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(),
        lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name),
    ],
    ids=["lower case", "upper case", "snake case", "words"],
)
def test_column_names_are_found_in_every_spelling(
    context: RefreshContext, spelled: Callable[[str], str]
) -> None:
    (charge,) = only_charges(context, [{spelled(name): value for name, value in focus_row("1.2").items()}])
    assert (charge["provider"], charge["billed_cost"]) == ("aws", Decimal("1.25"))


def test_providers_are_named_as_everywhere_else(context: RefreshContext) -> None:
    expected = {
        "AWS": "aws",
        "Amazon Web Services": "aws",
        "Amazon Web Services EMEA SARL": "aws",
        "Microsoft": "azure",
        "Microsoft Corporation": "azure",
        "Azure": "azure",
        "Google Cloud": "gcp",
        "Google LLC": "gcp",
        "Google Workspace": "google-workspace",
        "Oracle": "oci",
        "OpenAI, L.L.C.": "openai",
        "Anthropic, PBC": "anthropic",
        "Mistral AI": "mistral",
        "Alibaba Cloud": "alibaba-cloud",
        "Databricks, Inc.": "databricks",
        "阿里云": "阿里云",
    }
    rows = [focus_row(ProviderName=name, SubAccountId=name) for name in expected]
    assert {each["project_id"]: each["provider"] for each in only_charges(context, rows)} == expected


def test_the_providers_own_service_id_and_sku_text_are_preferred(context: RefreshContext) -> None:
    (charge,) = only_charges(context, [focus_row(x_ServiceId="C7E2-9256-1C43", x_SkuDescription="Small VM")])
    assert (charge["service_id"], charge["sku"]) == ("C7E2-9256-1C43", "Small VM")


def test_the_category_is_focus_own_and_a_correction_is_an_adjustment(context: RefreshContext) -> None:
    expected = {
        ("Usage", None): "usage",
        ("Purchase", None): "purchase",
        ("Tax", None): "tax",
        ("Credit", None): "credit",
        ("Adjustment", None): "adjustment",
        ("Usage", "Correction"): "adjustment",
        ("Tax", "Correction"): "adjustment",
        ("Fee", None): "usage",
        (None, None): "usage",
    }
    rows = [
        focus_row(
            ChargeCategory=category, ChargeClass=kind, SubAccountId=f"{category}/{kind}", BilledCost="-3.5"
        )
        for category, kind in expected
    ]
    found = only_charges(context, rows)
    assert {each["project_id"]: each["charge_category"] for each in found} == {
        f"{category}/{kind}": told for (category, kind), told in expected.items()
    }
    assert {each["billed_cost"] for each in found} == {Decimal("-3.5")}


def test_a_months_fee_is_one_charge_at_its_start(context: RefreshContext) -> None:
    fee = focus_row(
        ChargeCategory="Purchase",
        ChargeFrequency="Recurring",
        ChargePeriodStart="2026-11-01T00:00:00Z",
        ChargePeriodEnd="2026-12-01T00:00:00Z",
        BilledCost="99.90",
    )
    (charge,) = only_charges(context, [fee])
    assert charge["charge_period_start"] == datetime(2026, 11, 1)
    assert charge["billed_cost"] == Decimal("99.90")


def test_the_invoice_month_is_that_of_the_providers_own_clock(context: RefreshContext) -> None:
    expected = {
        "2026-11-01 00:00:00": "202611",
        "2026-11-01T07:00:00Z": "202611",
        "2026-10-31T16:00:00Z": "202611",
        "2026-10-31T10:00:00Z": "202611",
        "2026-11-15T00:00:00Z": "202611",
        "soon": "",
    }
    rows = [focus_row(BillingPeriodStart=start, SubAccountId=start) for start in expected]
    assert {each["project_id"]: each["invoice_month"] for each in only_charges(context, rows)} == expected


@pytest.mark.slow
def test_times_in_every_spelling_fall_into_their_hour(context: RefreshContext) -> None:
    starts = (
        "2026-11-10T08:59:59Z",
        "2026-11-10 08:00:00",
        "2026-11-10T08:00Z",
        "2026-11-10T09:30:00.000+01:00",
    )
    (charge,) = only_charges(context, [focus_row(ChargePeriodStart=start) for start in starts])
    assert charge["charge_period_start"] == datetime(2026, 11, 10, 8)
    assert charge["billed_cost"] == Decimal(5)


@pytest.mark.slow
def test_a_row_can_say_itself_when_it_was_exported(context: RefreshContext) -> None:
    (charge,) = only_charges(context, [focus_row(x_ExportTime="2026-11-12T03:04:05Z")])
    assert charge["exported_at"] == datetime(2026, 11, 12, 3, 4, 5)


@pytest.mark.slow
def test_a_file_dated_before_its_charges_or_in_the_future_makes_none_known_before_it_was_or_later_than_now(
    context: RefreshContext,
) -> None:
    path = write_focus_csv(context.spool.parent / "a.csv", [focus_row()])
    told = []
    for moment in (datetime(1980, 1, 1, tzinfo=UTC), NOW + timedelta(days=900)):
        os.utime(path, (moment.timestamp(), moment.timestamp()))
        (change,) = refresh(context, path)
        assert isinstance(change, Batch)
        told += [charge["exported_at"] for charge in charges(change)]
    assert told == [datetime(2026, 11, 10, 8), NOW.replace(tzinfo=None)]


def test_effective_cost_is_counted_when_asked_for(context: RefreshContext) -> None:
    (charge,) = only_charges(context, [focus_row()], cost="effective")
    assert charge["billed_cost"] == Decimal(1)


@pytest.mark.slow
def test_the_tags_that_are_asked_for_come_with_the_charges_from_json_and_from_maps(
    context: RefreshContext, tmp_path: Path
) -> None:
    told = ['{"team": "shop", "env": "prod"}', '{"team": "it\'s \\"x\\""}', "no json", None, "{}"]
    table = write_focus_csv(tmp_path / "t.csv", [focus_row(Tags=tags) for tags in told])
    mapped = tmp_path / "t.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT * REPLACE (coalesce(TRY_CAST(TRY_CAST(Tags AS JSON) AS MAP(VARCHAR, VARCHAR)),
                  MAP {{}}) AS Tags) FROM read_csv('{table}', header = true, all_varchar = true))
                TO '{mapped}' (FORMAT parquet)"""
        )
    for path in (table, mapped):
        batch = only_batch(context, path, kept_tags=("label:team", "tag:env"))
        found = {charge["tags"]: charge["billed_cost"] for charge in charges(batch)}
        assert found == {
            tags_text({"label:team": "shop"}): Decimal("1.25"),
            tags_text({"label:team": 'it\'s "x"'}): Decimal("1.25"),
            "": Decimal("3.75"),
        }
        (unasked,) = charges(only_batch(context, path))
        assert (unasked["tags"], unasked["billed_cost"]) == ("", Decimal("6.25"))


def test_currencies_are_converted_at_the_given_rate_and_never_added(context: RefreshContext) -> None:
    rows = [
        focus_row(BilledCost="2.00"),
        focus_row(BilledCost="10.10", BillingCurrency="EUR"),
        focus_row(BilledCost="-0.123456789012345678", BillingCurrency="eur"),
        focus_row(BilledCost="1000", BillingCurrency="JPY"),
    ]
    rates = {"EUR": Decimal("1.0812"), "jpy": Decimal("0.006712")}
    found = {each["billing_currency"]: each for each in only_charges(context, rows, usd_per=rates)}
    euros = Decimal("10.10") - Decimal("0.123456789012345678")
    assert {name: each["billed_cost"] for name, each in found.items()} == {
        "USD": Decimal(2),
        "EUR": euros,
        "JPY": Decimal(1000),
    }
    assert found["USD"]["billed_cost_usd"] == Decimal(2)
    assert found["JPY"]["billed_cost_usd"] == Decimal("6.712")
    assert abs(found["EUR"]["billed_cost_usd"] - euros * Decimal("1.0812")) <= Decimal("1e-18")


def test_rows_in_a_currency_without_a_rate_are_set_aside_and_it_is_named(context: RefreshContext) -> None:
    rows = [focus_row(), focus_row(BillingCurrency="EUR"), focus_row(BillingCurrency="CHF"), focus_row()]
    path = write_focus_csv(context.spool.parent / "a.csv", rows)

    batch = only_batch(context, path)

    (rejected,) = batch.rejected
    assert (rejected.reason, rejected.count, rejected.place) == ("no_usd_rate", 2, f"{path} row 2, 3")
    assert rejected.detail.startswith("CHF, EUR: ")
    assert "focus.usd_per" in rejected.detail
    assert batch.rows == 2
    in_dollars = [(each["billing_currency"], each["billed_cost_usd"]) for each in charges(batch)]
    assert sorted(in_dollars) == [("CHF", None), ("EUR", None), ("USD", Decimal("2.5"))]


@pytest.mark.parametrize("start", ["2014-12-31T23:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_row_without_a_real_day_counts_on_its_invoice_alone(context: RefreshContext, start: str) -> None:
    path = write_focus_csv(context.spool.parent / "a.csv", [focus_row(ChargePeriodStart=start)])

    batch = only_batch(context, path)

    assert [each.reason for each in batch.rejected] == ["undated_usage"]
    (charge,) = charges(batch)
    assert (charge["invoice_month"], charge["billed_cost"]) == ("202611", Decimal("1.25"))
    assert charge["billed_cost_usd"] is None


@pytest.mark.slow
def test_a_row_that_was_exported_in_the_future_is_left_out(context: RefreshContext) -> None:
    rows = [focus_row(x_ExportTime=time) for time in ("2026-11-22T00:00:00Z", "2026-11-11T00:00:00Z")]
    batch = only_batch(context, write_focus_csv(context.spool.parent / "a.csv", rows))
    assert [(each.reason, each.count) for each in batch.rejected] == [("future_timestamp", 1)]
    assert len(charges(batch)) == 1


def test_what_is_paid_ahead_counts_from_its_own_day_on(context: RefreshContext) -> None:
    row = focus_row(ChargeCategory="Purchase", ChargePeriodStart="2028-11-20T00:00:00Z")
    (charge,) = only_charges(context, [row])
    assert charge["charge_period_start"].date().isoformat() == "2028-11-20"
    assert (charge["invoice_month"], charge["billed_cost_usd"]) == ("202611", Decimal("1.25"))


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "1e9", "1e-15"])
def test_a_rate_that_is_none_is_refused_with_its_key(rate: str) -> None:
    with pytest.raises(ValueError, match=r"focus\.usd_per\.EUR"):
        FocusSource(["x"], usd_per={"EUR": Decimal(rate)})


def first_rows(bad: list[Row]) -> str:
    """The numbers that are shown of rows from the second on: the first three."""
    return ", ".join(str(2 + number) for number in range(min(3, len(bad))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("bad_cost", [{"BilledCost": cost} for cost in (None, "free", "NaN", "Infinity", "-1e12", "1e300")]),
        ("bad_currency", [{"BillingCurrency": None}]),
        ("bad_provider", [{"ProviderName": None, "PublisherName": None}, {"ProviderName": " !? "}]),
        ("bad_timestamp", [{"ChargePeriodStart": "yesterday"}, {"ChargePeriodStart": None}]),
        ("far_timestamp", [{"ChargePeriodStart": "2126-11-22T00:00:00Z"}]),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_bad_rows_are_set_aside_whole_and_named_and_the_others_count(
    context: RefreshContext, suffix: str, reason: str, values: list[dict[str, str | None]]
) -> None:
    bad = [focus_row("1.0", **each) for each in values]
    path = write_focus_csv(context.spool.parent / "a.csv", [focus_row(), *bad, focus_row()], "NULL")
    if suffix == ".parquet":
        # Columns of text, since an export's own types do not hold what is wrong.
        path = path.with_suffix(suffix)
        rows_of(f"COPY (FROM read_csv('{path.with_suffix('.csv')}', all_varchar = true)) TO '{path}'")

    batch = only_batch(context, path)

    (rejected,) = batch.rejected
    assert (rejected.reason, rejected.count, rejected.place) == (
        reason,
        len(bad),
        f"{path} row {first_rows(bad)}",
    )
    assert batch.rows == 2
    assert sums(batch, "provider") == [("aws", Decimal("2.5"))]


def test_a_line_that_breaks_off_is_named_by_its_number(context: RefreshContext) -> None:
    path = write_focus_csv(context.spool.parent / "a.csv", [focus_row(), focus_row()])
    with path.open("a") as handle:
        handle.write("1.25,1234")
    batch = only_batch(context, path)
    assert [(each.reason, each.place) for each in batch.rejected] == [("bad_csv", f"{path} line 4")]
    assert batch.rows == 2


MANDATORY = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodStart",
    "ServiceName",
    "ProviderName",
)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_without_a_mandatory_column_is_refused_whole_naming_it_and_the_version(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    lacking = {}
    for missing in MANDATORY:
        path = write_focus_csv(tmp_path / f"{missing}.csv", [without(focus_row("1.2"), missing)])
        if suffix == ".parquet":
            path = write_focus_parquet(tmp_path / f"{missing}.parquet", path)
        lacking[missing] = str(path)
    good = str(write_focus_csv(tmp_path / "good.csv", [focus_row()]))

    changes = {each.partition: each for each in FocusSource([*lacking.values(), good]).refresh(context)}

    for missing in MANDATORY:
        refused = changes[lacking[missing]]
        assert isinstance(refused, Unreadable)
        assert refused.rejected.reason == "unreadable_file"
        assert "FOCUS 1.2 (it has InvoiceId) lacks the mandatory column" in refused.rejected.detail
        assert missing in refused.rejected.detail
    assert isinstance(changes[good], Batch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("people.csv", b"name,age\nAda,36\n", "not a FOCUS file; this has name, age"),
        ("empty.csv", b"", "empty"),
        ("wide.csv", "BilledCost,ServiceName\n".encode("utf-16"), "no text in UTF-8, perhaps UTF-16"),
        ("sheet.csv", b"PK\x03\x04\0\0", "perhaps UTF-16 or a spreadsheet"),
        ("empty.parquet", b"", "too small to be a Parquet file"),
        ("other.parquet", b"PAR1 this is not it", "No magic bytes found"),
        ("rows.jsonl", b'{"BilledCost": 1}\n', "neither CSV nor Parquet"),
        ("table.xlsx", b"PK", "has an unknown format"),
        (
            "twice.csv",
            b",".join(name.encode() for name in focus_row()) + b",tags\n",
            "has the column 'Tags' twice",
        ),
    ],
)
def test_a_file_that_is_no_focus_file_is_named(
    context: RefreshContext, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    write_focus_csv(tmp_path / "good.csv", [focus_row()])
    (tmp_path / name).write_bytes(content)
    changes = {Path(change.partition).name: change for change in refresh(context, tmp_path / "*.*")}
    refused = changes[name]
    assert isinstance(refused, Unreadable)
    assert said in refused.rejected.detail


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_a_truncated_file_keeps_the_last_good_charges(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    table = tmp_path / "whole.tmp"
    table.write_bytes(gzip.decompress(SAMPLE.read_bytes()))
    whole = SAMPLE if suffix == ".csv.gz" else write_focus_parquet(tmp_path / "whole.tmp2", table)
    (tmp_path / f"cut{suffix}").write_bytes(whole.read_bytes()[:-2000])
    write_focus_csv(tmp_path / "good.csv", [focus_row()])
    patterns = [str(tmp_path / f"cut{suffix}"), str(tmp_path / "good.csv")]
    cut, good = FocusSource(patterns).refresh(context)
    assert isinstance(cut, Unreadable)
    assert "last good charges stay" in cut.rejected.detail
    assert isinstance(good, Batch)


def test_a_file_with_no_rows_gives_no_charges(context: RefreshContext, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(focus_row()) + "\n")
    batch = only_batch(context, path)
    assert (batch.rows, batch.rejected, charges(batch)) == (0, (), [])


def test_no_file_at_all_is_an_error_and_erases_nothing(context: RefreshContext, tmp_path: Path) -> None:
    known = replace(context, known={str(tmp_path / "a.csv"): "x"})
    with pytest.raises(SourceError, match=r"no file matches .*focus\.files"):
        refresh(known, tmp_path / "*.csv")


@pytest.mark.slow
def test_providers_that_other_sources_own_are_left_out_without_being_an_error(
    context: RefreshContext, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [focus_row(), focus_row(ProviderName="Google Cloud", BilledCost="broken"), focus_row()]
    path = write_focus_csv(context.spool.parent / "a.csv", rows)
    source = FocusSource([str(path)], owned_by_others=frozenset({"gcp", "openai"}))

    with caplog.at_level("INFO"):
        batches = [
            change for _ in range(2) for change in source.refresh(context) if isinstance(change, Batch)
        ]

    assert [(batch.rows, batch.rejected) for batch in batches] == [(2, ())] * 2
    assert sums(batches[0], "provider") == [("aws", Decimal("2.5"))]
    assert [record.getMessage() for record in caplog.records] == [
        f"focus: rows of gcp are left out, since another source reads its bill (1 in {path})"
    ]


@pytest.mark.slow
def test_files_are_read_again_when_they_or_the_options_change_and_only_then(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = write_focus_csv(tmp_path / "a.csv", [focus_row()])
    (first,) = refresh(context, path)
    assert isinstance(first, Batch)
    known = replace(context, known={str(path): first.cursor})

    assert refresh(known, path) == []
    options: tuple[dict[str, Any], ...] = (
        {"cost": "effective"},
        {"usd_per": {"EUR": Decimal("1.1")}},
        {"owned_by_others": frozenset({"gcp"})},
    )
    for each in options:
        assert len(refresh(known, path, **each)) == 1
    write_focus_csv(path, [focus_row(), focus_row()])
    assert len(refresh(known, path)) == 1


def test_a_file_that_is_gone_takes_its_charges_with_it(context: RefreshContext, tmp_path: Path) -> None:
    write_focus_csv(tmp_path / "a.csv", [focus_row()])
    known = replace(context, known={str(tmp_path / "b.csv"): "x"})
    retraction, _ = refresh(known, tmp_path / "*.csv")
    assert retraction == Retraction(str(tmp_path / "b.csv"))


@pytest.mark.parametrize(("cost", "usd"), [("billed", "8.12"), ("effective", "7.5")])
def test_dollars_that_the_file_gives_are_taken_before_a_rate_row_by_row(
    context: RefreshContext, tmp_path: Path, cost: str, usd: str
) -> None:
    told = {"x_BilledCostInUsd": "8.12", "x_EffectiveCostInUsd": "7.5"}
    rows = [
        focus_row(BillingCurrency="EUR", BilledCost="7", EffectiveCost="6", **told),
        focus_row(BillingCurrency="EUR", BilledCost="10", EffectiveCost="10", **dict.fromkeys(told)),
        focus_row(BilledCost="1", EffectiveCost="1", **dict.fromkeys(told, "99")),
    ]
    path = write_focus_csv(tmp_path / "a.csv", rows)
    batch = only_batch(context, path, cost=cost, usd_per={"EUR": Decimal("1.5")})
    assert batch.rejected == ()
    assert sum(charge["billed_cost_usd"] for charge in charges(batch)) == Decimal(usd) + 15 + 1


def test_a_preview_of_focus_is_read_with_its_own_names_of_columns(
    context: RefreshContext, tmp_path: Path
) -> None:
    renamed = {
        "ProviderName": "Provider",
        "PublisherName": "Publisher",
        "RegionId": "Region",
        "ConsumedQuantity": "UsageQuantity",
        "ConsumedUnit": "UsageUnit",
        "ChargeCategory": "ChargeType",
        "EffectiveCost": "AmortizedCost",
    }
    row = focus_row(ChargeCategory="Adjustment", EffectiveCost="3", ChargeSubcategory="Credit")
    path = write_focus_csv(tmp_path / "a.csv", [{renamed.get(name, name): row[name] for name in row}])
    (charge,) = charges(only_batch(context, path, cost="effective"))
    assert charge["provider"] == "aws"
    assert charge["region_id"] == "eu-central-1"
    assert charge["charge_category"] == "credit"
    assert (charge["consumed_quantity"], charge["consumed_unit"]) == (25.0, "Hours")
    assert charge["billed_cost"] == 3
