"""Every metric family of the exporter, declared once: name, type, unit, labels, help.

A new metric is one declaration here; the metric reference and the exposition follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable
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
SPEND_CATEGORY_TODAY_USD = _gauge(
    "spend_category_today_usd",
    ("category",),
    "Billed net cost of today by category of cost_attribution; `unattributed` is what no rule matches.",
    "usd",
)
SPEND_CATEGORY_MONTH_TO_DATE_USD = _gauge(
    "spend_category_month_to_date_usd",
    ("category",),
    "Billed net cost of this month by category of cost_attribution; the sum is that of all charges.",
    "usd",
)
SPEND_LABEL_MONTH_TO_DATE_USD = _gauge(
    "spend_label_month_to_date_usd",
    ("label", "value"),
    "Billed net cost of this month by value of a label of the bill, for each of label_costs; `unlabelled` "
    "is what does not have it, `other` the values beyond the 100 that cost most.",
    "usd",
)
SPEND_UNIT_COST_USD = _gauge(
    "spend_unit_cost_usd",
    ("unit",),
    "Billed cost of yesterday of what a unit of unit_costs matches, for each of yesterday's units.",
    "usd",
)
SPEND_UNITS = _gauge(
    "spend_units",
    ("unit",),
    "Units of the user's own business that were counted yesterday, as the query of unit_costs says.",
)
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
SPEND_HOURLY_USD = _gauge(
    "spend_hourly_usd",
    ("provider", "project_id", "service_name", "charge_category"),
    "Billed net cost of one hour of usage, stamped with the hour's last second; history only: it comes by "
    "backfill or remote write and is never scraped.",
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
SPEND_BURN_RATE = _gauge(
    "spend_burn_rate_usd_per_hour",
    ("provider", "service_name"),
    "Estimated cost per hour now, of usage, purchases and their credits; no tax and no corrections.",
    "usd_per_hour",
)
SPEND_NOWCAST_TODAY_USD = _gauge(
    "spend_nowcast_today_usd",
    ("provider", "service_name", "basis"),
    "Today's cost so far: billed, and estimated to come on top of it; both sum to the best estimate.",
    "usd",
)
SPEND_NOWCAST_MONTH_TO_DATE_USD = _gauge(
    "spend_nowcast_month_to_date_usd",
    ("provider", "service_name", "basis"),
    "This month's cost so far: billed, and estimated to come on top of it; both sum to the best estimate.",
    "usd",
)
SPEND_FORECAST_DAY_USD = _gauge(
    "spend_forecast_day_usd",
    ("provider", "service_name"),
    "Estimated cost of the whole of today's billing day.",
    "usd",
)
SPEND_FORECAST_MONTH_END_USD = _gauge(
    "spend_forecast_month_end_usd",
    ("provider", "quantile"),
    "Estimated cost of the whole billing month; the quantiles follow from how far past forecasts were off.",
    "usd",
)
SPEND_NOWCAST_ERROR_RATIO = _gauge(
    "spend_nowcast_error_ratio",
    ("provider", "made_at"),
    "Signed error of past estimates of a whole day, made at that hour of the day, over its final bill.",
    "ratio",
)
SPEND_NOWCAST_ABSOLUTE_ERROR_RATIO = _gauge(
    "spend_nowcast_absolute_error_ratio",
    ("provider", "made_at"),
    "Mean size of the error of past estimates of a whole day, made at that hour, over its final bill.",
    "ratio",
)

_RUN_SERVICE: Final = ("project_id", "region_id", "run_service")
_RUN_REVISION: Final = (*_RUN_SERVICE, "revision")
_AS_REPORTED = "{what}, as Cloud Monitoring reports."

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
    _AS_REPORTED.format(what="Memory allocated to a Cloud Run service, GiB times seconds"),
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
    "Estimated cost of live usage, each amount at the rates in force when it was read; not billed yet.",
    "usd",
)
SPEND_CLOUD_RUN_COST_PER_REQUEST_USD = _gauge(
    "spend_cloud_run_cost_per_request_usd",
    _RUN_SERVICE,
    "Estimated cost of a request over the trailing hour; absent without requests.",
    "usd",
)
SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST = _gauge(
    "spend_cloud_run_cpu_seconds_per_request",
    _RUN_SERVICE,
    "vCPU seconds allocated for a request over the trailing hour; absent without requests.",
)
SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD = _gauge(
    "spend_cloud_run_cost_per_cpu_second_usd",
    _RUN_SERVICE,
    "Estimated cost of everything the service used for each vCPU second, over the trailing hour.",
    "usd",
)
SPEND_CLOUD_RUN_COLD_START_RATIO = _gauge(
    "spend_cloud_run_cold_start_ratio",
    _RUN_SERVICE,
    "Instances started for one request over the trailing hour; absent without requests.",
    "ratio",
)
SPEND_CLOUD_RUN_RATE_USD = _gauge(
    "spend_cloud_run_rate_usd",
    ("project_id", "region_id", "component", "basis"),
    "Rate that estimates are made with, per request, vCPU second, GiB second, GiB sent or idle instance "
    "second; basis: billed (learnt from the bill), list, rate_card.",
    "usd",
)

_METERED: Final = ("project_id", "region_id", "resource", "meter", "dimension")

SPEND_LIVE_COST_USD_PER_HOUR = _gauge(
    "spend_live_cost_usd_per_hour",
    (*_METERED, "basis"),
    "Estimated cost of what a resource used of one meter in the trailing hour.",
    "usd_per_hour",
)
SPEND_LIVE_UNIT_COST_USD = _gauge(
    "spend_live_unit_cost_usd",
    (*_METERED, "unit"),
    "Estimated cost of one unit that people count in: a request, a stored GiB, a database hour.",
    "usd",
)
SPEND_USAGE_UNPRICED_RESOURCES = _gauge(
    "spend_usage_unpriced_resources",
    ("project_id", "region_id", "meter"),
    "Resources with live usage that no rate was found for; their cost is unknown, not zero.",
)
SPEND_USAGE_THROUGH = _gauge(
    "spend_usage_through_timestamp_seconds",
    ("project_id",),
    "Up to here all live usage of the project is known, of the meters that it uses.",
    "seconds",
)
SPEND_RATE_BILLED_THROUGH = _gauge(
    "spend_rate_billed_through_timestamp_seconds",
    ("meter",),
    "Start of the latest day of the bill that a meter's rates were learnt from.",
    "seconds",
)
SPEND_ESTIMATE_TO_BILLED_RATIO = _gauge(
    "spend_estimate_to_billed_ratio",
    ("provider", "service_name"),
    "Live estimate over bill, of the SKUs that live usage explains, over settled days; 1 where they agree.",
    "ratio",
)
SPEND_ESTIMATE_EXPLAINED_RATIO = _gauge(
    "spend_estimate_explained_ratio",
    ("provider", "service_name"),
    "Share of a service's bill whose SKUs live usage explains, over settled days.",
    "ratio",
)
SPEND_MONITORING_SERIES_RETURNED_TOTAL = _counter(
    "spend_monitoring_series_returned_total",
    (),
    "Time series that Cloud Monitoring returned: reading them is billed beyond a million a month.",
)

_MODEL: Final = ("provider", "model")
_BILLED_MODEL: Final = ("provider", "project_id", "model")
_PROXY: Final = ("provider", "team", "key_alias", "model")

SPEND_LLM_TOKENS_TOTAL = _counter(
    "spend_llm_tokens_total",
    (*_MODEL, "token_type"),
    "Tokens used, by type: input, cache_read, cache_write, output; each token is in one of them.",
)
SPEND_LLM_REQUESTS_TOTAL = _counter(
    "spend_llm_requests_total",
    _MODEL,
    "Requests to language models, where the provider or the log tells them.",
)
SPEND_LLM_ESTIMATED_USD_TOTAL = _counter(
    "spend_llm_estimated_usd_total",
    _MODEL,
    "Cost of the usage at list prices, or as the log says; not what was billed.",
    "usd",
)
SPEND_LLM_UNPRICED_TOKENS_TOTAL = _counter(
    "spend_llm_unpriced_tokens_total",
    _MODEL,
    "Tokens without a known price: of an unknown model, service tier or kind. Their cost is unknown, not 0.",
)
SPEND_LLM_TODAY_USD = _gauge(
    "spend_llm_today_usd",
    _BILLED_MODEL,
    "Billed net cost of language models today; part of spend_today_usd, never on top of it.",
    "usd",
)
SPEND_LLM_MONTH_TO_DATE_USD = _gauge(
    "spend_llm_month_to_date_usd",
    _BILLED_MODEL,
    "Billed net cost of language models this month; part of spend_month_to_date_usd, never on top of it.",
    "usd",
)
SPEND_LLM_PROXY_USD_TOTAL = _counter(
    "spend_llm_proxy_usd_total",
    _PROXY,
    "Cost of the calls through the proxy as the proxy reckons it: who used what, never part of a total.",
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
    "What the proxy reckons over what was billed, over settled days: the share of the bill it can explain.",
    "ratio",
)

_RECOMMENDATION: Final = ("provider", "project_id", "recommender", "resource", "region_id")

SPEND_IDLE_INSTANCES = _gauge(
    "spend_idle_instances",
    ("project_id", "region_id"),
    "Compute Engine instances that used less than 3 % of their CPU over days; 0 where all known ones work.",
)
SPEND_RECOMMENDATION_SAVINGS = _gauge(
    "spend_recommendation_savings_usd_per_month",
    _RECOMMENDATION,
    "What a mean month would cost less; `recommender` is Google's, or begins with `spend_exporter/`. "
    "One resource is not counted twice.",
    "usd_per_month",
)
SPEND_RECOMMENDATION_INFO = _gauge(
    "spend_recommendation_info",
    (*_RECOMMENDATION, "advice"),
    "1, with the sentence that says what was found and what to do; also where the dollars are not known.",
)

_BUDGET: Final = ("budget", "period")

SPEND_BUDGET_LIMIT_USD = _gauge("spend_budget_limit_usd", _BUDGET, "What may be spent in the period.", "usd")
SPEND_BUDGET_USED_USD = _gauge(
    "spend_budget_used_usd",
    _BUDGET,
    "Cost of the period so far: billed, and estimated to come on top of it.",
    "usd",
)
SPEND_BUDGET_BILLED_USD = _gauge(
    "spend_budget_billed_usd",
    _BUDGET,
    "Billed part of spend_budget_used_usd; with tax and corrections, and net of credits unless the budget "
    "does not count them.",
    "usd",
)
SPEND_BUDGET_ESTIMATED_USD = _gauge(
    "spend_budget_estimated_usd",
    _BUDGET,
    "Part of spend_budget_used_usd that is spent and not in the bill yet; 0 while nothing is estimated.",
    "usd",
)
SPEND_BUDGET_SERVICE_USED_USD = _gauge(
    "spend_budget_service_used_usd",
    (*_BUDGET, "provider", "service_name"),
    "Cost of the period so far by service; the sum is spend_budget_used_usd.",
    "usd",
)
SPEND_BUDGET_REMAINING_USD = _gauge(
    "spend_budget_remaining_usd", _BUDGET, "Limit less what is used; negative once it is passed.", "usd"
)
SPEND_BUDGET_USED_RATIO = _gauge(
    "spend_budget_used_ratio", _BUDGET, "What is used over the limit; 1 is all of it.", "ratio"
)
SPEND_BUDGET_EXPECTED_RATIO = _gauge(
    "spend_budget_expected_ratio",
    _BUDGET,
    "Share of the period's usual spending that falls before now, by the season of these charges.",
    "ratio",
)
SPEND_BUDGET_FORECAST_USD = _gauge(
    "spend_budget_forecast_usd", _BUDGET, "Best estimate of what the whole period will cost.", "usd"
)
SPEND_BUDGET_FORECAST_QUANTILE_USD = _gauge(
    "spend_budget_forecast_quantile_usd",
    (*_BUDGET, "quantile"),
    "What the whole period will cost less than, with that probability.",
    "usd",
)
SPEND_BUDGET_EXHAUSTED = _gauge(
    "spend_budget_exhausted_timestamp_seconds",
    _BUDGET,
    "When the limit is, or was, reached at today's pace; absent when that is not within the period.",
    "seconds",
)
SPEND_BUDGET_PERIOD_START = _gauge(
    "spend_budget_period_start_timestamp_seconds", _BUDGET, "Start of the present period.", "seconds"
)
SPEND_BUDGET_PERIOD_END = _gauge(
    "spend_budget_period_end_timestamp_seconds", _BUDGET, "End of the present period.", "seconds"
)
SPEND_BUDGET_THRESHOLD_RATIO = _gauge(
    "spend_budget_threshold_ratio",
    (*_BUDGET, "severity", "basis"),
    "Share of the limit from which on somebody is told, of what is used (actual) or forecast.",
    "ratio",
)
SPEND_ALERT_THRESHOLD = _gauge(
    "spend_alert_threshold", ("name",), "What rules compare with, from the configuration key alerts."
)
_SPIKE: Final = ("provider", "service_name", "sku")

SPEND_SPIKE_USD = _gauge(
    "spend_spike_usd",
    _SPIKE,
    "Dollars above normal in the latest hour that can be judged; sku is empty for the whole service.",
    "usd",
)
SPEND_SPIKE_HOUR_USD = _gauge("spend_spike_hour_usd", _SPIKE, "What that hour cost.", "usd")
SPEND_SPIKE_NORMAL_USD = _gauge(
    "spend_spike_normal_usd", _SPIKE, "Median cost of the same hour of up to 14 earlier days.", "usd"
)
SPEND_SPIKE_SCORE = _gauge(
    "spend_spike_score", _SPIKE, "Distance from normal in scaled median absolute deviations."
)
SPEND_SPIKE_HOUR = _gauge(
    "spend_spike_hour_timestamp_seconds",
    ("provider", "service_name"),
    "Start of the hour that is judged.",
    "seconds",
)
SPEND_SETTLED_DAY_USD = _gauge(
    "spend_settled_day_usd",
    ("provider", "service_name", "days_before"),
    "Billed net cost of the newest settled billing day (0), the day before it (1) and a week before it (7).",
    "usd",
)
SPEND_SETTLED_DAY_RECURRING_USD = _gauge(
    "spend_settled_day_recurring_usd",
    ("provider", "service_name"),
    "What three of the 14 billing days before the newest settled one reached: cost that comes on some days.",
    "usd",
)
SPEND_FIGURE_SUCCESS = _gauge(
    "spend_figure_success",
    ("figure",),
    "Whether this part of the last snapshot could be computed (1) or not (0). What depends on a failed part "
    "is missing, or stays as it was until the hour ends.",
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
    "What the exporter's own reading of BigQuery and Cloud Monitoring costs, at the pace of the last day.",
    "usd_per_month",
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
SPEND_SOURCE_UPDATE_INTERVAL = _gauge(
    "spend_source_update_interval_seconds",
    ("source",),
    "How often the source is refreshed, while nothing fails.",
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
SPEND_REMOTE_WRITE_SAMPLES_TOTAL = _counter(
    "spend_remote_write_samples_total",
    (),
    "Hourly costs and corrections of them that the receiver of remote write has taken.",
)
SPEND_REMOTE_WRITE_FAILURES_TOTAL = _counter(
    "spend_remote_write_failures_total",
    ("reason",),
    "Failed requests of remote write, and samples that the receiver refused, by reason.",
)
SPEND_REMOTE_WRITE_PENDING_SAMPLES = _gauge(
    "spend_remote_write_pending_samples",
    (),
    "Hourly costs and corrections that the receiver is still to get, without those that it refused.",
)
SPEND_REMOTE_WRITE_REFUSED_SAMPLES = _gauge(
    "spend_remote_write_refused_samples",
    (),
    "Hourly costs and corrections that the receiver refused and does not have.",
)
SPEND_REMOTE_WRITE_SENT_THROUGH = _gauge(
    "spend_remote_write_sent_through_timestamp_seconds",
    (),
    "All that was known of the bill at this time is at the receiver, but for what it refused.",
    "seconds",
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
