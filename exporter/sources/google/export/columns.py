"""Finds the columns of a Google billing export in whatever shape a file has them.

Parquet has nested structs, CSV has JSON text, JSON Lines have both spellings of everything: each leaf
becomes one DuckDB expression, so that the rest of the reading is blind to the file's format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from duckdb.sqltypes import DuckDBPyType

from exporter.core.kept_tags import KeptTag, tags_expression
from exporter.core.sql_texts import quoted
from exporter.sources.google.export.names import EXPORT_COLUMNS, LEAVES, canonical, found_columns
from exporter.sources.google.export.values import time_of_number, time_of_text, unwrapped

MONEY = "DECIMAL(38,18)"
"""Exact type of every amount; see exporter.charges.CHARGE_COLUMNS for why eighteen decimals."""

_SHOWN: Final = 60
"""Characters of a broken column that are shown."""

_LIST_OF_PAIRS = '[{"key":"VARCHAR","value":"VARCHAR"}]'


@dataclass(frozen=True, slots=True)
class ExportColumns:
    """Expressions for the leaves of one file's rows. A column that the file lacks is NULL."""

    types: Mapping[str, DuckDBPyType]
    """Column name -> type, as DuckDB describes the file."""
    kept: tuple[KeptTag, ...] = ()
    """Labels and tags to be kept, in their order."""

    def text(self, column: str, field: str = "") -> str:
        """Return a VARCHAR expression for a column, or for a field of a nested or flattened column."""
        column, field = self._leaf(column, field)
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::VARCHAR"
        named = self._quoted(column)
        if not field:
            return named if kind == "text" else f"{named}::VARCHAR"
        if kind == "struct":
            present = any(name == field for name, _ in self._type(column).children)
            return f'{named}."{field}"::VARCHAR' if present else "NULL::VARCHAR"
        return f"({self._json(column)}->>'$.{field}')"

    def timestamp(self, column: str) -> str:
        """Return a TIMESTAMP expression in UTC; what is not a time gives NULL.

        A time may be a timestamp, text, a number since 1970, or an object that has one of them as `value`.
        """
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::TIMESTAMP"
        type_name, named = str(self._type(column)), self._quoted(column)
        if type_name == "TIMESTAMP WITH TIME ZONE":
            # Ten times faster than AT TIME ZONE, which looks the zone up for every row.
            return f"make_timestamp(epoch_us({named}))"
        if type_name.startswith("TIMESTAMP") or type_name == "DATE":
            return f"{named}::TIMESTAMP"
        if kind == "other":
            return time_of_number(f"TRY_CAST({named} AS DOUBLE)")
        return time_of_text(self._plain(column))

    def number(self, column: str, field: str = "") -> str:
        """Return an expression of the number as the file has it: a numeric type, or text to be cast."""
        column, field = self._leaf(column, field)
        kind = self._kind(column)
        if kind == "absent":
            return "NULL::DOUBLE"
        if not field:
            return self._quoted(column) if kind == "other" else self._plain(column)
        if kind == "struct":
            present = any(name == field for name, _ in self._type(column).children)
            return f'{self._quoted(column)}."{field}"' if present else "NULL::DOUBLE"
        return unwrapped(self.text(column, field))

    def shown(self, column: str) -> str:
        """Return a VARCHAR expression of what the file has, for people."""
        return f"coalesce({self.text(column)}, 'nothing')"

    def credit_amounts(self) -> str:
        """Return an expression for the list of exact credit amounts; NULL in it where one is not a number."""
        kind = self._kind("credits")
        if kind == "absent":
            return f"NULL::{MONEY}[]"
        credits, amount = self._quoted("credits"), "credit.amount"
        if kind in ("text", "json"):
            listed = self._json("credits")
            # Some tools write a single credit without a list around it.
            listed = f"CASE WHEN json_type({listed}) = 'OBJECT' THEN json_array({listed}) ELSE {listed} END"
            credits = f'from_json({listed}, \'[{{"amount":"VARCHAR"}}]\')'
            amount = unwrapped("credit.amount")
        return (
            f"CASE WHEN len({credits}) > 0 THEN "
            f"list_transform({credits}, lambda credit: TRY_CAST({amount} AS {MONEY})) END"
        )

    def tags(self) -> str:
        """Return a VARCHAR expression for Charge.tags, of the labels and tags to be kept.

        What is not a list of keys and values counts as having none: money is not set aside for its label.
        """
        return tags_expression({tag: self._value(tag) for tag in self.kept})

    def found(self) -> set[str]:
        """Return which columns of an export the file has, nested or flattened."""
        return found_columns(self.types)

    def _value(self, tag: KeptTag) -> str:
        """Return a VARCHAR expression for the value of a label or tag; NULL where there is none."""
        if tag.origin == "resource":
            return f"nullif({self.text('resource', tag.key)}, '')"
        if tag.origin == "tag":
            return _value_in(self._pairs("tags"), tag.key)
        own, of_project = self._pairs("labels"), self._pairs("project", "labels")
        return f"coalesce({_value_in(own, tag.key)}, {_value_in(of_project, tag.key)})"

    def _pairs(self, column: str, field: str = "") -> str:
        """Return an expression for a list of (key, value), in whatever shape the file has them."""
        column, field = self._leaf(column, field)
        kind = self._kind(column)
        if kind in ("text", "json"):
            json_text = f"json_extract({self._json(column)}, '$.{field}')" if field else self._json(column)
            return f"from_json({json_text}, '{_LIST_OF_PAIRS}')"
        found = None if kind == "absent" else self._type(column)
        if kind == "struct" and found is not None:
            found = _child(found, field)
        if found is None or not _holds_pairs(found):
            return "NULL::STRUCT(key VARCHAR, value VARCHAR)[]"
        return f'{self._quoted(column)}."{field}"' if field else self._quoted(column)

    def broken_json(self) -> str:
        """Return a BOOLEAN expression: a nested column holds text that is no JSON object, or no JSON list."""
        return " OR ".join(test for _, test in self._broken()) or "false"

    def shown_json(self) -> str:
        """Return a VARCHAR expression, for people: what the first broken nested column has."""
        cases = "".join(
            f" WHEN {test} THEN '{name} is ' || left({self._quoted(name)}::VARCHAR, {_SHOWN})"
            for name, test in self._broken()
        )
        return f"CASE{cases} END" if cases else "NULL::VARCHAR"

    def _broken(self) -> Iterator[tuple[str, str]]:
        """Yield each nested column that may be broken, and when it is."""
        for name in (name for name, type_name in EXPORT_COLUMNS.items() if type_name == "JSON"):
            kind, named = self._kind(name), self._quoted(name)
            wanted = "'OBJECT', 'NULL'" + (", 'ARRAY'" if name == "credits" else "")
            if kind == "text":
                found = f"json_type(TRY_CAST({named} AS JSON))"
                yield name, f"({named} <> '' AND coalesce({found} NOT IN ({wanted}), true))"
            elif kind == "json":
                text = f"({named}->>'$')"
                of_text = f"coalesce(json_type(TRY_CAST({text} AS JSON)) NOT IN ({wanted}), true)"
                yield (
                    name,
                    f"(CASE WHEN {_is_text(named)} THEN {text} <> '' AND {of_text} "
                    f"ELSE coalesce(json_type({named}) NOT IN ({wanted}), false) END)",
                )

    def all_null(self) -> str:
        """Return a BOOLEAN expression: the row has no value at all, which is how a broken line is read."""
        if self._kind("service") == "struct":
            return "false"
        known = {*EXPORT_COLUMNS, *map(canonical, LEAVES)}
        present = [f'"{name}" IS NULL' for name in self.types if canonical(name) in known]
        return " AND ".join(present) or "true"

    def _leaf(self, column: str, field: str) -> tuple[str, str]:
        """Where the file has a field: in its nested column, or flattened as a column of its own."""
        flattened = f"{column}_{field}"
        if field and self._kind(column) == "absent" and self._kind(flattened) != "absent":
            return flattened, ""
        return column, field

    def _plain(self, column: str) -> str:
        """A VARCHAR expression of a single value that may be wrapped in an object, as `value`."""
        if self._kind(column) == "struct":
            children = {name for name, _ in self._type(column).children}
            return f'{self._quoted(column)}."value"::VARCHAR' if "value" in children else "NULL::VARCHAR"
        return unwrapped(self.text(column))

    def _json(self, column: str) -> str:
        named = self._quoted(column)
        if self._kind(column) == "json":
            # Some tools write the JSON text of a nested column as a text.
            return f"CASE WHEN {_is_text(named)} THEN TRY_CAST({named}->>'$' AS JSON) ELSE {named} END"
        return f"TRY_CAST({named} AS JSON)"

    def _actual(self, column: str) -> str | None:
        """The name as the file spells it."""
        if column in self.types:
            return column
        wanted = canonical(column)
        return next((name for name in self.types if canonical(name) == wanted), None)

    def _quoted(self, column: str) -> str:
        name = (self._actual(column) or column).replace('"', '""')
        return f'"{name}"'

    def _type(self, column: str) -> DuckDBPyType:
        return self.types[self._actual(column) or column]

    def _kind(self, column: str) -> str:
        if self._actual(column) is None:
            return "absent"
        found = self._type(column)
        if str(found) == "JSON":
            return "json"
        if str(found) == "VARCHAR":
            return "text"
        return "struct" if found.id == "struct" else "other"


def _is_text(json: str) -> str:
    return f"coalesce(json_type({json}) = 'VARCHAR', false)"


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
    chosen = f"list_filter({pairs}, lambda pair: pair.key = {quoted(key)})"
    return f"list_min(list_transform({chosen}, lambda pair: pair.value::VARCHAR))"
