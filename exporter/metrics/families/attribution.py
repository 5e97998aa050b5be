"""Metrics of `cost_attribution`, `label_costs` and `unit_costs`."""

from __future__ import annotations

from exporter.metrics.families.declaration import gauge

SPEND_CATEGORY_TODAY_USD = gauge(
    "spend_category_today_usd",
    ("category",),
    "Billed net cost of today by category of cost_attribution. `unattributed` is the cost that no rule "
    "matches.",
    "usd",
)
SPEND_CATEGORY_MONTH_TO_DATE_USD = gauge(
    "spend_category_month_to_date_usd",
    ("category",),
    "Billed net cost of this month by category of cost_attribution. The sum over categories is the whole "
    "cost.",
    "usd",
)
SPEND_LABEL_MONTH_TO_DATE_USD = gauge(
    "spend_label_month_to_date_usd",
    ("label", "value"),
    "Billed net cost of this month by value of each label in label_costs. `unlabelled` is cost without the "
    "label, `other` the sum of all but the 100 most expensive values.",
    "usd",
)
SPEND_CATEGORY_DAILY_USD = gauge(
    "spend_category_daily_usd",
    ("provider", "category"),
    "Billed net cost of one billing day by category of cost_attribution, with the time and the sum of "
    "spend_daily_usd. It comes from backfill or remote write and is never scraped.",
    "usd",
)
SPEND_LABEL_DAILY_USD = gauge(
    "spend_label_daily_usd",
    ("provider", "label", "value"),
    "Billed net cost of one billing day by value of each label in label_costs, with the time of "
    "spend_daily_usd. `unlabelled` is cost without the label, `other` the sum of all but the day's "
    "100 most expensive values. It comes from backfill or remote write and is never scraped.",
    "usd",
)
SPEND_UNIT_COST_USD = gauge(
    "spend_unit_cost_usd",
    ("unit",),
    "Yesterday's billed cost of one unit of unit_costs: the cost of the matching charges over the number of "
    "units.",
    "usd",
)
SPEND_UNITS = gauge(
    "spend_units",
    ("unit",),
    "Yesterday's number of units of unit_costs, from the unit's own query.",
)
