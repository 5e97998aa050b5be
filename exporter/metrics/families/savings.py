"""Metrics of recommendations and possible savings."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import gauge

_RECOMMENDATION: Final = ("provider", "project_id", "recommender", "resource", "region_id")

SPEND_IDLE_INSTANCES = gauge(
    "spend_idle_instances",
    ("project_id", "region_id"),
    "Compute Engine instances that used less than 3 % of their CPU for days; 0 where none is idle.",
)
SPEND_RECOMMENDATION_SAVINGS = gauge(
    "spend_recommendation_savings_usd_per_month",
    _RECOMMENDATION,
    "Possible savings in an average month. `recommender` is Google's, or begins with `spend_exporter/`. "
    "No resource is counted twice.",
    "usd_per_month",
)
SPEND_RECOMMENDATION_INFO = gauge(
    "spend_recommendation_info",
    (*_RECOMMENDATION, "advice"),
    "Always 1; `advice` describes the finding and what to do. Present also where the savings are not known.",
)
