"""Every metric family of the exporter, declared once: name, type, unit, labels, help.

A new metric is one declaration here; the metric reference and the exposition follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Final, Literal

from exporter.core.charges import CHARGE_LABELS


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
    created: Mapping[tuple[str, ...], float] | None = None
    """When each of these counters was zero, in seconds since 1970; None of those that count from the start of
    the process."""
    beginning: Set[tuple[str, ...]] = frozenset()
    """Counters that are exposed for the first time though they have counted only since their source was read
    to its end. All others that are new here begin with what was counted before."""


def _gauge(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    return Family(name, "gauge", labels, text, unit)


def _counter(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    return Family(name, "counter", labels, text, unit)


_BILLED = "Billed net cost of usage {when}, in the provider's billing days. Grows as late charges arrive."

SPEND_TODAY_USD = _gauge("spend_today_usd", CHARGE_LABELS, _BILLED.format(when="today"), "usd")
SPEND_YESTERDAY_USD = _gauge("spend_yesterday_usd", CHARGE_LABELS, _BILLED.format(when="yesterday"), "usd")
SPEND_MONTH_TO_DATE_USD = _gauge(
    "spend_month_to_date_usd", CHARGE_LABELS, _BILLED.format(when="this month"), "usd"
)
SPEND_LAST_MONTH_USD = _gauge("spend_last_month_usd", CHARGE_LABELS, _BILLED.format(when="last month"), "usd")
SPEND_CATEGORY_TODAY_USD = _gauge(
    "spend_category_today_usd",
    ("category",),
    "Billed net cost of today by category of cost_attribution. `unattributed` is the cost that no rule "
    "matches.",
    "usd",
)
SPEND_CATEGORY_MONTH_TO_DATE_USD = _gauge(
    "spend_category_month_to_date_usd",
    ("category",),
    "Billed net cost of this month by category of cost_attribution. The sum over categories is the whole "
    "cost.",
    "usd",
)
SPEND_LABEL_MONTH_TO_DATE_USD = _gauge(
    "spend_label_month_to_date_usd",
    ("label", "value"),
    "Billed net cost of this month by value of each label in label_costs. `unlabelled` is cost without the "
    "label, `other` the sum of all but the 100 most expensive values.",
    "usd",
)
SPEND_UNIT_COST_USD = _gauge(
    "spend_unit_cost_usd",
    ("unit",),
    "Yesterday's billed cost of one unit of unit_costs: the cost of the matching charges over the number of "
    "units.",
    "usd",
)
SPEND_UNITS = _gauge(
    "spend_units",
    ("unit",),
    "Yesterday's number of units of unit_costs, from the unit's own query.",
)
SPEND_BILLED_USD_TOTAL = _counter(
    "spend_billed_usd_total",
    CHARGE_LABELS,
    "Positive charges, counted when they arrive in the bill. Without credits and adjustments.",
    "usd",
)
SPEND_BILLED_CREDIT_USD_TOTAL = _counter(
    "spend_billed_credit_usd_total",
    CHARGE_LABELS,
    "Credits and negative corrections, as positive numbers, counted when they arrive in the bill.",
    "usd",
)
SPEND_HOURLY_USD = _gauge(
    "spend_hourly_usd",
    ("provider", "project_id", "service_name", "charge_category"),
    "Billed net cost of one hour of usage, with the time of the hour's last second. It comes from backfill "
    "or remote write and is never scraped.",
    "usd",
)
SPEND_DAILY_USD = _gauge(
    "spend_daily_usd",
    SPEND_HOURLY_USD.labels,
    "Billed net cost of one billing day of the provider, as far as it is known, at noon UTC of its date; "
    "later changes are samples before that. It comes from backfill or remote write and is never scraped.",
    "usd",
)
SPEND_INVOICE_MONTH_COST = _gauge(
    "spend_invoice_month_cost",
    ("billing_account_id", "invoice_month", "currency", "charge_category"),
    "Cost by invoice month, in the billing currency, to reconcile with invoices.",
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
    "Dollars by which the bill restated earlier charges, by direction (up, down).",
    "usd",
)
SPEND_UNSETTLED_RATIO = _gauge(
    "spend_unsettled_ratio",
    ("provider", "billing_account_id", "days_ago"),
    "Share of a billing day's final cost that has not arrived yet, learned from how late this account's "
    "charges are.",
    "ratio",
)
SPEND_SETTLED_THROUGH = _gauge(
    "spend_settled_through_timestamp_seconds",
    ("provider", "billing_account_id"),
    "Usage up to this time is settled: an estimated 0.5 % of its cost at most is still to arrive.",
    "seconds",
)
SPEND_BURN_RATE = _gauge(
    "spend_burn_rate_usd_per_hour",
    ("provider", "service_name"),
    "Estimated cost per hour now: usage, purchases and their credits, without tax and corrections.",
    "usd_per_hour",
)
SPEND_NOWCAST_TODAY_USD = _gauge(
    "spend_nowcast_today_usd",
    ("provider", "service_name", "basis"),
    "Today's cost so far by basis: billed, and estimated but not billed yet. The sum is the best estimate.",
    "usd",
)
SPEND_NOWCAST_MONTH_TO_DATE_USD = _gauge(
    "spend_nowcast_month_to_date_usd",
    ("provider", "service_name", "basis"),
    "This month's cost so far by basis: billed, and estimated but not billed yet. The sum is the best "
    "estimate.",
    "usd",
)
SPEND_FORECAST_DAY_USD = _gauge(
    "spend_forecast_day_usd",
    ("provider", "service_name"),
    "Estimated cost of today's whole billing day.",
    "usd",
)
SPEND_FORECAST_DAY_END_USD = _gauge(
    "spend_forecast_day_end_usd",
    ("provider", "quantile"),
    "Estimated cost of today's whole billing day. Quantiles come from the errors of past estimates.",
    "usd",
)
SPEND_FORECAST_MONTH_END_USD = _gauge(
    "spend_forecast_month_end_usd",
    ("provider", "quantile"),
    "Estimated cost of the whole billing month. Quantiles come from the errors of past forecasts.",
    "usd",
)
SPEND_NOWCAST_ERROR_RATIO = _gauge(
    "spend_nowcast_error_ratio",
    ("provider", "made_at"),
    "Signed error of past estimates of a whole day's cost, made at that time of day, relative to the final "
    "bill.",
    "ratio",
)
SPEND_NOWCAST_ABSOLUTE_ERROR_RATIO = _gauge(
    "spend_nowcast_absolute_error_ratio",
    ("provider", "made_at"),
    "Mean absolute error of past estimates of a whole day's cost, made at that time of day, relative to the "
    "final bill.",
    "ratio",
)
_PLAIN: Final = "a plain Bornhuetter-Ferguson estimate of the same days would have had"
SPEND_NOWCAST_PLAIN_ERROR_RATIO = _gauge(
    "spend_nowcast_plain_error_ratio",
    ("provider", "made_at"),
    f"The signed error that {_PLAIN}.",
    "ratio",
)
SPEND_NOWCAST_PLAIN_ABSOLUTE_ERROR_RATIO = _gauge(
    "spend_nowcast_plain_absolute_error_ratio",
    ("provider", "made_at"),
    f"The mean absolute error that {_PLAIN}.",
    "ratio",
)
SPEND_NOWCAST_METHOD_INFO = _gauge(
    "spend_nowcast_method_info",
    ("provider", "service_name", "method"),
    "How a service is estimated: `model`, `plain` (Bornhuetter-Ferguson, where that was better by the last "
    "three weeks' final bill) or `daily` (a bill by the day). Always 1.",
)

_RUN_SERVICE: Final = ("project_id", "region_id", "run_service")
_RUN_REVISION: Final = (*_RUN_SERVICE, "revision")
_AS_REPORTED = "{what}, from Cloud Monitoring."

SPEND_CLOUD_RUN_REQUESTS_TOTAL = _counter(
    "spend_cloud_run_requests_total",
    (*_RUN_REVISION, "response_code_class"),
    _AS_REPORTED.format(what="Requests that reached an instance of a Cloud Run service"),
)
SPEND_CLOUD_RUN_CPU_SECONDS_TOTAL = _counter(
    "spend_cloud_run_cpu_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="vCPU seconds allocated to a Cloud Run service"),
    "seconds",
)
SPEND_CLOUD_RUN_MEMORY_TOTAL = _counter(
    "spend_cloud_run_memory_gibibyte_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Memory allocated to a Cloud Run service, in GiB seconds"),
    "gibibyte_seconds",
)
SPEND_CLOUD_RUN_BILLABLE_SECONDS_TOTAL = _counter(
    "spend_cloud_run_billable_instance_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Billable instance time of a Cloud Run service"),
    "seconds",
)
SPEND_CLOUD_RUN_EGRESS_BYTES_TOTAL = _counter(
    "spend_cloud_run_egress_bytes_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Bytes that a Cloud Run service sent"),
    "bytes",
)
SPEND_CLOUD_RUN_COLD_STARTS_TOTAL = _counter(
    "spend_cloud_run_cold_starts_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Instances that a Cloud Run service started"),
)
SPEND_CLOUD_RUN_ESTIMATED_USD_TOTAL = _counter(
    "spend_cloud_run_estimated_usd_total",
    (*_RUN_REVISION, "component"),
    "Estimated cost of live usage, at the rates known when it was read; not billed yet.",
    "usd",
)
SPEND_CLOUD_RUN_COST_PER_REQUEST_USD = _gauge(
    "spend_cloud_run_cost_per_request_usd",
    _RUN_SERVICE,
    "Estimated cost per request over the trailing hour; absent without requests.",
    "usd",
)
SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST = _gauge(
    "spend_cloud_run_cpu_seconds_per_request",
    _RUN_SERVICE,
    "vCPU seconds allocated per request over the trailing hour; absent without requests.",
)
SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD = _gauge(
    "spend_cloud_run_cost_per_cpu_second_usd",
    _RUN_SERVICE,
    "Estimated total cost of the service per vCPU second, over the trailing hour.",
    "usd",
)
SPEND_CLOUD_RUN_COLD_START_RATIO = _gauge(
    "spend_cloud_run_cold_start_ratio",
    _RUN_SERVICE,
    "Instances started per request over the trailing hour; absent without requests.",
    "ratio",
)
SPEND_CLOUD_RUN_RATE_USD = _gauge(
    "spend_cloud_run_rate_usd",
    ("project_id", "region_id", "component", "billing_mode", "basis"),
    "Rate used for estimates, per request, vCPU second, GiB second, GiB sent or idle instance second. "
    "Billing mode: request, instance, or empty where it makes no difference. "
    "Basis: billed (learned from the bill), list or rate_card.",
    "usd",
)
SPEND_CLOUD_RUN_INSTANCE_BASED_RATIO = _gauge(
    "spend_cloud_run_instance_based_ratio",
    _RUN_SERVICE,
    "Share of the service's usage priced as instance-based: 0 or 1 where its billing mode is known, "
    "between them where it is not certain from bill and usage.",
    "ratio",
)

_METERED: Final = ("project_id", "region_id", "resource", "meter", "dimension")

SPEND_LIVE_COST_USD_PER_HOUR = _gauge(
    "spend_live_cost_usd_per_hour",
    (*_METERED, "basis"),
    "Estimated cost of a resource's usage of one meter in the trailing hour.",
    "usd_per_hour",
)
SPEND_LIVE_UNIT_COST_USD = _gauge(
    "spend_live_unit_cost_usd",
    (*_METERED, "unit"),
    "Estimated cost of one common unit: a request, a stored GiB month, a database vCPU hour.",
    "usd",
)
SPEND_USAGE_UNPRICED_RESOURCES = _gauge(
    "spend_usage_unpriced_resources",
    ("project_id", "region_id", "meter"),
    "Resources whose live usage has no known rate; their cost is unknown, not zero.",
)
SPEND_USAGE_THROUGH = _gauge(
    "spend_usage_through_timestamp_seconds",
    ("project_id", "meter"),
    "All usage of one meter in the project is known up to this time; of the meters in use.",
    "seconds",
)
SPEND_RATE_BILLED_THROUGH = _gauge(
    "spend_rate_billed_through_timestamp_seconds",
    ("meter",),
    "Start of the latest billed day that a meter's rates were learned from.",
    "seconds",
)
SPEND_ESTIMATE_TO_BILLED_RATIO = _gauge(
    "spend_estimate_to_billed_ratio",
    ("provider", "service_name"),
    "Live estimate over bill, for the SKUs that live usage covers, over settled days; 1 where they agree.",
    "ratio",
)
SPEND_ESTIMATE_EXPLAINED_RATIO = _gauge(
    "spend_estimate_explained_ratio",
    ("provider", "service_name"),
    "Share of a service's bill in SKUs that live usage covers, over settled days.",
    "ratio",
)
SPEND_MONITORING_SERIES_RETURNED_TOTAL = _counter(
    "spend_monitoring_series_returned_total",
    (),
    "Time series that Cloud Monitoring returned. Google bills these beyond a million per month.",
)

_MODEL: Final = ("provider", "model")
_BILLED_MODEL: Final = ("provider", "project_id", "model")
_PROXY: Final = ("provider", "team", "key_alias", "model")

SPEND_LLM_TOKENS_TOTAL = _counter(
    "spend_llm_tokens_total",
    (*_MODEL, "token_type"),
    "Tokens used, by type: input, cache_read, cache_write or output. Each token has exactly one type.",
)
SPEND_LLM_REQUESTS_TOTAL = _counter(
    "spend_llm_requests_total",
    _MODEL,
    "Requests to language models, where the provider or the log reports them.",
)
SPEND_LLM_ESTIMATED_USD_TOTAL = _counter(
    "spend_llm_estimated_usd_total",
    _MODEL,
    "Estimated cost of usage at list prices, or as logged; not what was billed.",
    "usd",
)
SPEND_LLM_UNPRICED_TOKENS_TOTAL = _counter(
    "spend_llm_unpriced_tokens_total",
    _MODEL,
    "Tokens without a known price: of an unknown model, service tier or kind. Their cost is unknown, not 0.",
)
SPEND_LLM_UNPRICED_FEES_TOTAL = _counter(
    "spend_llm_unpriced_fees_total",
    (*_MODEL, "fee"),
    "Web searches, images and other things that cost a fee beside tokens. Their cost is in no estimate.",
)
SPEND_LLM_TODAY_USD = _gauge(
    "spend_llm_today_usd",
    _BILLED_MODEL,
    "Billed net cost of language models today; a part of spend_today_usd, not in addition to it.",
    "usd",
)
SPEND_LLM_MONTH_TO_DATE_USD = _gauge(
    "spend_llm_month_to_date_usd",
    _BILLED_MODEL,
    "Billed net cost of language models this month; a part of spend_month_to_date_usd, not in addition to "
    "it.",
    "usd",
)
SPEND_LLM_PROXY_USD_TOTAL = _counter(
    "spend_llm_proxy_usd_total",
    _PROXY,
    "Cost of calls through the proxy, as calculated by the proxy. It shows who used what, and is never part "
    "of a total.",
    "usd",
)
SPEND_LLM_PROXY_TOKENS_TOTAL = _counter(
    "spend_llm_proxy_tokens_total", (*_PROXY, "token_type"), "Tokens of the calls through the proxy."
)
SPEND_LLM_PROXY_REQUESTS_TOTAL = _counter(
    "spend_llm_proxy_requests_total", _PROXY, "Calls through the proxy."
)
SPEND_LLM_CAPTURE_RATIO = _gauge(
    "spend_llm_capture_ratio",
    ("provider",),
    "The proxy's cost over the billed cost, over settled days: the share of the bill that went through the "
    "proxy.",
    "ratio",
)

_RECOMMENDATION: Final = ("provider", "project_id", "recommender", "resource", "region_id")

SPEND_IDLE_INSTANCES = _gauge(
    "spend_idle_instances",
    ("project_id", "region_id"),
    "Compute Engine instances that used less than 3 % of their CPU for days; 0 where none is idle.",
)
SPEND_RECOMMENDATION_SAVINGS = _gauge(
    "spend_recommendation_savings_usd_per_month",
    _RECOMMENDATION,
    "Possible savings in an average month. `recommender` is Google's, or begins with `spend_exporter/`. "
    "No resource is counted twice.",
    "usd_per_month",
)
SPEND_RECOMMENDATION_INFO = _gauge(
    "spend_recommendation_info",
    (*_RECOMMENDATION, "advice"),
    "Always 1; `advice` describes the finding and what to do. Present also where the savings are not known.",
)

_BUDGET: Final = ("budget", "period")

SPEND_BUDGET_LIMIT_USD = _gauge(
    "spend_budget_limit_usd", _BUDGET, "Limit of the budget for the period.", "usd"
)
SPEND_BUDGET_USED_USD = _gauge(
    "spend_budget_used_usd",
    _BUDGET,
    "Cost of the period so far: billed, plus estimated but not billed yet.",
    "usd",
)
SPEND_BUDGET_BILLED_USD = _gauge(
    "spend_budget_billed_usd",
    _BUDGET,
    "Billed part of spend_budget_used_usd. With tax and corrections; net of credits, unless the budget "
    "ignores them.",
    "usd",
)
SPEND_BUDGET_ESTIMATED_USD = _gauge(
    "spend_budget_estimated_usd",
    _BUDGET,
    "Estimated part of spend_budget_used_usd, which is not billed yet; 0 without estimates.",
    "usd",
)
SPEND_BUDGET_SERVICE_USED_USD = _gauge(
    "spend_budget_service_used_usd",
    (*_BUDGET, "provider", "service_name"),
    "Cost of the period so far by service. The sum over services is spend_budget_used_usd.",
    "usd",
)
SPEND_BUDGET_REMAINING_USD = _gauge(
    "spend_budget_remaining_usd", _BUDGET, "Limit minus the cost so far; negative above the limit.", "usd"
)
SPEND_BUDGET_USED_RATIO = _gauge(
    "spend_budget_used_ratio",
    _BUDGET,
    "Cost so far over the limit; 1 means that the limit is reached.",
    "ratio",
)
SPEND_BUDGET_EXPECTED_RATIO = _gauge(
    "spend_budget_expected_ratio",
    _BUDGET,
    "Share of the period's usual spending that falls before now, by the weekly pattern of these charges.",
    "ratio",
)
SPEND_BUDGET_FORECAST_USD = _gauge(
    "spend_budget_forecast_usd", _BUDGET, "Best estimate of the cost of the whole period.", "usd"
)
SPEND_BUDGET_FORECAST_QUANTILE_USD = _gauge(
    "spend_budget_forecast_quantile_usd",
    (*_BUDGET, "quantile"),
    "Quantile of the forecast cost of the whole period: it will cost less than this with that probability.",
    "usd",
)
SPEND_BUDGET_EXHAUSTED = _gauge(
    "spend_budget_exhausted_timestamp_seconds",
    _BUDGET,
    "When the limit was reached, or will be at today's pace; absent if that is after the period's end.",
    "seconds",
)
SPEND_BUDGET_PERIOD_START = _gauge(
    "spend_budget_period_start_timestamp_seconds", _BUDGET, "Start of the current period.", "seconds"
)
SPEND_BUDGET_PERIOD_END = _gauge(
    "spend_budget_period_end_timestamp_seconds", _BUDGET, "End of the current period.", "seconds"
)
SPEND_BUDGET_THRESHOLD_RATIO = _gauge(
    "spend_budget_threshold_ratio",
    (*_BUDGET, "severity", "basis"),
    "Alert threshold of the budget as a share of the limit, for its actual or forecast cost (basis).",
    "ratio",
)
SPEND_ALERT_THRESHOLD = _gauge(
    "spend_alert_threshold", ("name",), "Threshold of an alert rule, from the configuration key `alerts`."
)
_SPIKE: Final = ("provider", "service_name", "sku")

SPEND_SPIKE_USD = _gauge(
    "spend_spike_usd",
    _SPIKE,
    "Dollars above normal in the latest hour with enough data. `sku` is empty for the whole service.",
    "usd",
)
SPEND_SPIKE_HOUR_USD = _gauge("spend_spike_hour_usd", _SPIKE, "Cost of the hour of spend_spike_usd.", "usd")
SPEND_SPIKE_NORMAL_USD = _gauge(
    "spend_spike_normal_usd",
    _SPIKE,
    "Normal cost of the hour of spend_spike_usd: the median of the same hour on up to 14 earlier days.",
    "usd",
)
SPEND_SPIKE_SCORE = _gauge(
    "spend_spike_score", _SPIKE, "Distance from the normal cost, in scaled median absolute deviations."
)
SPEND_SPIKE_HOUR = _gauge(
    "spend_spike_hour_timestamp_seconds",
    ("provider", "service_name"),
    "Start of the hour of spend_spike_usd.",
    "seconds",
)
SPEND_SETTLED_DAY_USD = _gauge(
    "spend_settled_day_usd",
    ("provider", "service_name", "days_before"),
    "Billed net cost of the latest settled billing day (0), the day before it (1) and a week before it (7).",
    "usd",
)
SPEND_SETTLED_DAY_RECURRING_USD = _gauge(
    "spend_settled_day_recurring_usd",
    ("provider", "service_name"),
    "Cost that at least three of the 14 days before the latest settled day reached: cost of some days only.",
    "usd",
)
SPEND_FIGURE_SUCCESS = _gauge(
    "spend_figure_success",
    ("figure",),
    "1 if this part of the last snapshot could be computed, else 0. Metrics of a failed part are missing, or "
    "keep their last values until the hour ends.",
)
SPEND_FIGURE_DURATION = _gauge(
    "spend_figure_duration_seconds",
    ("figure",),
    "How long the last computation of this part of the snapshot took.",
    "seconds",
)
SPEND_EXPORTER_COST_USD_PER_MONTH = _gauge(
    "spend_exporter_cost_usd_per_month",
    (),
    "Monthly cost of the exporter's own reading of BigQuery and Cloud Monitoring, at the last day's pace.",
    "usd_per_month",
)

SPEND_SOURCE_UP = _gauge("spend_source_up", ("source",), "1 if the source's last refresh succeeded, else 0.")
SPEND_SOURCE_READ_WHOLE = _gauge(
    "spend_source_read_whole",
    ("source",),
    "1 if the source has been read to its end at least once, so that its figures are shown; else 0. Sums "
    "over sources are not shown until each source of a bill is 1, or has failed (spend_source_up 0).",
)
SPEND_SOURCE_LAST_SUCCESS = _gauge(
    "spend_source_last_success_timestamp_seconds",
    ("source",),
    "Time of the source's last successful refresh.",
    "seconds",
)
SPEND_SOURCE_REFRESH_DURATION = _gauge(
    "spend_source_refresh_duration_seconds",
    ("source",),
    "Duration of the source's last refresh.",
    "seconds",
)
SPEND_SOURCE_UPDATE_INTERVAL = _gauge(
    "spend_source_update_interval_seconds",
    ("source",),
    "Interval between refreshes of the source, without failures.",
    "seconds",
)
SPEND_SOURCE_ERRORS_TOTAL = _counter(
    "spend_source_errors_total", ("source", "reason"), "Failed refreshes and rows set aside, by reason."
)
SPEND_SOURCE_ROWS_TOTAL = _counter(
    "spend_source_rows_total", ("source",), "Rows read from the source, without rows set aside."
)
SPEND_SOURCE_REQUESTS_TOTAL = _counter(
    "spend_source_requests_total", ("source",), "Requests made to the source: API calls, or files opened."
)
SPEND_BIGQUERY_BILLED_BYTES_TOTAL = _counter(
    "spend_bigquery_billed_bytes_total",
    (),
    "Bytes that BigQuery billed for the exporter's own queries of the export.",
    "bytes",
)
SPEND_REMOTE_WRITE_SAMPLES_TOTAL = _counter(
    "spend_remote_write_samples_total",
    (),
    "Hourly and daily costs and corrections that the remote-write receiver has accepted.",
)
SPEND_REMOTE_WRITE_FAILURES_TOTAL = _counter(
    "spend_remote_write_failures_total",
    ("reason",),
    "Failed remote-write requests, and samples that the receiver refused, by reason.",
)
SPEND_REMOTE_WRITE_PENDING_SAMPLES = _gauge(
    "spend_remote_write_pending_samples",
    (),
    "Hourly and daily costs and corrections that are still to be sent, without refused ones.",
)
SPEND_REMOTE_WRITE_REFUSED_SAMPLES = _gauge(
    "spend_remote_write_refused_samples",
    (),
    "Hourly and daily costs and corrections that the receiver refused.",
)
SPEND_REMOTE_WRITE_DIFFERENCE_USD = _gauge(
    "spend_remote_write_difference_usd",
    (),
    "How far the store's sums are from what it acknowledged: over the last seven whole UTC days, the "
    "differences of each day and series without their signs. Compared daily, where `query_url` is set.",
    "usd",
)
SPEND_REMOTE_WRITE_COMPARED = _gauge(
    "spend_remote_write_compared_timestamp_seconds",
    (),
    "When the store was last compared with what it acknowledged.",
    "seconds",
)
SPEND_REMOTE_WRITE_SENT_THROUGH = _gauge(
    "spend_remote_write_sent_through_timestamp_seconds",
    (),
    "The receiver has everything that was billed at this time, except what it refused.",
    "seconds",
)
SPEND_SERIES_FOLDED = _gauge(
    "spend_series_folded", ("metric",), "Series that max_series adds up as `other`; their sum stays exact."
)
SPEND_EXPORTER_BUILD_INFO = _gauge(
    "spend_exporter_build_info", ("version", "python_version"), "Always 1; the labels have the versions."
)
SPEND_EXPORTER_SCRAPES_TOTAL = _counter(
    "spend_exporter_scrapes_total", ("code",), "Scrapes answered before this one, by HTTP status code."
)


def all_families() -> tuple[Family, ...]:
    """Return every family declared in this file, in the order of declaration."""
    return tuple(value for value in globals().values() if isinstance(value, Family))
