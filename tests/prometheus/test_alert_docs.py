"""Every alert has a runbook that explains its thresholds, and is in the overview."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.prometheus.rule_files import ROOT, Rule, read_rules
from tests.prometheus.test_rules import ALERTS, by_name, known_labels

RUNBOOKS = ROOT / "docs" / "runbooks"
OVERVIEW = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
SECTIONS = ["Why this threshold", "How to look", "What to do", "When to silence"]


def runbook(alert: Rule) -> str:
    return (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")


def test_there_is_no_runbook_without_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_a_runbook_explains_every_threshold_by_its_key(alert: Rule) -> None:
    text = runbook(alert)
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == SECTIONS
    why = text.partition("## Why this threshold")[2].partition("\n## ")[0]
    assert set(re.findall(r"`alerts\.([a-z0-9_]+)`", why)) == alert.thresholds()
    assert f"(`{alert.annotations['dashboard_url'].rpartition('/')[2]}`)" in text


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_a_runbook_names_series_that_exist(alert: Rule) -> None:
    known = known_labels()
    named = re.findall(r"(?:\b[a-z_]+:)?\bspend_[a-z_]+(?::[a-z0-9_]+)?", runbook(alert))
    assert set(named) - {"spend_exporter"} <= known.keys()


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_every_link_of_a_runbook_leads_somewhere(alert: Rule) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", runbook(alert)):
        assert (RUNBOOKS / target).exists(), target


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_the_overview_has_every_alert_with_its_severity_and_category(alert: Rule) -> None:
    severity = alert.labels.get("severity", "the threshold's")
    row = f"| [{alert.name}](runbooks/{alert.name}.md) | {severity} | {alert.labels['category']} |"
    assert row in OVERVIEW


def test_what_the_overview_has_is_an_alert() -> None:
    assert set(re.findall(r"\[(Spend\w+)\]", OVERVIEW)) == {
        rule.name for rule in read_rules() if rule.alerting
    }


def test_the_readers_folders_exist() -> None:
    for path in re.findall(r"\bprometheus/[a-z/]+(?:\.yml)?", OVERVIEW):
        assert Path(ROOT / path).exists(), path
