"""Every rule is valid, tested and explained, and uses only series and thresholds that exist."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from exporter.config.budgets import Alerts
from exporter.metrics.families import all_families
from tests.prometheus.rule_files import (
    CASE_FILES,
    RULE_FILES,
    Case,
    Rule,
    read_cases,
    read_rules,
    recorded_in_cases,
)
from tests.support.programs import needs

pytestmark = pytest.mark.slow

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
_COUNTER = "A counter neither restarts with the month nor falls, and it has only usage at list prices."
_UNBILLED = "It uses live usage of the last hour, which has neither a month nor a bill."
_ADVICE = "It uses findings of unused resources, which have neither a month's total nor a credit."
_NO_MONEY = "It depends on when or whether something worked, and on no amount of money."
WITHOUT_MEANING: Final[dict[tuple[str, str], str]] = {
    ("SpendBudgetForecastExceeded", "credits-only day"): (
        "A credit lowers the forecast, as a downward restatement does, and that has a case."
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
                (
                    *("SpendExporterDown", "SpendSourceFailing", "SpendFigureFailed"),
                    *("SpendHistoryIncomplete", "SpendReportNotSent"),
                    *("SpendDiskFull", "SpendLedgerReplaced"),
                    *("SpendFileUnreadable", "SpendConfigNotTakenOver"),
                ),
                ("month rollover", "downward restatement", "credits-only day"),
                _NO_MONEY,
            ),
            (("SpendLedgerReplaced",), ("boundary",), "It compares with nothing: there is a time, or none."),
            (("SpendBillStale",), ("downward restatement", "credits-only day"), _NO_MONEY),
            (
                ("SpendRetractionWithheld",),
                ("month rollover", "credits-only day"),
                "The exporter judges months and credits before it withholds; the metric is their outcome.",
            ),
            (
                ("SpendNowcastDrifting",),
                ("month rollover",),
                "It compares settled days, in whatever month they are.",
            ),
            (
                ("SpendExporterCostHigh",),
                ("month rollover", "downward restatement", "credits-only day"),
                "It depends on the reads of the last day, not on a bill.",
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

THRESHOLDS: Final[dict[str, float]] = Alerts().model_dump()
"""Names of spend_alert_threshold, which are keys of `alerts` in the configuration, with their defaults."""

OF_THE_TARGET: Final = {"job", "instance"}


@cache
def known_labels() -> dict[str, set[str]]:
    """Labels of every series that a rule may use."""
    known = {family.name: set(family.labels) for family in all_families()}
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


@needs("promtool", "prometheus")
def test_promtool_finds_no_problem_in_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", "--lint-fatal", *RULE_FILES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


HEAVY_CASES = ("budgets_over_days", "budgets", "language_models", "recording", "spikes")
"""Each takes promtool seconds of work."""


@needs("promtool", "prometheus")
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(path, marks=[pytest.mark.slow] if path.stem in HEAVY_CASES else [], id=path.stem)
        for path in CASE_FILES
    ],
)
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
def test_an_alert_is_tested_with_and_without_the_users_own_addresses(alert: Rule) -> None:
    tested = {case.external_labels for case in CASES if case.alert == alert.name and case.expected}
    assert tested == {True, False}


def test_every_case_and_every_reason_belongs_to_an_existing_alert() -> None:
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
        assert re.search(
            r"group_right \(\) max by \([a-z, ]*severity[a-z, ]*\) \(spend_budget_threshold_ratio", alert.expr
        )
    assert alert.annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in alert.annotations["summary"]
    assert alert.annotations["runbook_url"].endswith(f'/docs/runbooks" }}}}/{alert.name}.md')
    assert alert.annotations["dashboard_url"].rpartition("/d/")[2] in DASHBOARDS


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_rule_does_not_mind_another_instance_of_the_exporter(rule: Rule) -> None:
    """A comparison with an hour ago finds no pair after a pod was replaced, and a join finds two."""
    by_target = {"instance", "pod", "node"} & rule.grouped()
    assert by_target == ({"instance"} if rule.name == "SpendExporterDown" else set())
    bare = re.sub(
        r"(?:by \([^)]*\)\s*\(|(?:increase|rate|absent|_over_time)\()\s*spend_[a-z_]+", "", rule.expr
    )
    assert re.findall(r"(?<![\w:])spend_[a-z_]+(?=[\s{)]|$)", bare) == []


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_rule_uses_only_series_and_labels_that_exist(rule: Rule) -> None:
    known = known_labels()
    used = rule.metrics()
    assert used
    assert used <= known.keys(), f"unknown series: {sorted(used - known.keys())}"
    for metric, label in rule.matched():
        assert label in known[metric], f"{metric} has no label {label}"
    labels = set[str]().union(*(known[name] for name in used))
    assert rule.grouped() <= labels, f"unknown labels: {sorted(rule.grouped() - labels)}"


def test_every_threshold_is_used_and_every_used_one_exists() -> None:
    assert set[str]().union(*(rule.thresholds() for rule in RULES)) == THRESHOLDS.keys()
    without = {rule.name for rule in ALERTS if not rule.thresholds()}
    assert without == {
        *("SpendBudgetThresholdReached", "SpendExporterDown", "SpendFigureFailed", "SpendReportNotSent"),
        *("SpendDiskFull", "SpendLedgerReplaced", "SpendRetractionWithheld"),
        *("SpendFileUnreadable", "SpendConfigNotTakenOver"),
    }
