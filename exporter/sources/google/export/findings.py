"""What a check finds out about a billing export's columns, in files and in BigQuery alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from exporter.sources.base import Finding

_CONSEQUENCES: Final[Mapping[str, str]] = {
    "credits": "discounts and credits are not seen, so cost is higher than on the invoice",
    "currency": "the billing currency is not known",
    "currency_conversion_rate": "rows in other currencies than USD count on their invoices alone, "
    "not in US dollars",
    "cost_type": "taxes and adjustments count as usage",
    "adjustment_info": "corrections that Google marks there count as usage",
    "invoice": "cost by invoice month is not known",
    "billing_account_id": "billing accounts cannot be distinguished",
    "project": "cost by project is not known",
    "service": "cost by service is not known",
    "sku": "cost by SKU is not known",
    "location": "cost by region is not known",
    "usage": "used quantities are not known",
}
"""By column of the export: what follows where it is missing."""


def columns_finding(present: Collection[str], place: str) -> Finding:
    """Judge the columns (in lower case) of an export. `place` names it: a file, or `the table`.

    Without export_time and without a way to dollars every row would be set aside.
    """
    absent = [(name, text) for name, text in _CONSEQUENCES.items() if name not in present]
    if "export_time" not in present:
        return Finding(False, "columns", f"{place} lacks export_time, so every row is set aside")
    if not {"currency", "currency_conversion_rate"} & set(present):
        detail = f"{place} lacks currency and currency_conversion_rate, so every row is set aside"
        return Finding(False, "columns", detail)
    if not absent:
        return Finding(True, "columns", f"{place} has all columns that are used")
    listed = ", ".join(f"{name} ({text})" for name, text in absent)
    return Finding(True, "columns", f"{place} lacks {listed}", warning=True)
