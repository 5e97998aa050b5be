"""Metrics of estimates: what is used and not billed yet, forecasts, and how good both were."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import gauge

SPEND_BURN_RATE = gauge(
    "spend_burn_rate_usd_per_hour",
    ("provider", "service_name"),
    "Estimated cost per hour now: usage, purchases and their credits, without tax and corrections.",
    "usd_per_hour",
)
SPEND_NOWCAST_TODAY_USD = gauge(
    "spend_nowcast_today_usd",
    ("provider", "service_name", "basis"),
    "Today's cost so far by basis: billed, and estimated but not billed yet. The sum is the best estimate.",
    "usd",
)
SPEND_NOWCAST_MONTH_TO_DATE_USD = gauge(
    "spend_nowcast_month_to_date_usd",
    ("provider", "service_name", "basis"),
    "This month's cost so far by basis: billed, and estimated but not billed yet. The sum is the best "
    "estimate.",
    "usd",
)
SPEND_FORECAST_DAY_USD = gauge(
    "spend_forecast_day_usd",
    ("provider", "service_name"),
    "Estimated cost of today's whole billing day.",
    "usd",
)
SPEND_FORECAST_DAY_END_USD = gauge(
    "spend_forecast_day_end_usd",
    ("provider", "quantile"),
    "Estimated cost of today's whole billing day. Quantiles come from the errors of past estimates.",
    "usd",
)
SPEND_FORECAST_MONTH_END_USD = gauge(
    "spend_forecast_month_end_usd",
    ("provider", "quantile"),
    "Estimated cost of the whole billing month; where spend_period_partial is 1, from the bill's beginning "
    "on. Quantiles come from the errors of past forecasts.",
    "usd",
)
SPEND_NOWCAST_ERROR_RATIO = gauge(
    "spend_nowcast_error_ratio",
    ("provider", "made_at"),
    "Signed error of past estimates of a whole day's cost, made at that time of day, relative to the final "
    "bill.",
    "ratio",
)
SPEND_NOWCAST_ABSOLUTE_ERROR_RATIO = gauge(
    "spend_nowcast_absolute_error_ratio",
    ("provider", "made_at"),
    "Mean absolute error of past estimates of a whole day's cost, made at that time of day, relative to the "
    "final bill.",
    "ratio",
)
_PLAIN: Final = "a plain Bornhuetter-Ferguson estimate of the same days would have had"
SPEND_NOWCAST_PLAIN_ERROR_RATIO = gauge(
    "spend_nowcast_plain_error_ratio",
    ("provider", "made_at"),
    f"The signed error that {_PLAIN}.",
    "ratio",
)
SPEND_NOWCAST_PLAIN_ABSOLUTE_ERROR_RATIO = gauge(
    "spend_nowcast_plain_absolute_error_ratio",
    ("provider", "made_at"),
    f"The mean absolute error that {_PLAIN}.",
    "ratio",
)
SPEND_NOWCAST_METHOD_INFO = gauge(
    "spend_nowcast_method_info",
    ("provider", "service_name", "method"),
    "How a service is estimated: `model`, `plain` (Bornhuetter-Ferguson, where that was better by the last "
    "three weeks' final bill) or `daily` (a bill by the day). Always 1.",
)
