"""Rules that every declared metric family keeps, and the contract on which dashboards and rules build."""

import re
import subprocess
from pathlib import Path

import pytest

from exporter.core.charges import CHARGE_LABELS
from exporter.metrics import families as metrics
from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import Family, FamilySamples, all_families
from tests.support.programs import needs

FAMILIES = all_families()
TARGET_LABELS = {"region", "zone", "cluster", "service", "environment", "instance", "job"}
UNITS = ("gibibyte_seconds", "usd_per_hour", "usd_per_month", "usd", "seconds", "bytes", "ratio")
"""The longer ones first: `gibibyte_seconds` is not `seconds`."""

SCOPE = ("provider", "billing_account_id", "service_name")
CLOUD_RUN = ("project_id", "region_id", "run_service")
REVISION = (*CLOUD_RUN, "revision")
BUDGET = ("budget", "period")

CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "spend_today_usd": ("gauge", CHARGE_LABELS),
    "spend_yesterday_usd": ("gauge", CHARGE_LABELS),
    "spend_month_to_date_usd": ("gauge", CHARGE_LABELS),
    "spend_last_month_usd": ("gauge", CHARGE_LABELS),
    "spend_billed_usd_total": ("counter", CHARGE_LABELS),
    "spend_billed_credit_usd_total": ("counter", CHARGE_LABELS),
    "spend_invoice_month_cost": (
        "gauge",
        ("billing_account_id", "invoice_month", "currency", "charge_category"),
    ),
    "spend_billed_through_timestamp_seconds": ("gauge", SCOPE),
    "spend_billed_since_timestamp_seconds": ("gauge", SCOPE[:2]),
    "spend_period_partial": ("gauge", ("provider", "period")),
    "spend_budget_partial": ("gauge", BUDGET),
    "spend_export_last_timestamp_seconds": ("gauge", SCOPE),
    "spend_restated_usd_total": ("counter", ("provider", "direction")),
    "spend_burn_rate_usd_per_hour": ("gauge", ("provider", "service_name")),
    "spend_nowcast_today_usd": ("gauge", ("provider", "service_name", "basis")),
    "spend_forecast_day_end_usd": ("gauge", ("provider", "quantile")),
    "spend_forecast_month_end_usd": ("gauge", ("provider", "quantile")),
    "spend_nowcast_error_ratio": ("gauge", ("provider", "made_at")),
    "spend_cloud_run_requests_total": ("counter", (*REVISION, "response_code_class")),
    "spend_cloud_run_cpu_seconds_total": ("counter", REVISION),
    "spend_cloud_run_memory_gibibyte_seconds_total": ("counter", REVISION),
    "spend_cloud_run_billable_instance_seconds_total": ("counter", REVISION),
    "spend_cloud_run_egress_bytes_total": ("counter", REVISION),
    "spend_cloud_run_cold_starts_total": ("counter", REVISION),
    "spend_cloud_run_estimated_usd_total": ("counter", (*REVISION, "component")),
    "spend_cloud_run_cost_per_request_usd": ("gauge", CLOUD_RUN),
    "spend_cloud_run_cpu_seconds_per_request": ("gauge", CLOUD_RUN),
    "spend_cloud_run_cost_per_cpu_second_usd": ("gauge", CLOUD_RUN),
    "spend_cloud_run_cold_start_ratio": ("gauge", CLOUD_RUN),
    "spend_cloud_run_rate_usd": (
        "gauge",
        ("project_id", "region_id", "component", "billing_mode", "basis"),
    ),
    "spend_cloud_run_instance_based_ratio": ("gauge", ("project_id", "region_id", "run_service")),
    "spend_live_cost_usd_per_hour": (
        "gauge",
        ("project_id", "region_id", "resource", "meter", "dimension", "basis"),
    ),
    "spend_live_unit_cost_usd": (
        "gauge",
        ("project_id", "region_id", "resource", "meter", "dimension", "unit"),
    ),
    "spend_usage_unpriced_resources": ("gauge", ("project_id", "region_id", "meter")),
    "spend_usage_through_timestamp_seconds": ("gauge", ("project_id", "meter")),
    "spend_rate_billed_through_timestamp_seconds": ("gauge", ("meter",)),
    "spend_estimate_to_billed_ratio": ("gauge", ("provider", "service_name")),
    "spend_estimate_explained_ratio": ("gauge", ("provider", "service_name")),
    "spend_monitoring_series_returned_total": ("counter", ()),
    "spend_llm_tokens_total": ("counter", ("provider", "model", "token_type")),
    "spend_llm_requests_total": ("counter", ("provider", "model")),
    "spend_llm_estimated_usd_total": ("counter", ("provider", "model")),
    "spend_llm_unpriced_tokens_total": ("counter", ("provider", "model")),
    "spend_category_today_usd": ("gauge", ("category",)),
    "spend_category_month_to_date_usd": ("gauge", ("category",)),
    "spend_budget_limit_usd": ("gauge", BUDGET),
    "spend_budget_used_usd": ("gauge", BUDGET),
    "spend_budget_remaining_usd": ("gauge", BUDGET),
    "spend_budget_used_ratio": ("gauge", BUDGET),
    "spend_budget_expected_ratio": ("gauge", BUDGET),
    "spend_budget_forecast_usd": ("gauge", BUDGET),
    "spend_recommendation_savings_usd_per_month": (
        "gauge",
        ("provider", "project_id", "recommender", "resource", "region_id"),
    ),
    "spend_idle_instances": ("gauge", ("project_id", "region_id")),
    "spend_source_up": ("gauge", ("source",)),
    "spend_source_last_success_timestamp_seconds": ("gauge", ("source",)),
    "spend_source_refresh_duration_seconds": ("gauge", ("source",)),
    "spend_source_errors_total": ("counter", ("source", "reason")),
    "spend_source_rows_total": ("counter", ("source",)),
    "spend_source_requests_total": ("counter", ("source",)),
    "spend_bigquery_billed_bytes_total": ("counter", ()),
    "spend_series_folded": ("gauge", ("metric",)),
    "spend_exporter_build_info": ("gauge", ("version", "python_version")),
    "spend_hourly_usd": ("gauge", ("provider", "project_id", "service_name", "charge_category")),
    "spend_daily_usd": ("gauge", ("provider", "project_id", "service_name", "charge_category")),
}
"""Names, types and labels that users were promised. A release never changes them silently."""

FROM_THE_BILL = {
    *list(CONTRACT)[: list(CONTRACT).index("spend_burn_rate_usd_per_hour")],
    *(name for name in CONTRACT if name.startswith(("spend_source_", "spend_bigquery_"))),
    "spend_series_folded",
    "spend_exporter_build_info",
}
FROM_LIVE_USAGE = {
    name
    for name in CONTRACT
    if name.startswith(
        (
            "spend_cloud_run_",
            "spend_live_",
            "spend_usage_",
            "spend_rate_",
            "spend_estimate_",
            "spend_monitoring_",
        )
    )
}

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def stem(family: Family) -> str:
    return family.name.removesuffix("_total")


@every_family
def test_a_name_is_snake_case_and_says_whose_it_is(family: Family) -> None:
    assert re.fullmatch(r"spend(_[a-z0-9]+)+", family.name)


@every_family
def test_counters_and_only_they_end_in_total(family: Family) -> None:
    assert (family.type == "counter") == family.name.endswith("_total")


@every_family
def test_a_name_ends_with_its_unit_and_a_unit_in_a_name_is_declared(family: Family) -> None:
    ending = next((unit for unit in UNITS if stem(family).endswith(f"_{unit}")), "")
    assert family.unit == ending


@every_family
def test_labels_are_distinct_snake_case_words_that_no_target_carries(family: Family) -> None:
    assert len(set(family.labels)) == len(family.labels)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", label) for label in family.labels)
    assert not TARGET_LABELS & set(family.labels)


@every_family
def test_help_is_one_line_of_sentences(family: Family) -> None:
    assert re.fullmatch(r"(vCPU |[A-Z0-9]).*\.", family.help)


def test_no_family_is_declared_twice() -> None:
    names = [stem(family) for family in FAMILIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted(CONTRACT.keys() & {family.name for family in FAMILIES}))
def test_what_is_declared_is_as_promised(name: str) -> None:
    [family] = [family for family in FAMILIES if family.name == name]
    kind, labels = CONTRACT[name]
    assert family.type == kind
    assert sorted(family.labels) == sorted(labels)


def test_all_that_comes_from_the_bill_is_declared() -> None:
    assert {family.name for family in FAMILIES} >= FROM_THE_BILL


def test_all_that_comes_from_live_usage_is_declared() -> None:
    assert len(FROM_LIVE_USAGE) > 15
    assert {family.name for family in FAMILIES} >= FROM_LIVE_USAGE


def test_every_declaration_of_every_theme_is_listed_in_order() -> None:
    package = Path(metrics.__file__)
    files = {path.stem: path.read_text(encoding="utf-8") for path in package.parent.glob("*.py")}
    themes = re.findall(
        r"^from exporter\.metrics\.families\.(\w+) import \*", files["__init__"], re.MULTILINE
    )
    assert sorted(themes) == sorted(files.keys() - {"__init__", "declaration"})
    source = "".join(files[theme] for theme in themes)
    declared = re.findall(r"^(\w+)[^=\n]* = (?:gauge|counter|Family)\(", source, re.MULTILINE)
    assert len(declared) > 20
    assert [getattr(metrics, name) for name in declared] == list(FAMILIES)


@needs("promtool", "prometheus")
def test_promtool_has_nothing_to_say_about_any_declaration() -> None:
    samples = [FamilySamples(family, [(("x",) * len(family.labels), 1.0)]) for family in FAMILIES]
    lint = subprocess.run(
        ["promtool", "check", "metrics"],
        input=render(samples).text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=30,
    )
    assert lint.stdout == b""
    assert lint.returncode == 0
