"""Metrics of live usage: Cloud Run's, then those of every metered service."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import counter, gauge

_RUN_SERVICE: Final = ("project_id", "region_id", "run_service")
_RUN_REVISION: Final = (*_RUN_SERVICE, "revision")
_AS_REPORTED = "{what}, from Cloud Monitoring."

SPEND_CLOUD_RUN_REQUESTS_TOTAL = counter(
    "spend_cloud_run_requests_total",
    (*_RUN_REVISION, "response_code_class"),
    _AS_REPORTED.format(what="Requests that reached an instance of a Cloud Run service"),
)
SPEND_CLOUD_RUN_CPU_SECONDS_TOTAL = counter(
    "spend_cloud_run_cpu_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="vCPU seconds allocated to a Cloud Run service"),
    "seconds",
)
SPEND_CLOUD_RUN_MEMORY_TOTAL = counter(
    "spend_cloud_run_memory_gibibyte_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Memory allocated to a Cloud Run service, in GiB seconds"),
    "gibibyte_seconds",
)
SPEND_CLOUD_RUN_BILLABLE_SECONDS_TOTAL = counter(
    "spend_cloud_run_billable_instance_seconds_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Billable instance time of a Cloud Run service"),
    "seconds",
)
SPEND_CLOUD_RUN_EGRESS_BYTES_TOTAL = counter(
    "spend_cloud_run_egress_bytes_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Bytes that a Cloud Run service sent"),
    "bytes",
)
SPEND_CLOUD_RUN_COLD_STARTS_TOTAL = counter(
    "spend_cloud_run_cold_starts_total",
    _RUN_REVISION,
    _AS_REPORTED.format(what="Instances that a Cloud Run service started"),
)
SPEND_CLOUD_RUN_ESTIMATED_USD_TOTAL = counter(
    "spend_cloud_run_estimated_usd_total",
    (*_RUN_REVISION, "component"),
    "Estimated cost of live usage, at the rates known when it was read; not billed yet.",
    "usd",
)
SPEND_CLOUD_RUN_COST_PER_REQUEST_USD = gauge(
    "spend_cloud_run_cost_per_request_usd",
    _RUN_SERVICE,
    "Estimated cost per request over the trailing hour; absent without requests.",
    "usd",
)
SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST = gauge(
    "spend_cloud_run_cpu_seconds_per_request",
    _RUN_SERVICE,
    "vCPU seconds allocated per request over the trailing hour; absent without requests.",
)
SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD = gauge(
    "spend_cloud_run_cost_per_cpu_second_usd",
    _RUN_SERVICE,
    "Estimated total cost of the service per vCPU second, over the trailing hour.",
    "usd",
)
SPEND_CLOUD_RUN_COLD_START_RATIO = gauge(
    "spend_cloud_run_cold_start_ratio",
    _RUN_SERVICE,
    "Instances started per request over the trailing hour; absent without requests.",
    "ratio",
)
SPEND_CLOUD_RUN_RATE_USD = gauge(
    "spend_cloud_run_rate_usd",
    ("project_id", "region_id", "component", "billing_mode", "basis"),
    "Rate used for estimates, per request, vCPU second, GiB second, GiB sent or idle instance second. "
    "Billing mode: request, instance, or empty where it makes no difference. "
    "Basis: billed (learned from the bill), list or rate_card.",
    "usd",
)
SPEND_CLOUD_RUN_INSTANCE_BASED_RATIO = gauge(
    "spend_cloud_run_instance_based_ratio",
    _RUN_SERVICE,
    "Share of the service's usage priced as instance-based: 0 or 1 where its billing mode is known, "
    "between them where it is not certain from bill and usage.",
    "ratio",
)

_METERED: Final = ("project_id", "region_id", "resource", "meter", "dimension")

SPEND_LIVE_COST_USD_PER_HOUR = gauge(
    "spend_live_cost_usd_per_hour",
    (*_METERED, "basis"),
    "Estimated cost of a resource's usage of one meter in the trailing hour.",
    "usd_per_hour",
)
SPEND_LIVE_UNIT_COST_USD = gauge(
    "spend_live_unit_cost_usd",
    (*_METERED, "unit"),
    "Estimated cost of one common unit: a request, a stored GiB month, a database vCPU hour.",
    "usd",
)
SPEND_USAGE_UNPRICED_RESOURCES = gauge(
    "spend_usage_unpriced_resources",
    ("project_id", "region_id", "meter"),
    "Resources whose live usage has no known rate; their cost is unknown, not zero.",
)
SPEND_USAGE_THROUGH = gauge(
    "spend_usage_through_timestamp_seconds",
    ("project_id", "meter"),
    "All usage of one meter in the project is known up to this time; of the meters in use.",
    "seconds",
)
SPEND_RATE_BILLED_THROUGH = gauge(
    "spend_rate_billed_through_timestamp_seconds",
    ("meter",),
    "Start of the latest billed day that a meter's rates were learned from.",
    "seconds",
)
SPEND_ESTIMATE_TO_BILLED_RATIO = gauge(
    "spend_estimate_to_billed_ratio",
    ("provider", "service_name"),
    "Live estimate over bill, for the SKUs that live usage covers, over settled days; 1 where they agree.",
    "ratio",
)
SPEND_ESTIMATE_EXPLAINED_RATIO = gauge(
    "spend_estimate_explained_ratio",
    ("provider", "service_name"),
    "Share of a service's bill in SKUs that live usage covers, over settled days.",
    "ratio",
)
SPEND_MONITORING_SERIES_RETURNED_TOTAL = counter(
    "spend_monitoring_series_returned_total",
    (),
    "Time series that Cloud Monitoring returned. Google bills these beyond a million per month.",
)
