"""Every rule is valid, tested, explained, and made of series and thresholds that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from exporter.metrics import all_families
from tests.prometheus.rule_files import (
    CASE_FILES,
    RULE_FILES,
    Case,
    Rule,
    read_cases,
    read_rules,
    recorded_in_cases,
)

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed")

RULES: Final = read_rules()
ALERTS: Final = [rule for rule in RULES if rule.alerting]
RECORDS: Final = [rule for rule in RULES if not rule.alerting]
CASES: Final = read_cases()

KINDS: Final = (
    "fires",
    "does not fire",
    "boundary",
    "source stale or absent",
    "month rollover",
    "downward restatement",
    "credits-only day",
)
_COUNTER = "A counter neither restarts with the month nor falls, and knows usage at list prices alone."
_UNBILLED = "Its figures are of live usage in the last hour: neither a month nor a bill is in them."
_ADVICE = "A finding of what is not used: neither a month's sum nor a credit is in it."
_NO_MONEY = "It judges when something was last heard of, and no money."
WITHOUT_MEANING: Final[dict[tuple[str, str], str]] = {
    ("SpendBudgetForecastExceeded", "credits-only day"): (
        "A credit lowers the forecast, which is the case of a downward restatement."
    ),
    **{
        (alert, kind): why
        for alerts, kinds, why in (
            (
                ("SpendLlmModelRunningAway", "SpendLlmKeyRunningAway", "SpendLlmUnpricedTokens"),
                ("month rollover", "downward restatement", "credits-only day"),
                _COUNTER,
            ),
            (("SpendCloudRunCostPerRequestUp",), ("month rollover", "credits-only day"), _UNBILLED),
            (
                ("SpendCloudRunColdStarts",),
                ("month rollover", "downward restatement", "credits-only day"),
                _UNBILLED,
            ),
            (("SpendSavingsFound",), ("month rollover", "credits-only day"), _ADVICE),
            (
                ("SpendIdleInstances",),
                ("month rollover", "downward restatement", "credits-only day"),
                _ADVICE,
            ),
            (
                ("SpendExporterDown", "SpendSourceFailing"),
                ("month rollover", "downward restatement", "credits-only day"),
                _NO_MONEY,
            ),
            (("SpendBillStale",), ("downward restatement", "credits-only day"), _NO_MONEY),
            (
                ("SpendNowcastDrifting",),
                ("month rollover",),
                "It judges settled days, whichever their month.",
            ),
            (
                ("SpendWatchingTooDear",),
                ("month rollover", "downward restatement", "credits-only day"),
                "It follows the reads of the last day, not a bill.",
            ),
        )
        for alert in alerts
        for kind in kinds
    },
}

DASHBOARDS: Final = {
    "spend-overview",
    "spend-gcp",
    "spend-cloud-run",
    "spend-llm",
    "spend-budgets",
    "spend-exporter",
}
CATEGORIES: Final = {"budget", "spike", "attribution", "llm", "efficiency", "savings", "trust"}

_BUDGET = ("budget", "period")
_SPIKE = ("provider", "service_name", "sku")
_ADVISED = ("provider", "project_id", "recommender", "resource", "region_id")
TO_BE_DECLARED: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "spend_budget_limit_usd",
            "spend_budget_used_usd",
            "spend_budget_billed_usd",
            "spend_budget_estimated_usd",
            "spend_budget_remaining_usd",
            "spend_budget_used_ratio",
            "spend_budget_expected_ratio",
            "spend_budget_forecast_usd",
            "spend_budget_exhausted_timestamp_seconds",
            "spend_budget_period_start_timestamp_seconds",
            "spend_budget_period_end_timestamp_seconds",
        ),
        _BUDGET,
    ),
    "spend_budget_forecast_quantile_usd": (*_BUDGET, "quantile"),
    "spend_budget_threshold_ratio": (*_BUDGET, "severity", "basis"),
    "spend_budget_service_used_usd": (*_BUDGET, "provider", "service_name"),
    **dict.fromkeys(
        ("spend_spike_usd", "spend_spike_hour_usd", "spend_spike_normal_usd", "spend_spike_score"), _SPIKE
    ),
    "spend_spike_hour_timestamp_seconds": ("provider", "service_name"),
    "spend_settled_day_usd": ("provider", "service_name", "days_before"),
    "spend_alert_threshold": ("name",),
    "spend_watching_usd_per_month": (),
    "spend_idle_instances": ("project_id", "region_id"),
    "spend_recommendation_savings_usd_per_month": _ADVISED,
    "spend_recommendation_info": (*_ADVISED, "advice"),
    "spend_source_update_interval_seconds": ("source",),
}
"""Families that the rules rely on and exporter/metrics.py does not declare yet."""

THRESHOLDS: Final = {
    "bill_stale_seconds": 129600,
    "burn_ratio_1d": 3,
    "burn_ratio_3d": 1.5,
    "burn_ratio_6h": 6,
    "cold_start_ratio": 0.05,
    "cold_start_requests_per_hour": 100,
    "cost_per_request_increase_ratio": 0.5,
    "cost_per_request_increase_usd_per_hour": 0.1,
    "day_jump_ratio": 0.5,
    "day_jump_usd": 20,
    "hourly_spike_usd": 10,
    "idle_instances": 1,
    "llm_increase_ratio": 2,
    "llm_key_usd_per_hour": 10,
    "llm_model_usd_per_hour": 10,
    "llm_unpriced_tokens": 10000,
    "nowcast_drift_ratio": 0.1,
    "nowcast_drift_usd_per_day": 5,
    "pacing_lead_ratio": 0.05,
    "pacing_ratio": 1.2,
    "quiet_period_ratio": 0.15,
    "savings_usd_per_month": 10,
    "source_stale_seconds": 7200,
    "spike_score": 6,
    "unattributed_ratio": 0.2,
    "unattributed_usd": 10,
    "watching_usd_per_month": 20,
}
"""Names of spend_alert_threshold, which are keys of `alerts` in the configuration, with their defaults."""

OF_THE_TARGET: Final = {"job", "instance"}


@cache
def known_labels() -> dict[str, set[str]]:
    """Labels of every series that a rule may ask for."""
    known = {family.name: set(family.labels) for family in all_families()}
    known |= {name: set(labels) for name, labels in TO_BE_DECLARED.items() if name not in known}
    known["up"] = set()
    for record in RECORDS:
        inputs = set[str]().union(*(known.get(name, set()) for name in record.metrics()))
        by = re.search(r"\bby \(([^)]*)\)", record.expr)
        known[record.name] = {label.strip() for label in by[1].split(",")} if by else inputs
    return {name: labels | OF_THE_TARGET for name, labels in known.items()}


def cases_of(alert: Rule, kind: str) -> list[Case]:
    return [case for case in CASES if case.alert == alert.name and kind in case.kinds]


def by_name(rule: Rule) -> str:
    return rule.name


@needs_promtool
def test_promtool_has_nothing_to_say_about_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", "--lint-fatal", *RULE_FILES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
@pytest.mark.parametrize("cases", CASE_FILES, ids=lambda path: path.stem)
def test_the_rules_do_what_their_cases_say(cases: Path) -> None:
    tested = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
@pytest.mark.parametrize("kind", KINDS)
def test_every_alert_has_a_case_of_every_kind_or_a_reason_why_not(alert: Rule, kind: str) -> None:
    assert bool(cases_of(alert, kind)) != ((alert.name, kind) in WITHOUT_MEANING), (alert.name, kind)


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_the_cases_of_an_alert_show_it_firing_and_not(alert: Rule) -> None:
    assert any(case.expected for case in cases_of(alert, "fires"))
    assert any(not case.expected for case in cases_of(alert, "does not fire"))
    for each in (one for case in cases_of(alert, "fires") for one in case.expected):
        assert each["exp_annotations"].keys() == alert.annotations.keys()


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_is_tested_with_and_without_addresses_of_the_users_own(alert: Rule) -> None:
    told = {case.external_labels for case in CASES if case.alert == alert.name and case.expected}
    assert told == {True, False}


def test_no_case_and_no_reason_is_of_an_alert_that_does_not_exist() -> None:
    names = {alert.name for alert in ALERTS}
    assert {case.alert for case in CASES} == names
    assert {kind for case in CASES for kind in case.kinds} == set(KINDS)
    assert {name for name, _ in WITHOUT_MEANING} <= names


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_the_value_of_every_recording_rule_is_tested(record: Rule) -> None:
    assert re.search(rf"(?<![\w:]){re.escape(record.name)}(?![\w:])", recorded_in_cases())
    assert re.fullmatch(r"[a-z_]+:spend_[a-z_]+:[a-z0-9_]+", record.name)


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_is_labelled_and_explained(alert: Rule) -> None:
    assert re.fullmatch(r"Spend(?:[A-Z][a-z]+)+", alert.name)
    assert alert.labels["category"] in CATEGORIES
    if "severity" in alert.labels:
        assert alert.labels["severity"] in {"critical", "warning", "info"}
    else:
        assert "severity" in known_labels()["spend_budget_threshold_ratio"]
        assert "group_right () spend_budget_threshold_ratio" in alert.expr
    assert alert.annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in alert.annotations["summary"]
    assert alert.annotations["runbook_url"].endswith(f'/docs/runbooks" }}}}/{alert.name}.md')
    assert alert.annotations["dashboard_url"].rpartition("/d/")[2] in DASHBOARDS


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_rule_asks_only_for_series_and_labels_that_exist(rule: Rule) -> None:
    known = known_labels()
    asked = rule.metrics()
    assert asked
    assert asked <= known.keys(), f"unknown series: {sorted(asked - known.keys())}"
    for metric, label in rule.matched():
        assert label in known[metric], f"{metric} has no label {label}"
    labels = set[str]().union(*(known[name] for name in asked))
    assert rule.grouped() <= labels, f"unknown labels: {sorted(rule.grouped() - labels)}"


def test_the_list_of_families_to_be_declared_holds_none_that_is() -> None:
    declared = {family.name for family in all_families()}
    print(f"not declared yet: {', '.join(sorted(TO_BE_DECLARED.keys() - declared)) or 'none'}")  # noqa: T201
    assert sorted(TO_BE_DECLARED.keys() & declared) == [], "declared now: take these off TO_BE_DECLARED"


def test_every_threshold_is_used_and_none_is_unknown() -> None:
    assert set[str]().union(*(rule.thresholds() for rule in RULES)) == THRESHOLDS.keys()
    compared = [rule.name for rule in ALERTS if not rule.thresholds()]
    assert compared == ["SpendBudgetThresholdReached", "SpendExporterDown"]
