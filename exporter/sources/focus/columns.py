"""Finds the columns of a FOCUS file, CSV or Parquet, and the version of FOCUS that they show.

Column names and their meaning are those of the FinOps Open Cost and Usage Specification 1.0 to 1.3, and of
the previews before 1.0 that some providers still write.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb
from duckdb.sqltypes import DuckDBPyType

from exporter.core.sql_texts import quoted
from exporter.sources.files.formats import UnknownFormatError, column_key, file_format
from exporter.sources.files.reading import opened
from exporter.sources.google.export.columns import MONEY, ExportColumns

Cost = Literal["billed", "effective"]
"""Which cost of a FOCUS row is counted: what is invoiced, or what is amortised."""

COST_COLUMNS: Final[Mapping[Cost, tuple[str, ...]]] = {
    "billed": ("BilledCost",),
    "effective": ("EffectiveCost", "AmortizedCost"),
}
"""The columns of each cost: the name since 1.0, then that of previews."""

USD_COLUMNS: Final[Mapping[Cost, str]] = {
    "billed": "x_BilledCostInUsd",
    "effective": "x_EffectiveCostInUsd",
}
"""The columns in which Azure gives the same cost in dollars, converted by its own rate."""

LIST_COLUMN: Final = "ListCost"
LIST_USD_COLUMN: Final = "x_ListCostInUsd"
"""The cost at list prices, and the same in dollars as Azure gives it."""

PROVIDER_COLUMNS: Final = ("ServiceProviderName", "ProviderName", "Provider")
CATEGORY_COLUMNS: Final = ("ChargeCategory", "ChargeType")

_REQUIRED: Final = (
    ("BillingAccountId",),
    ("BillingCurrency",),
    ("BillingPeriodStart",),
    CATEGORY_COLUMNS,
    ("ChargePeriodStart",),
    ("ServiceName",),
    PROVIDER_COLUMNS,
)
"""Mandatory columns without which a charge cannot be made, besides the cost; of each group one is enough.

Previews have Provider; since 1.3 it is ServiceProviderName, though ProviderName is still allowed."""

_TELLING: Final[Mapping[str, frozenset[str]]] = {
    "1.3": frozenset(
        {
            "AllocatedMethodDetails",
            "AllocatedMethodId",
            "AllocatedResourceId",
            "AllocatedResourceName",
            "AllocatedTags",
            "ContractApplied",
            "HostProviderName",
            "ServiceProviderName",
        }
    ),
    "1.2": frozenset(
        {
            "BillingAccountType",
            "InvoiceId",
            "PricingCurrency",
            "PricingCurrencyContractedUnitPrice",
            "PricingCurrencyEffectiveCost",
            "PricingCurrencyListUnitPrice",
            "SubAccountType",
        }
    ),
    "1.1": frozenset(
        {
            "CapacityReservationId",
            "CapacityReservationStatus",
            "CommitmentDiscountQuantity",
            "CommitmentDiscountUnit",
            "ServiceSubcategory",
            "SkuMeter",
            "SkuPriceDetails",
        }
    ),
}
"""By version, newest first: the columns that it brought."""

_PREVIEW: Final = "1.0 preview"

_BEFORE_1_0: Final = frozenset(
    {
        "AmortizedCost",
        "ChargeSubcategory",
        "ChargeType",
        "InvoiceIssuer",
        "Provider",
        "Publisher",
        "Region",
        "UsageQuantity",
        "UsageUnit",
    }
)
"""Columns that 1.0 no longer has."""

_PAIRS_IN_JSON: Final = ("key", "value"), ("Key", "Value")
"""How the entries of a JSON list of tags name the key and the value."""

_NO_FOCUS: Final = "not FOCUS"
_NAMES_SHOWN: Final = 8
_TAG_TEXT_SHOWN: Final = 60


class NoFocusFileError(UnknownFormatError):
    """The file is not a FOCUS file that can be read. The text names what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class FocusColumns:
    """Expressions for the columns of one file. A column that the file lacks is NULL.

    Names are found in any case, and with separators between their words: engines and warehouses write
    `billedcost`, `BILLED_COST` and `Billed Cost`.
    """

    version: str
    """`1.0` to `1.3`: the oldest that has all of the file's FOCUS columns; later ones count as 1.3.
    `1.0 preview` for a file with columns that 1.0 no longer has."""
    types: Mapping[str, DuckDBPyType]
    """Column name as the file spells it -> type."""

    def text(self, *columns: str) -> str:
        """Return a VARCHAR expression: the first of the columns that says something."""
        found = [
            # FOCUS has null for what does not apply, and CSV has no null of its own.
            f"nullif(nullif(nullif(trim(\"{name}\"::VARCHAR), ''), 'NULL'), 'null')"
            for name in self._present(columns)
        ]
        return f"coalesce({', '.join([*found, 'NULL::VARCHAR'])})"

    def timestamp(self, column: str) -> str:
        """Return a TIMESTAMP expression in UTC; text that is not a timestamp gives NULL."""
        present = ExportColumns(self.types)
        return next((present.timestamp(name) for name in self._present([column])), "NULL::TIMESTAMP")

    def money(self, *columns: str) -> str:
        """Return an exact amount from the first column that is present; NULL where it is not a number."""
        for name in self._present(columns):
            # A double goes through its shortest text: 0.1 is meant, not the binary fraction beside it.
            kind = str(self.types[name])
            exact = kind.startswith("DECIMAL") or kind.endswith("INTEGER") or kind.endswith("BIGINT")
            return f'TRY_CAST("{name}"{"" if exact else "::VARCHAR"} AS {MONEY})'
        return f"NULL::{MONEY}"

    def tag(self, key: str) -> str:
        """Return a VARCHAR expression for the value of a key of Tags; NULL where it has no such key.

        CSV has Tags as JSON, an object or a list of keys and values, Parquet as that, as a map, as a list of
        keys and values, or as a struct.
        """
        for name in self._present(["Tags"]):
            kind = self.types[name]
            column = f'"{name}"'
            if kind.id == "map":
                return f"element_at({column}, {quoted(key)})[1]::VARCHAR"
            if kind.id == "list" and (pair := _pair(kind)) is not None:
                return _value_of(column, key, pair)
            if kind.id == "struct":
                fields = [field for field, _ in kind.children if field == key]
                return f'{column}."{fields[0]}"::VARCHAR' if fields else "NULL::VARCHAR"
            return _value_in_json(f"{column}::VARCHAR", key)
        return "NULL::VARCHAR"

    @property
    def unread_tags(self) -> str | None:
        """What Tags are where no tag can be read from them; None where tags can be read, or are missing."""
        for name in self._present(["Tags"]):
            kind = self.types[name]
            if kind.id in ("map", "struct", "varchar") or str(kind) == "JSON":
                return None
            return None if kind.id == "list" and _pair(kind) is not None else str(kind)
        return None

    def unread_tag_text(self) -> str:
        """Return a VARCHAR expression: Tags of a row that are text and no JSON, for people; else NULL."""
        for name in self._present(["Tags"]):
            if self.types[name].id == "varchar":
                text = f'"{name}"'
                return (
                    f"CASE WHEN {text} NOT IN ('', 'NULL', 'null') AND json_type({_json_of(text)}) IS NULL "
                    f"THEN left({text}, {_TAG_TEXT_SHOWN}) END"
                )
        return "NULL::VARCHAR"

    def lacks(self, column: str) -> bool:
        """Return whether the file has no such column."""
        return not any(self._present([column]))

    def _present(self, columns: Collection[str]) -> Iterator[str]:
        spelled = {column_key(name): name for name in self.types}
        return (spelled[column_key(column)] for column in columns if column_key(column) in spelled)


def focus_file(connection: duckdb.DuckDBPyConnection, path: Path, cost: Cost) -> tuple[str, FocusColumns]:
    """Return how a FOCUS file is read and what columns it has, refusing one that lacks a mandatory column.

    Raises one of READ_FAILURES, among them NoFocusFileError.
    """
    if file_format(path) not in (".csv", ".parquet"):
        raise NoFocusFileError(f"{path.name!r} is neither CSV nor Parquet, and FOCUS files are one of them")
    table, types = opened(connection, path)
    columns = FocusColumns(version_of(types), types)
    if (why := focus_refusal(columns, cost)) is not None:
        if why.startswith(_NO_FOCUS):
            raise NoFocusFileError(why.replace(_NO_FOCUS, "not a FOCUS file", 1))
        raise NoFocusFileError(f"{why}; the file was refused whole, export it with all mandatory columns")
    return table, columns


def focus_refusal(columns: FocusColumns, cost: Cost) -> str | None:
    """Return why rows with these columns cannot be read as FOCUS; None where they can."""
    required = [*_REQUIRED, COST_COLUMNS[cost]]
    missing = [group for group in required if all(map(columns.lacks, group))]
    if len(missing) > len(required) // 2:
        return f"{_NO_FOCUS}; this has {', '.join(list(columns.types)[:_NAMES_SHOWN]) or 'no columns'}"
    if missing:
        names = ", ".join(" or ".join(group) for group in missing)
        return f"{_of_version(columns)} lacks the mandatory column{'s' if len(missing) > 1 else ''} {names}"
    return None


def version_of(names: Collection[str]) -> str:
    """Return the version of FOCUS that the names of columns show, as FocusColumns.version."""
    present = {column_key(name) for name in names}
    for version, telling in _TELLING.items():
        if present & {column_key(name) for name in telling}:
            return version
    early = present & {column_key(name) for name in _BEFORE_1_0}
    return _PREVIEW if early else "1.0"


def _of_version(columns: FocusColumns) -> str:
    telling = [
        name
        for name in _TELLING.get(columns.version, _BEFORE_1_0 if columns.version == _PREVIEW else ())
        if not columns.lacks(name)
    ]
    return f"FOCUS {columns.version}" + (f" (it has {min(telling)})" if telling else "")


def _pair(of_list: DuckDBPyType) -> tuple[str, str] | None:
    """Return how the entries of a list name the key and the value; None for a list of anything else."""
    entry = next((child for _, child in of_list.children if isinstance(child, DuckDBPyType)), None)
    if entry is None or entry.id != "struct":
        return None
    fields = {name.casefold(): name for name, _ in entry.children}
    return (fields["key"], fields["value"]) if {"key", "value"} <= fields.keys() else None


def _value_of(pairs: str, key: str, pair: tuple[str, str]) -> str:
    # The least, so that the order in a list has no influence.
    chosen = f'list_filter({pairs}, lambda pair: pair."{pair[0]}" = {quoted(key)})'
    return f'list_min(list_transform({chosen}, lambda pair: pair."{pair[1]}"::VARCHAR))'


def _json_of(text: str) -> str:
    return f"coalesce(TRY_CAST({text} AS JSON), TRY_CAST('{{' || {text} || '}}' AS JSON))"


def _value_in_json(text: str, key: str) -> str:
    """Return the value of a key in JSON text; Azure leaves out the braces in some exports."""
    whole = _json_of(text)
    path = quoted("$." + json.dumps(key, ensure_ascii=False))
    lists = ", ".join(
        _value_of(f'from_json({whole}, \'[{{"{pair[0]}":"VARCHAR","{pair[1]}":"VARCHAR"}}]\')', key, pair)
        for pair in _PAIRS_IN_JSON
    )
    return (
        f"CASE json_type({whole}) WHEN 'ARRAY' THEN coalesce({lists}) "
        f"ELSE json_extract_string({whole}, {path}) END"
    )
