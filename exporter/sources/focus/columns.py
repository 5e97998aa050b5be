"""Finds the columns of a FOCUS file, CSV or Parquet, and the version of FOCUS that they tell.

Column names and their meaning are those of the FinOps Open Cost and Usage Specification 1.0 to 1.3.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb
from duckdb.sqltypes import DuckDBPyType

from exporter.sources.files.formats import UnknownFormatError, file_format, quoted
from exporter.sources.files.reading import opened
from exporter.sources.google.export.columns import MONEY, ExportColumns

Cost = Literal["billed", "effective"]
"""Which cost of a FOCUS row is counted: what is invoiced, or what is amortised."""

COST_COLUMNS: Final[Mapping[Cost, str]] = {"billed": "BilledCost", "effective": "EffectiveCost"}

_REQUIRED: Final = (
    ("BillingAccountId",),
    ("BillingCurrency",),
    ("BillingPeriodStart",),
    ("ChargeCategory",),
    ("ChargePeriodStart",),
    ("ServiceName",),
    ("ServiceProviderName", "ProviderName"),
)
"""Mandatory columns without which a charge cannot be made, besides the cost; of each group one is enough.

ProviderName was renamed to ServiceProviderName in 1.3, which still allows the old one."""

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

_BEFORE_1_0: Final = frozenset(
    {"AmortizedCost", "ChargeSubcategory", "ChargeType", "UsageQuantity", "UsageUnit"}
)
"""Columns that 1.0 no longer has."""

_NAMES_SHOWN: Final = 8


class NoFocusFileError(UnknownFormatError):
    """The file is no FOCUS file that can be read. The text names what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class FocusColumns:
    """Expressions for the columns of one file. A column that the file lacks is NULL.

    Names are found however the file spells their case, since some engines write them in lower case.
    """

    version: str
    """`1.0` to `1.3`: the oldest that has all of the file's FOCUS columns; later ones count as 1.3."""
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
        """Return a TIMESTAMP expression in UTC; text that is no timestamp gives NULL."""
        present = ExportColumns(self.types)
        return next((present.timestamp(name) for name in self._present([column])), "NULL::TIMESTAMP")

    def money(self, column: str) -> str:
        """Return an exact amount; NULL where the file has no number."""
        for name in self._present([column]):
            # A double goes through its shortest text: 0.1 is meant, not the binary fraction beside it.
            kind = str(self.types[name])
            exact = kind.startswith("DECIMAL") or kind.endswith("INTEGER") or kind.endswith("BIGINT")
            return f'TRY_CAST("{name}"{"" if exact else "::VARCHAR"} AS {MONEY})'
        return f"NULL::{MONEY}"

    def tag(self, key: str) -> str:
        """Return a VARCHAR expression for the value of a key of Tags; NULL where there is none.

        CSV has Tags as a JSON object, Parquet as that or as a map.
        """
        for name in self._present(["Tags"]):
            if str(self.types[name]).startswith("MAP"):
                return f'element_at("{name}", {quoted(key)})[1]::VARCHAR'
            path = quoted("$." + json.dumps(key, ensure_ascii=False))
            return f'json_extract_string(TRY_CAST("{name}"::VARCHAR AS JSON), {path})'
        return "NULL::VARCHAR"

    def lacks(self, column: str) -> bool:
        """Return whether the file has no such column."""
        return not any(self._present([column]))

    def _present(self, columns: Collection[str]) -> Iterator[str]:
        spelled = {name.casefold(): name for name in self.types}
        return (spelled[column.casefold()] for column in columns if column.casefold() in spelled)


def focus_file(connection: duckdb.DuckDBPyConnection, path: Path, cost: Cost) -> tuple[str, FocusColumns]:
    """Return how a FOCUS file is read and what columns it has, refusing one that lacks a mandatory column.

    Raises one of READ_FAILURES, among them NoFocusFileError.
    """
    if file_format(path) not in (".csv", ".parquet"):
        raise NoFocusFileError(f"{path.name!r} is neither CSV nor Parquet, which FOCUS files are read from")
    table, types = opened(connection, path)
    columns = FocusColumns(_version(types), types)
    required = [*_REQUIRED, (COST_COLUMNS[cost],)]
    missing = [group for group in required if all(map(columns.lacks, group))]
    if len(missing) > len(required) // 2:
        names = ", ".join(list(types)[:_NAMES_SHOWN]) or "no columns"
        raise NoFocusFileError(f"not a FOCUS file; this has {names}")
    if not missing and not columns.version.startswith("1."):
        raise NoFocusFileError(f"{_of_version(columns)}: FOCUS 1.0 to 1.3 is read, export it as one of them")
    if missing:
        names = ", ".join(" or ".join(group) for group in missing)
        raise NoFocusFileError(
            f"{_of_version(columns)} lacks the mandatory column{'s' if len(missing) > 1 else ''} {names}; "
            "the file was refused whole, export it with all mandatory columns"
        )
    return table, columns


def _version(names: Collection[str]) -> str:
    present = {name.casefold() for name in names}
    for version, telling in _TELLING.items():
        if present & {name.casefold() for name in telling}:
            return version
    early = present & {name.casefold() for name in _BEFORE_1_0}
    return "before 1.0" if early else "1.0"


def _of_version(columns: FocusColumns) -> str:
    telling = [
        name
        for name in _TELLING.get(columns.version, _BEFORE_1_0 if columns.version == "before 1.0" else ())
        if not columns.lacks(name)
    ]
    return f"FOCUS {columns.version}" + (f" (it has {min(telling)})" if telling else "")
