"""Finds the columns of a Google billing export in whatever shape a file has them.

Parquet has nested structs, CSV has JSON text, JSON Lines have both spellings of everything: each leaf
becomes one DuckDB expression, so that the rest of the reading is blind to the file's format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb.sqltypes import DuckDBPyType

MONEY = "DECIMAL(38,18)"
"""Exact type of every amount; see exporter.charges.CHARGE_COLUMNS for why eighteen decimals."""

EXPORT_COLUMNS: Mapping[str, str] = {
    "billing_account_id": "VARCHAR",
    "service": "JSON",
    "sku": "JSON",
    "usage_start_time": "VARCHAR",
    "project": "JSON",
    "location": "JSON",
    "export_time": "VARCHAR",
    "cost": "VARCHAR",
    "currency": "VARCHAR",
    "currency_conversion_rate": "VARCHAR",
    "usage": "JSON",
    "credits": "JSON",
    "invoice": "JSON",
    "cost_type": "VARCHAR",
    "adjustment_info": "JSON",
}
"""The columns that a charge is made from, with the types in which text formats are read.

Numbers are read as text, so that `0.1` stays exactly that and NUMERIC may come quoted or not."""


@dataclass(frozen=True, slots=True)
class ExportColumns:
    """Expressions for the leaves of one file's rows. A column that the file lacks is NULL."""

    types: Mapping[str, DuckDBPyType]
    """Column name -> type, as DuckDB describes the file."""

    def text(self, column: str, field: str = "") -> str:
        """Return a VARCHAR expression for a column, or for a field of a nested column."""
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::VARCHAR"
        quoted = f'"{column}"'
        if not field:
            return quoted if kind == "text" else f"{quoted}::VARCHAR"
        if kind == "struct":
            present = any(name == field for name, _ in self.types[column].children)
            return f'{quoted}."{field}"::VARCHAR' if present else "NULL::VARCHAR"
        return f"({self._json(column)}->>'$.{field}')"

    def timestamp(self, column: str) -> str:
        """Return a TIMESTAMP expression in UTC; text that is no timestamp gives NULL."""
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::TIMESTAMP"
        type_name = str(self.types[column])
        if type_name == "TIMESTAMP WITH TIME ZONE":
            # Ten times faster than AT TIME ZONE, which looks the zone up for every row.
            return f'make_timestamp(epoch_us("{column}"))'
        if type_name.startswith("TIMESTAMP"):
            return f'"{column}"::TIMESTAMP'
        return f"(TRY_CAST(\"{column}\" AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"

    def number(self, column: str, field: str = "") -> str:
        """Return an expression of the number as the file has it: a numeric type, or text to be cast."""
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::DOUBLE"
        if not field:
            return f'"{column}"'
        if kind == "struct":
            present = any(name == field for name, _ in self.types[column].children)
            return f'"{column}"."{field}"' if present else "NULL::DOUBLE"
        return self.text(column, field)

    def credit_amounts(self) -> str:
        """Return an expression for the list of exact credit amounts; NULL in it where one is no number."""
        kind = self._kind("credits")
        if kind == "absent":
            return f"NULL::{MONEY}[]"
        credits = '"credits"'
        if kind in ("text", "json"):
            credits = f'from_json({self._json("credits")}, \'[{{"amount":"VARCHAR"}}]\')'
        return (
            f"CASE WHEN len({credits}) > 0 THEN "
            f"list_transform({credits}, lambda credit: TRY_CAST(credit.amount AS {MONEY})) END"
        )

    def broken_json(self) -> str:
        """Return a BOOLEAN expression: a nested column holds text that is not JSON."""
        nested = [name for name, type_name in EXPORT_COLUMNS.items() if type_name == "JSON"]
        tests = [
            f'("{name}" IS NOT NULL AND "{name}" <> \'\' AND NOT json_valid("{name}"))'
            for name in nested
            if self._kind(name) == "text"
        ]
        if self._kind("credits") in ("text", "json"):
            tests.append(f"coalesce(json_type({self._json('credits')}) NOT IN ('ARRAY', 'NULL'), false)")
        return " OR ".join(tests) or "false"

    def all_null(self) -> str:
        """Return a BOOLEAN expression: the row has no value at all, which is how a broken line is read."""
        if self._kind("service") == "struct":
            return "false"
        present = [f'"{name}" IS NULL' for name in EXPORT_COLUMNS if name in self.types]
        return " AND ".join(present) or "true"

    def _json(self, column: str) -> str:
        return f'"{column}"' if self._kind(column) == "json" else f'TRY_CAST("{column}" AS JSON)'

    def _kind(self, column: str) -> str:
        if column not in self.types:
            return "absent"
        type_name = str(self.types[column])
        if type_name == "JSON":
            return "json"
        if type_name == "VARCHAR":
            return "text"
        return "struct" if self.types[column].id == "struct" else "other"
