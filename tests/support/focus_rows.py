"""Rows of FOCUS exports for tests, as each version has them, and files of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from tests.support import places

Row = dict[str, str | None]

SAMPLE = places.DATA / "focus-1.0-sample.csv.gz"
"""A thousand rows of AWS, Microsoft and Oracle in FOCUS 1.0: sample data of the FinOps Foundation."""

_ROW: Row = {
    "BilledCost": "1.25",
    "BillingAccountId": "123456789012",
    "BillingAccountName": "Shop",
    "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": None,
    "ChargeDescription": "$0.05 per hour of a small machine",
    "ChargePeriodEnd": "2026-11-10T09:00:00Z",
    "ChargePeriodStart": "2026-11-10T08:00:00Z",
    "ConsumedQuantity": "25",
    "ConsumedUnit": "Hours",
    "EffectiveCost": "1",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
    "ListCost": "2",
    "ProviderName": "AWS",
    "PublisherName": "Amazon Web Services, Inc.",
    "RegionId": "eu-central-1",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "SkuId": "K7TJ",
    "SkuPriceId": "K7TJ.JRTC",
    "SubAccountId": "210987654321",
    "Tags": '{"team": "shop"}',
}

_NEW: Mapping[str, Row] = {
    "1.0": {},
    "1.1": {"SkuMeter": "Compute Usage", "ServiceSubcategory": "Virtual Machines", "SkuPriceDetails": "{}"},
    "1.2": {"InvoiceId": "INV-7", "PricingCurrency": "USD", "SubAccountType": "Account"},
    "1.3": {"ServiceProviderName": "AWS", "HostProviderName": "AWS", "ContractApplied": None},
}

VERSIONS = tuple(_NEW)


def focus_row(version: str = "1.0", **changes: str | None) -> Row:
    """Return an ordinary row of a version, with some columns replaced or added."""
    row = dict(_ROW)
    for each in VERSIONS[: VERSIONS.index(version) + 1]:
        row |= _NEW[each]
    return row | changes


def without(row: Row, *columns: str) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


def write_focus_csv(path: Path, rows: Sequence[Row], null: str = "") -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(rows[0])
        writer.writerows([null if value is None else value for value in row.values()] for row in rows)
    return path


def write_focus_parquet(path: Path, table: Path, money: str = "DOUBLE") -> Path:
    """Write the rows of a CSV file as clouds type them: amounts as numbers, times as timestamps."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        text = f"read_csv('{table}', header = true, all_varchar = true, nullstr = ['', 'NULL'])"
        names = connection.sql(f"SELECT * FROM {text} LIMIT 0").columns
        typed = [f'"{name}"::{_type(name, money)} AS "{name}"' for name in names]
        connection.execute(f"COPY (SELECT {', '.join(typed)} FROM {text}) TO '{path}' (FORMAT parquet)")
    return path


def _type(name: str, money: str) -> str:
    if name.endswith(("Cost", "Price")):
        return money
    if name.endswith(("PeriodStart", "PeriodEnd")):
        return "TIMESTAMPTZ"
    return "DOUBLE" if name.endswith("Quantity") else "VARCHAR"
