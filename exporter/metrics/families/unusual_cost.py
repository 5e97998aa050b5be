"""Metrics of hours and days that cost more than usual."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import gauge

_SPIKE: Final = ("provider", "service_name", "sku")

SPEND_SPIKE_USD = gauge(
    "spend_spike_usd",
    _SPIKE,
    "Dollars above normal in the latest hour with enough data. `sku` is empty for the whole service.",
    "usd",
)
SPEND_SPIKE_HOUR_USD = gauge("spend_spike_hour_usd", _SPIKE, "Cost of the hour of spend_spike_usd.", "usd")
SPEND_SPIKE_NORMAL_USD = gauge(
    "spend_spike_normal_usd",
    _SPIKE,
    "Normal cost of the hour of spend_spike_usd: the median of the same hour on up to 14 earlier days.",
    "usd",
)
SPEND_SPIKE_SCORE = gauge(
    "spend_spike_score", _SPIKE, "Distance from the normal cost, in scaled median absolute deviations."
)
SPEND_SPIKE_HOUR = gauge(
    "spend_spike_hour_timestamp_seconds",
    ("provider", "service_name"),
    "Start of the hour of spend_spike_usd.",
    "seconds",
)
SPEND_UNUSUAL_COST_INFO = gauge(
    "spend_unusual_cost_info",
    ("provider", "service_name", "about", "explanation"),
    "Always 1. Why a service rose beyond the thresholds: in `settled_day` from the day before, in "
    "`spike_hour` from the same hour a week before.",
)
SPEND_SETTLED_DAY_USD = gauge(
    "spend_settled_day_usd",
    ("provider", "service_name", "days_before"),
    "Billed net cost of the latest settled billing day (0), the day before it (1) and a week before it (7).",
    "usd",
)
SPEND_SETTLED_DAY_RECURRING_USD = gauge(
    "spend_settled_day_recurring_usd",
    ("provider", "service_name"),
    "Cost that at least three of the 14 days before the latest settled day reached: cost of some days only.",
    "usd",
)
