"""Finds the columns of a Google billing export in whatever shape a file has them.

Parquet has nested structs, CSV has JSON text, JSON Lines have both spellings of everything: each leaf
becomes one DuckDB expression, so that the rest of the reading is blind to the file's format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb.sqltypes import DuckDBPyType

from exporter.core.kept_tags import KeptTag, tags_expression

MONEY = "DECIMAL(38,18)"
"""Exact type of every amount; see exporter.charges.CHARGE_COLUMNS for why eighteen decimals."""

EXPORT_COLUMNS: Mapping[str, str] = {
    "billing_account_id": "VARCHAR",
    "service": "JSON",
    "sku": "JSON",
    "usage_start_time": "VARCHAR",
    "usage_end_time": "VARCHAR",
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


TAG_COLUMNS: Mapping[str, str] = {"labels": "JSON", "tags": "JSON"}
"""Further columns, read only where labels or tags are kept."""

_LIST_OF_PAIRS = '[{"key":"VARCHAR","value":"VARCHAR"}]'


@dataclass(frozen=True, slots=True)
class ExportColumns:
    """Expressions for the leaves of one file's rows. A column that the file lacks is NULL."""

    types: Mapping[str, DuckDBPyType]
    """Column name -> type, as DuckDB describes the file."""
    kept: tuple[KeptTag, ...] = ()
    """Labels and tags to be kept, in their order."""

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

    def tags(self) -> str:
        """Return a VARCHAR expression for Charge.tags, of the labels and tags to be kept.

        What is no list of keys and values counts as having none: money is not set aside for its label.
        """
        return tags_expression({tag: self._value(tag) for tag in self.kept})

    def _value(self, tag: KeptTag) -> str:
        """Return a VARCHAR expression for the value of a label or tag; NULL where there is none."""
        if tag.origin == "tag":
            return _value_in(self._pairs("tags"), tag.key)
        own, of_project = self._pairs("labels"), self._pairs("project", "labels")
        return f"coalesce({_value_in(own, tag.key)}, {_value_in(of_project, tag.key)})"

    def _pairs(self, column: str, field: str = "") -> str:
        """Return an expression for a list of (key, value), whatever the file has them as."""
        kind = self._kind(column)
        if kind in ("text", "json"):
            json_text = f"json_extract({self._json(column)}, '$.{field}')" if field else self._json(column)
            return f"from_json({json_text}, '{_LIST_OF_PAIRS}')"
        found = self.types.get(column)
        if kind == "struct" and found is not None:
            found = _child(found, field)
        if found is None or not _holds_pairs(found):
            return "NULL::STRUCT(key VARCHAR, value VARCHAR)[]"
        return f'"{column}"."{field}"' if field else f'"{column}"'

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


def _holds_pairs(type_: DuckDBPyType) -> bool:
    item = _child(type_, "child") if type_.id == "list" else None
    return (
        item is not None and item.id == "struct" and {"key", "value"} <= {name for name, _ in item.children}
    )


def _child(type_: DuckDBPyType, name: str) -> DuckDBPyType | None:
    for of, child in type_.children:
        if of == name and isinstance(child, DuckDBPyType):
            return child
    return None


def _value_in(pairs: str, key: str) -> str:
    # The least, so that the order in a list never matters: a key may be there from two organizations.
    chosen = f"list_filter({pairs}, lambda pair: pair.key = {_quoted(key)})"
    return f"list_min(list_transform({chosen}, lambda pair: pair.value::VARCHAR))"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
