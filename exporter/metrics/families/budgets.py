"""Metrics of budgets, and the thresholds of alert rules."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import gauge

_BUDGET: Final = ("budget", "period")

SPEND_BUDGET_LIMIT_USD = gauge(
    "spend_budget_limit_usd", _BUDGET, "Limit of the budget for the period.", "usd"
)
SPEND_BUDGET_USED_USD = gauge(
    "spend_budget_used_usd",
    _BUDGET,
    "Cost of the period so far: billed, plus estimated but not billed yet.",
    "usd",
)
SPEND_BUDGET_BILLED_USD = gauge(
    "spend_budget_billed_usd",
    _BUDGET,
    "Billed part of spend_budget_used_usd. With tax and corrections; net of credits, unless the budget "
    "ignores them.",
    "usd",
)
SPEND_BUDGET_ESTIMATED_USD = gauge(
    "spend_budget_estimated_usd",
    _BUDGET,
    "Estimated part of spend_budget_used_usd, which is not billed yet; 0 without estimates.",
    "usd",
)
SPEND_BUDGET_SERVICE_USED_USD = gauge(
    "spend_budget_service_used_usd",
    (*_BUDGET, "provider", "service_name"),
    "Cost of the period so far by service. The sum over services is spend_budget_used_usd.",
    "usd",
)
SPEND_BUDGET_REMAINING_USD = gauge(
    "spend_budget_remaining_usd", _BUDGET, "Limit minus the cost so far; negative above the limit.", "usd"
)
SPEND_BUDGET_USED_RATIO = gauge(
    "spend_budget_used_ratio",
    _BUDGET,
    "Cost so far over the limit; 1 means that the limit is reached.",
    "ratio",
)
SPEND_BUDGET_EXPECTED_RATIO = gauge(
    "spend_budget_expected_ratio",
    _BUDGET,
    "Share of the period's usual spending that falls before now, by the weekly pattern of these charges.",
    "ratio",
)
SPEND_BUDGET_FORECAST_USD = gauge(
    "spend_budget_forecast_usd",
    _BUDGET,
    "Best estimate of the cost of the whole period; where spend_budget_partial is 1, of the period from the "
    "bill's beginning on.",
    "usd",
)
SPEND_BUDGET_FORECAST_QUANTILE_USD = gauge(
    "spend_budget_forecast_quantile_usd",
    (*_BUDGET, "quantile"),
    "Quantile of the forecast cost of the whole period: it will cost less than this with that probability.",
    "usd",
)
SPEND_BUDGET_EXHAUSTED = gauge(
    "spend_budget_exhausted_timestamp_seconds",
    _BUDGET,
    "When the limit was reached, or will be at today's pace; absent if that is after the period's end.",
    "seconds",
)
SPEND_BUDGET_PERIOD_START = gauge(
    "spend_budget_period_start_timestamp_seconds", _BUDGET, "Start of the current period.", "seconds"
)
SPEND_BUDGET_PERIOD_END = gauge(
    "spend_budget_period_end_timestamp_seconds", _BUDGET, "End of the current period.", "seconds"
)
SPEND_BUDGET_PARTIAL = gauge(
    "spend_budget_partial",
    _BUDGET,
    "1 if a bill that the budget counts begins after the period does: its cost and forecast have only what "
    "the bill has; else 0.",
)
SPEND_BUDGET_THRESHOLD_RATIO = gauge(
    "spend_budget_threshold_ratio",
    (*_BUDGET, "severity", "basis"),
    "Alert threshold of the budget as a share of the limit, for its actual or forecast cost (basis).",
    "ratio",
)
SPEND_ALERT_THRESHOLD = gauge(
    "spend_alert_threshold", ("name",), "Threshold of an alert rule, from the configuration key `alerts`."
)
