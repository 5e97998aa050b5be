"""Every metric family of the exporter, declared once: name, type, unit, labels, help.

A new metric is one declaration here; the metric reference and the exposition follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

CHARGE_LABELS: Final = (
    "provider",
    "billing_account_id",
    "project_id",
    "service_name",
    "sku_id",
    "sku",
    "region_id",
    "charge_category",
)
"""Labels of a billed series."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family as users see it. `name` is the sample's name, with `_total` for counters."""

    name: str
    type: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""
    """OpenMetrics unit; the name ends with it (before `_total`). Empty: dimensionless."""


@dataclass(frozen=True, slots=True)
class FamilySamples:
    """A family with its samples: label values in the order of `family.labels`, and the value."""

    family: Family
    samples: Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    return Family(name, "gauge", labels, text, unit)


def _counter(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    return Family(name, "counter", labels, text, unit)


_BILLED = "Billed net cost of usage {when}, in the provider's billing days; grows as late charges arrive."

SPEND_TODAY_USD = _gauge("spend_today_usd", CHARGE_LABELS, _BILLED.format(when="today"), "usd")
SPEND_YESTERDAY_USD = _gauge("spend_yesterday_usd", CHARGE_LABELS, _BILLED.format(when="yesterday"), "usd")
SPEND_MONTH_TO_DATE_USD = _gauge(
    "spend_month_to_date_usd", CHARGE_LABELS, _BILLED.format(when="this month"), "usd"
)
SPEND_LAST_MONTH_USD = _gauge("spend_last_month_usd", CHARGE_LABELS, _BILLED.format(when="last month"), "usd")
SPEND_BILLED_USD_TOTAL = _counter(
    "spend_billed_usd_total",
    CHARGE_LABELS,
    "Positive charges received, counted when the bill brought them; no credits and no adjustments.",
    "usd",
)
SPEND_BILLED_CREDIT_USD_TOTAL = _counter(
    "spend_billed_credit_usd_total",
    CHARGE_LABELS,
    "Credits and negative corrections received, as positive numbers.",
    "usd",
)
SPEND_INVOICE_MONTH_COST = _gauge(
    "spend_invoice_month_cost",
    ("billing_account_id", "invoice_month", "currency", "charge_category"),
    "Cost by invoice, in the billing currency: what the invoice of that month shows.",
)
SPEND_BILLED_THROUGH = _gauge(
    "spend_billed_through_timestamp_seconds",
    ("provider", "billing_account_id", "service_name"),
    "End of the latest usage hour for which a charge has arrived.",
    "seconds",
)
SPEND_EXPORT_LAST = _gauge(
    "spend_export_last_timestamp_seconds",
    ("provider", "billing_account_id", "service_name"),
    "When the provider last wrote a charge to the bill.",
    "seconds",
)
SPEND_RESTATED_USD_TOTAL = _counter(
    "spend_restated_usd_total",
    ("provider", "direction"),
    "Dollars by which the bill changed what it had said before, by direction (up, down).",
    "usd",
)
SPEND_UNSETTLED_RATIO = _gauge(
    "spend_unsettled_ratio",
    ("provider", "billing_account_id", "days_ago"),
    "Share of a billing day's final cost that has not arrived yet, learnt from this account's own lateness.",
    "ratio",
)
SPEND_SETTLED_THROUGH = _gauge(
    "spend_settled_through_timestamp_seconds",
    ("provider", "billing_account_id"),
    "Usage up to this time is settled: at most 0.5 % of its cost is still to arrive, as learnt.",
    "seconds",
)
SPEND_SOURCE_UP = _gauge("spend_source_up", ("source",), "1 if the source's last refresh succeeded, else 0.")
SPEND_SOURCE_LAST_SUCCESS = _gauge(
    "spend_source_last_success_timestamp_seconds",
    ("source",),
    "When the source last refreshed without failing.",
    "seconds",
)
SPEND_SOURCE_REFRESH_DURATION = _gauge(
    "spend_source_refresh_duration_seconds",
    ("source",),
    "How long the source's last refresh took.",
    "seconds",
)
SPEND_SOURCE_ERRORS_TOTAL = _counter(
    "spend_source_errors_total", ("source", "reason"), "Failures and rows set aside, by reason."
)
SPEND_SOURCE_ROWS_TOTAL = _counter(
    "spend_source_rows_total", ("source",), "Rows read from the source, without those set aside."
)
SPEND_SOURCE_REQUESTS_TOTAL = _counter(
    "spend_source_requests_total", ("source",), "Requests made to the source: API calls, or files opened."
)
SPEND_BIGQUERY_BILLED_BYTES_TOTAL = _counter(
    "spend_bigquery_billed_bytes_total",
    (),
    "Bytes that BigQuery billed for reading the export: what watching the bill costs.",
    "bytes",
)
SPEND_SERIES_FOLDED = _gauge(
    "spend_series_folded", ("metric",), "Series folded into `other` by max_series; their sum stays exact."
)
SPEND_EXPORTER_BUILD_INFO = _gauge(
    "spend_exporter_build_info", ("version", "python_version"), "Always 1; the labels say what is running."
)
SPEND_EXPORTER_SCRAPES_TOTAL = _counter(
    "spend_exporter_scrapes_total", ("code",), "Scrapes answered before this one, by HTTP status code."
)


def all_families() -> tuple[Family, ...]:
    """Return every family declared in this file, in the order of declaration."""
    return tuple(value for value in globals().values() if isinstance(value, Family))
