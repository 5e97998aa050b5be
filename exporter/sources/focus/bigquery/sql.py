"""The SQL that BigQuery runs over a table or query with FOCUS columns: the state of each month, and its rows.

Rows alike are summed exactly, so that few are transferred, and keep what a single row is judged by: whether
an amount is missing, is zero, or is too large. All values come as text, as in a CSV file of FOCUS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from exporter.core.charges import LARGEST_PLAUSIBLE
from exporter.sources.files.formats import column_key
from exporter.sources.focus.columns import (
    CATEGORY_COLUMNS,
    COST_COLUMNS,
    LIST_COLUMN,
    LIST_USD_COLUMN,
    PROVIDER_COLUMNS,
    USD_COLUMNS,
    Cost,
)
from exporter.sources.google.bigquery.partitions import LITERAL_FORMATS

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

ROWS_COLUMN: Final = "export_rows"
"""Of a result: how many rows of the table a row stands for."""

NO_MONTH: Final = ""
"""The month of rows without a billing period."""

_TEXTS: Final = (
    *PROVIDER_COLUMNS,
    *("PublisherName", "Publisher", "BillingAccountId", "SubAccountId", "x_ServiceId", "ServiceName"),
    *("x_SkuMeterCategory", "SkuId", "SkuPriceId", "x_SkuDescription", "ChargeDescription", "SkuMeter"),
    *("RegionId", "Region", *CATEGORY_COLUMNS, "ChargeSubcategory", "ChargeClass", "ChargePeriodStart"),
    *(
        "ChargePeriodEnd",
        "x_ExportTime",
        "BillingPeriodStart",
        "BillingCurrency",
        "ConsumedUnit",
        "UsageUnit",
    ),
)
"""The columns that a charge is made from, but amounts and tags."""

_COMMITMENT: Final = "CommitmentDiscountId"
"""Only whether there is one matters."""

_QUANTITIES: Final = ("ConsumedQuantity", "UsageQuantity")
_TAGS: Final = ("Tags", "x_Labels")
"""Google's own export has its labels there, and no Tags."""

_MONTH_BEGINS: Final = timedelta(hours=14)
"""So long before its first midnight in UTC a month can begin, as `invoice_month` of files has it."""

_SUMMABLE: Final = 1_000_000_007
"""Fingerprints are cut to this, so that billions of them can be added."""


@dataclass(frozen=True, slots=True)
class FocusTable:
    """What is read from, and its columns."""

    relation: str
    """What follows FROM: a quoted table, or a query in parentheses."""
    fields: Mapping[str, SchemaField]
    """By `column_key` of the name."""
    cost: Cost
    tags: bool
    """Whether tags are read."""

    def field(self, *names: str) -> SchemaField | None:
        """Return the first of the columns that is there."""
        return next((self.fields[key] for key in map(column_key, names) if key in self.fields), None)


def focus_table(relation: str, schema: Collection[SchemaField], cost: Cost, *, tags: bool) -> FocusTable:
    """Return the table of these columns."""
    return FocusTable(relation, {column_key(field.name): field for field in schema}, cost, tags)


def state_query(table: FocusTable, since: datetime) -> str:
    """Return the query for the state of each month that begins at `since` or later.

    Result, all text: month (`2026-11`, or NO_MONTH), export_rows, and `state`, which changes with every value
    that is read.
    """
    names = ", ".join(f"IFNULL({name}, '-')" for name in [*_texts(table), *_amounts(table)])
    return f"""
WITH focus_rows AS ({_rows(table, _since(table, since))}
)
SELECT
  month,
  CAST(COUNT(*) AS STRING) AS {ROWS_COLUMN},
  CAST(SUM(MOD(FARM_FINGERPRINT(TO_JSON_STRING([{names}])), {_SUMMABLE})) AS STRING) AS state
FROM focus_rows
GROUP BY month
ORDER BY month"""


def rows_query(table: FocusTable, months: Collection[str]) -> str:
    """Return the query for the rows of these months, by month; all values are text, named as in FOCUS."""
    grouped = ["month", *_texts(table)]
    summed = [f"CAST(SUM({name}_number) AS STRING) AS {name}" for name in _amounts(table)]
    lines = ",\n  ".join([*grouped, *summed, f"CAST(COUNT(*) AS STRING) AS {ROWS_COLUMN}"])
    return f"""
WITH focus_rows AS ({_rows(table, _among(table, months))}
)
SELECT
  {lines}
FROM focus_rows
GROUP BY {", ".join([*grouped, "amounts"])}
ORDER BY month"""


def result_columns(table: FocusTable) -> list[str]:
    """Return the names of what `rows_query` gives, but the month."""
    return [*_texts(table), *_amounts(table), ROWS_COLUMN]


def month_of(moment: datetime) -> str:
    """Return the month of a time, as `state_query` names it."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def _rows(table: FocusTable, where: str) -> str:
    selected = [f"{_month(table)} AS month"]
    selected += [f"{expression} AS {name}" for name, expression in _texts(table).items()]
    kinds = []
    for name, expression in _amounts(table).items():
        selected += [f"CAST({expression} AS STRING) AS {name}", f"{expression} AS {name}_number"]
        if name != _QUANTITIES[0]:
            kinds.append(f"IFNULL(CAST(SIGN({expression}) AS STRING), 'none')")
    selected.append(f"CONCAT({', '.join(kinds)}) AS amounts")
    lines = ",\n    ".join(selected)
    return f"""
  SELECT
    {lines}
  FROM {table.relation}
  WHERE {where}"""


def _texts(table: FocusTable) -> dict[str, str]:
    """Name in the result -> expression, for every column that is not an amount."""
    found = {name: _text(field) for name in _TEXTS if (field := table.field(name)) and _is_single(field)}
    commitment = table.field(_COMMITMENT)
    if commitment is not None and _is_single(commitment):
        found[_COMMITMENT] = f"IF(IFNULL({_text(commitment)}, '') IN ('', 'NULL', 'null'), NULL, 'yes')"
    tags = table.field(*_TAGS) if table.tags else None
    if tags is not None:
        plain = _is_single(tags) and tags.field_type == "STRING"
        found["Tags"] = _name(tags) if plain else f"TO_JSON_STRING({_name(tags)})"
    return found


def _amounts(table: FocusTable) -> dict[str, str]:
    """Name in the result -> exact expression, NULL where it is no plausible number."""
    names = [
        *((name,) for name in COST_COLUMNS[table.cost]),
        (USD_COLUMNS[table.cost],),
        (LIST_COLUMN,),
        (LIST_USD_COLUMN,),
    ]
    found = {}
    for (name,) in names:
        field = table.field(name)
        if field is not None and _is_single(field):
            found[name] = f"IF(ABS({_exact(field)}) < {LARGEST_PLAUSIBLE}, {_exact(field)}, NULL)"
    quantity = table.field(*_QUANTITIES)
    if quantity is not None and _is_single(quantity):
        found[_QUANTITIES[0]] = _exact(quantity)
    return found


def _is_single(field: SchemaField) -> bool:
    return field.mode != "REPEATED" and field.field_type not in ("RECORD", "STRUCT", "JSON", "BYTES")


def _name(field: SchemaField) -> str:
    return f"`{field.name}`"


def _text(field: SchemaField) -> str:
    return _name(field) if field.field_type == "STRING" else f"CAST({_name(field)} AS STRING)"


def _exact(field: SchemaField) -> str:
    # By way of text, since the double's shortest decimal is what was billed, its binary expansion is not.
    return f"SAFE_CAST({_text(field)} AS BIGNUMERIC)"


def _month(table: FocusTable) -> str:
    moment = f"TIMESTAMP_ADD({_period(table)}, INTERVAL {_MONTH_BEGINS // timedelta(hours=1)} HOUR)"
    return f"IFNULL(FORMAT_TIMESTAMP('%Y-%m', {moment}), '{NO_MONTH}')"


def _period(table: FocusTable) -> str:
    """A TIMESTAMP expression of the start of the billing period."""
    field = table.field("BillingPeriodStart")
    assert field is not None, "a table without it is refused before"
    if field.field_type == "TIMESTAMP":
        return _name(field)
    if field.field_type in ("DATE", "DATETIME"):
        return f"TIMESTAMP({_name(field)})"
    return f"SAFE_CAST({_name(field)} AS TIMESTAMP)"


def _since(table: FocusTable, since: datetime) -> str:
    period, literal = _bounds(table)
    begin = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return f"({period} >= {literal(begin)} OR {period} IS NULL)"


def _among(table: FocusTable, months: Collection[str]) -> str:
    period, literal = _bounds(table)
    parts = [f"{period} IS NULL"] if NO_MONTH in months else []
    for month in sorted(set(months) - {NO_MONTH}):
        begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        end = (begin + timedelta(days=31)).replace(day=1)
        parts.append(f"({period} >= {literal(begin)} AND {period} < {literal(end)})")
    return f"({' OR '.join(parts)})"


def _bounds(table: FocusTable) -> tuple[str, _Literal]:
    """What the month of a row is bounded by, in its own type, so that BigQuery can prune partitions."""
    field = table.field("BillingPeriodStart")
    kind = "TIMESTAMP" if field is None else field.field_type
    return (
        (_name(field), _Literal(kind)) if field and kind in LITERAL_FORMATS else (_period(table), _Literal())
    )


@dataclass(frozen=True, slots=True)
class _Literal:
    """Writes the beginning of a month as a constant of a type."""

    kind: str = "TIMESTAMP"

    def __call__(self, month: datetime) -> str:
        # A date has no zone, so that a month begins with its first.
        return (month if self.kind == "DATE" else month - _MONTH_BEGINS).strftime(LITERAL_FORMATS[self.kind])
