"""Rows of a Google billing export for tests, and files of them in each format that Google or people write."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.support import places

Row = dict[str, Any]

SCHEMA = places.DATA / "gcp_billing_export_resource_v1.schema.json"
REAL_ROW = places.DATA / "gcp_export_resource_v1_real_row_anonymised.json"

_ROW: Row = {
    "billing_account_id": "01AB23-4C5D67-89EF01",
    "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
    "sku": {"id": "CF4E-A0C7-E3BF", "description": "N2 Core"},
    "usage_start_time": "2026-11-10 08:00:00 UTC",
    "usage_end_time": "2026-11-10 09:00:00 UTC",
    "project": {"id": "shop-prod", "number": "1", "name": "Shop", "labels": [], "ancestors": []},
    "labels": [{"key": "team", "value": "shop"}],
    "system_labels": [],
    "location": {"location": "europe-west4", "country": "NL", "region": "europe-west4"},
    "tags": [],
    "transaction_type": "GOOGLE",
    "export_time": "2026-11-10 13:21:07.123456 UTC",
    "cost": 1.25,
    "currency": "USD",
    "currency_conversion_rate": 1.0,
    "usage": {"amount": 3600.0, "unit": "seconds"},
    "credits": [],
    "invoice": {"month": "202611"},
    "cost_type": "regular",
    "adjustment_info": {},
}


def export_row(**changes: Any) -> Row:
    """Return an ordinary row with some top-level columns replaced; a value of `...` leaves the column out."""
    row = {**copy.deepcopy(_ROW), **changes}
    return {name: value for name, value in row.items() if value is not ...}


def export_time(moment: datetime) -> str:
    """Write a time as BigQuery does in JSON."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Nested columns as JSON text, which is how a table with them ends up in CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    name: json.dumps(value) if isinstance(value, dict | list) else value
                    for name, value in row.items()
                }
            )
    return path


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """The types of the export's own schema: nested structs and lists, timestamps with a zone."""
    lines = write_json_lines(path.with_name("rows.tmp"), rows)
    fields = json.loads(SCHEMA.read_text())
    structure = ", ".join(f"{field['name']}: '{_duckdb_type(field)}'" for field in fields)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {{{structure}}})"
        connection.execute(f"COPY (SELECT * FROM {table}) TO {_quoted(path)} (FORMAT parquet)")
    lines.unlink()
    return path


WRITERS = {".jsonl": write_json_lines, ".csv": write_csv, ".parquet": write_parquet}


def _duckdb_type(field: Mapping[str, Any]) -> str:
    simple = {
        "STRING": "VARCHAR",
        "FLOAT": "DOUBLE",
        "NUMERIC": "DECIMAL(38,9)",
        "TIMESTAMP": "TIMESTAMPTZ",
        "BOOLEAN": "BOOLEAN",
    }
    if field["type"] == "RECORD":
        inner = ", ".join(f'"{each["name"]}" {_duckdb_type(each)}' for each in field["fields"])
        kind = f"STRUCT({inner})"
    else:
        kind = simple[field["type"]]
    return f"{kind}[]" if field["mode"] == "REPEATED" else kind


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
