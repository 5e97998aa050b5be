"""Metrics of the bill: costs by window, counters, and how far the bill reaches."""

from __future__ import annotations

from exporter.core.charges import CHARGE_LABELS
from exporter.metrics.families.declaration import counter, gauge

_BILLED = "Billed net cost of usage {when}, in the provider's billing days. Grows as late charges arrive."

SPEND_TODAY_USD = gauge("spend_today_usd", CHARGE_LABELS, _BILLED.format(when="today"), "usd")
SPEND_YESTERDAY_USD = gauge("spend_yesterday_usd", CHARGE_LABELS, _BILLED.format(when="yesterday"), "usd")
SPEND_MONTH_TO_DATE_USD = gauge(
    "spend_month_to_date_usd", CHARGE_LABELS, _BILLED.format(when="this month"), "usd"
)
SPEND_LAST_MONTH_USD = gauge("spend_last_month_usd", CHARGE_LABELS, _BILLED.format(when="last month"), "usd")
SPEND_BILLED_USD_TOTAL = counter(
    "spend_billed_usd_total",
    CHARGE_LABELS,
    "Positive charges, counted when they arrive in the bill. Without credits and adjustments.",
    "usd",
)
SPEND_BILLED_CREDIT_USD_TOTAL = counter(
    "spend_billed_credit_usd_total",
    CHARGE_LABELS,
    "Credits and negative corrections, as positive numbers, counted when they arrive in the bill.",
    "usd",
)
SPEND_HOURLY_USD = gauge(
    "spend_hourly_usd",
    ("provider", "project_id", "service_name", "charge_category"),
    "Billed net cost of one hour of usage, with the time of the hour's last second. It comes from backfill "
    "or remote write and is never scraped.",
    "usd",
)
SPEND_DAILY_USD = gauge(
    "spend_daily_usd",
    SPEND_HOURLY_USD.labels,
    "Billed net cost of one billing day of the provider, as far as it is known, at noon UTC of its date; "
    "later changes are samples before that. It comes from backfill or remote write and is never scraped.",
    "usd",
)
SPEND_INVOICE_MONTH_COST = gauge(
    "spend_invoice_month_cost",
    ("billing_account_id", "invoice_month", "currency", "charge_category"),
    "Cost by invoice month, in the billing currency, to reconcile with invoices.",
)
SPEND_BILLED_THROUGH = gauge(
    "spend_billed_through_timestamp_seconds",
    ("provider", "billing_account_id", "service_name"),
    "End of the latest usage hour for which a charge has arrived.",
    "seconds",
)
SPEND_BILLED_SINCE = gauge(
    "spend_billed_since_timestamp_seconds",
    ("provider", "billing_account_id"),
    "Start of the first usage hour that the bill has. What was used before is not known.",
    "seconds",
)
SPEND_PERIOD_PARTIAL = gauge(
    "spend_period_partial",
    ("provider", "period"),
    "1 if a bill of the provider begins after the period (today, yesterday, month_to_date, last_month) does: "
    "its cost and its forecast have only what the bill has; else 0.",
)
SPEND_EXPORT_LAST = gauge(
    "spend_export_last_timestamp_seconds",
    ("provider", "billing_account_id", "service_name"),
    "When the provider last wrote a charge to the bill.",
    "seconds",
)
SPEND_RESTATED_USD_TOTAL = counter(
    "spend_restated_usd_total",
    ("provider", "direction"),
    "Dollars by which the bill restated earlier charges, by direction (up, down).",
    "usd",
)
SPEND_UNSETTLED_RATIO = gauge(
    "spend_unsettled_ratio",
    ("provider", "billing_account_id", "days_ago"),
    "Share of a billing day's final cost that has not arrived yet, learned from how late this account's "
    "charges are.",
    "ratio",
)
SPEND_SETTLED_THROUGH = gauge(
    "spend_settled_through_timestamp_seconds",
    ("provider", "billing_account_id"),
    "Usage up to this time is settled: an estimated 0.5 % of its cost at most is still to arrive.",
    "seconds",
)
