"""Google's own FOCUS export (preview) under the column names of the detailed export: one SQL reads both.

Columns: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/focus-export
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from exporter.sources.base import Finding
from exporter.sources.google.bigquery.table import ExportTable


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the detailed export, or a field of a nested one, and what it is made from."""

    path: str
    """`cost`, `service.id`"""
    expression: str
    needs: tuple[str, ...]
    """Columns of the FOCUS export without which there is no such column."""
    of_tags: bool = False
    """Read only where labels, tags or names of resources are kept."""


_COLUMNS: Final = (
    _Column("billing_account_id", "BillingAccountId", ("BillingAccountId",)),
    # Charges of no project have the billing account as sub-account.
    _Column(
        "project.id",
        "COALESCE(NULLIF(x_Project.Id, ''), NULLIF(SubAccountId, BillingAccountId))",
        ("x_Project.Id", "SubAccountId", "BillingAccountId"),
    ),
    _Column("project.id", "x_Project.Id", ("x_Project.Id",)),
    _Column("project.id", "SubAccountId", ("SubAccountId",)),
    _Column("project.labels", "x_ProjectLabels", ("x_ProjectLabels.Value",), of_tags=True),
    _Column("service.id", "x_ServiceId", ("x_ServiceId",)),
    _Column("service.description", "ServiceName", ("ServiceName",)),
    _Column("sku.id", "SkuId", ("SkuId",)),
    _Column("sku.description", "ChargeDescription", ("ChargeDescription",)),
    _Column("location.region", "NULLIF(RegionId, '')", ("RegionId",)),
    _Column("location.location", "x_Location", ("x_Location",)),
    # A month begins at midnight in the provider's zone, which can be the last day of the month before in UTC.
    _Column(
        "invoice.month",
        "FORMAT_TIMESTAMP('%Y%m', TIMESTAMP_ADD(BillingPeriodStart, INTERVAL 14 HOUR))",
        ("BillingPeriodStart",),
    ),
    _Column("currency", "BillingCurrency", ("BillingCurrency",)),
    _Column(
        "cost_type",
        "LOWER(COALESCE(x_CostType, ChargeCategory))",
        ("x_CostType", "ChargeCategory"),
    ),
    _Column("cost_type", "LOWER(x_CostType)", ("x_CostType",)),
    _Column("cost_type", "LOWER(ChargeCategory)", ("ChargeCategory",)),
    _Column(
        "adjustment_info.type",
        "IF(LOWER(ChargeClass) = 'correction', 'correction', '')",
        ("ChargeClass",),
    ),
    _Column("usage.unit", "ConsumedUnit", ("ConsumedUnit",)),
    _Column("usage.amount", "CAST(ConsumedQuantity AS FLOAT64)", ("ConsumedQuantity",)),
    _Column("usage_start_time", "ChargePeriodStart", ("ChargePeriodStart",)),
    _Column("usage_end_time", "ChargePeriodEnd", ("ChargePeriodEnd",)),
    _Column("export_time", "x_ExportTime", ("x_ExportTime",)),
    # BilledCost is after credits; the export's cost is before them, and net is BilledCost again.
    _Column(
        "cost",
        "BilledCost - IFNULL((SELECT SUM(credit.Amount) FROM UNNEST(x_Credits) AS credit), 0)",
        ("BilledCost", "x_Credits.Amount"),
    ),
    _Column("cost", "BilledCost", ("BilledCost",)),
    _Column("credits", "x_Credits", ("x_Credits.Amount",)),
    _Column("cost_at_list", "ListCost", ("ListCost",)),
    _Column(
        "currency_conversion_rate", "CAST(x_CurrencyConversionRate AS FLOAT64)", ("x_CurrencyConversionRate",)
    ),
    _Column("labels", "x_Labels", ("x_Labels.Value",), of_tags=True),
    _Column("tags", "x_Tags", ("x_Tags.Value",), of_tags=True),
    _Column("resource.name", "ResourceName", ("ResourceName",), of_tags=True),
)
"""Of a path that is there twice, the first that the table has everything for."""

_LISTS: Final = {
    "labels": "labels.value",
    "tags": "tags.value",
    "project.labels": "project.labels.value",
    "credits": "credits.amount",
}
"""Columns that are lists, each with the field that is read of them."""

_CONSEQUENCES: Final = {
    "x_Credits": "credits are not shown by themselves: cost is what is left after them",
    "x_Project": "projects are those of SubAccountId",
    "x_CurrencyConversionRate": "rows in other currencies than USD count on their invoices alone, not in US "
    "dollars",
    "x_CostType": "the rounding of an invoice cannot be distinguished from corrections",
    "x_ServiceId": "Google's services are known by their names alone, so that live usage has no rates",
    "BillingPeriodStart": "cost by invoice month is not known",
    "ServiceName": "cost by service is not known",
    "SkuId": "cost by SKU is not known",
    "RegionId": "cost by region is not known",
    "ConsumedQuantity": "used quantities are not known",
    "ListCost": "cost at list prices is not known",
}
"""By column of the FOCUS export: what follows where it is missing."""


def export_columns(table: ExportTable) -> frozenset[str]:
    """Return which columns of the detailed export a FOCUS export has the content of, as dotted paths."""
    found = {column.path for column in _found(table, tags=True)}
    parents = {path.partition(".")[0] for path in found}
    return frozenset(found | parents | {_LISTS[path] for path in found if path in _LISTS})


def export_rows(table: ExportTable, where: str, *, tags: bool) -> str:
    """Return a SELECT of a FOCUS export's rows with the columns `export_columns`, and `partition_start`.

    `where` is a condition on the table's own columns. Without `tags`, labels, tags and resources are left
    out, so that BigQuery does not bill them.
    """
    selected = [f"{table.partitioning.start_expression} AS partition_start"]
    nested: dict[str, list[str]] = {}
    for column in _found(table, tags=tags):
        parent, _, field = column.path.partition(".")
        if field:
            nested.setdefault(parent, []).append(f"{column.expression} AS {field}")
        else:
            selected.append(f"{column.expression} AS {parent}")
    selected += [f"STRUCT({', '.join(fields)}) AS {parent}" for parent, fields in nested.items()]
    lines = ",\n      ".join(selected)
    return f"""SELECT
      {lines}
    FROM `{table.table_id}`
    WHERE {where}"""


def focus_columns_finding(table: ExportTable) -> Finding:
    """Judge the columns of a FOCUS export."""
    absent = [(name, text) for name, text in _CONSEQUENCES.items() if name.lower() not in table.columns]
    if "billingcurrency" not in table.columns and "x_currencyconversionrate" not in table.columns:
        detail = "the table lacks BillingCurrency and x_CurrencyConversionRate, so every row is set aside"
        return Finding(False, "columns", detail)
    if not absent:
        return Finding(True, "columns", "the table has all columns that are used")
    listed = ", ".join(f"{name} ({text})" for name, text in absent)
    return Finding(True, "columns", f"the table lacks {listed}", warning=True)


def _found(table: ExportTable, *, tags: bool) -> Iterator[_Column]:
    seen = set()
    for column in _COLUMNS:
        there = all(name.lower() in table.columns for name in column.needs)
        if there and column.path not in seen and (tags or not column.of_tags):
            seen.add(column.path)
            yield column
