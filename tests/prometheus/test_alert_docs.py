"""Every alert has a runbook with its reasons, valid queries and an existing panel, and is in the overview."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.grafana.board_files import boards, panels
from tests.prometheus.rule_files import ROOT, Rule, read_rules
from tests.prometheus.test_rules import ALERTS, by_name, known_labels
from tests.refresh.test_failing_figures import FIGURES
from tests.support.programs import needs

RUNBOOKS = ROOT / "docs" / "runbooks"
OVERVIEW = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
SECTIONS = ["Why this threshold", "How to look", "What to do", "When to silence"]
BOARDS = boards()


def runbook(alert: Rule) -> str:
    return (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def queries(alert: Rule) -> list[str]:
    return re.findall(r"^    (\S.*)$", section(runbook(alert), "How to look"), flags=re.MULTILINE)


def test_every_runbook_belongs_to_an_alert_and_every_alert_has_one() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_a_runbook_explains_every_threshold_by_its_key(alert: Rule) -> None:
    text = runbook(alert)
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == SECTIONS
    why = section(text, "Why this threshold")
    assert set(re.findall(r"`alerts\.([a-z0-9_]+)`", why)) == alert.thresholds()


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_a_runbook_names_a_panel_of_the_dashboard_that_the_alert_links_to(alert: Rule) -> None:
    linked = alert.annotations["dashboard_url"].rpartition("/")[2]
    [(panel, title, uid)] = re.findall(
        r"^Panel \*(.+)\* of the dashboard \*(.+)\* \(`([a-z-]+)`\)\.$", runbook(alert), flags=re.MULTILINE
    )
    assert (uid, title) == (linked, BOARDS[linked]["title"])
    assert panel in {each["title"] for each in panels(BOARDS[uid])}


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_a_runbook_uses_only_series_and_labels_that_exist(alert: Rule) -> None:
    known = known_labels()
    named = re.findall(r"(?:\b[a-z_]+:)?\bspend_[a-z_]+(?::[a-z0-9_]+)?", runbook(alert))
    assert set(named) - {"spend_exporter"} <= known.keys()
    parsed = [Rule(alert.name, False, query, {}, {}) for query in queries(alert)]
    assert parsed
    unknown = {
        (metric, label)
        for query in parsed
        for metric, label in query.matched()
        if metric not in known or label not in known[metric]
    }
    assert unknown == set()


@needs("promtool", "prometheus")
def test_prometheus_can_parse_every_query_of_the_runbooks(tmp_path: Path) -> None:
    rules = [
        {"record": f"runbook:{alert.name}:{place}", "expr": query, "labels": alert.labels}
        for alert in ALERTS
        for place, query in enumerate(queries(alert))
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run(
        ["promtool", "check", "rules", path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(rules)} rules found" in checked.stdout


def test_the_runbook_of_failed_figures_lists_every_figure() -> None:
    text = (RUNBOOKS / "SpendFigureFailed.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.*`) \|", text, flags=re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`(\w+)`", cell.partition(" |")[0])]
    assert sorted(listed) == sorted([*FIGURES, "bill", "nowcast_grades"])


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_every_link_of_a_runbook_leads_to_a_file(alert: Rule) -> None:
    missing = [
        target
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", runbook(alert))
        if not (RUNBOOKS / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_the_overview_has_every_alert_with_its_severity_and_category(alert: Rule) -> None:
    severity = alert.labels.get("severity", "the threshold's")
    row = f"| [{alert.name}](runbooks/{alert.name}.md) | {severity} | {alert.labels['category']} |"
    assert row in OVERVIEW


def test_every_alert_of_the_overview_exists() -> None:
    assert set(re.findall(r"\[(Spend\w+)\]", OVERVIEW)) == {
        rule.name for rule in read_rules() if rule.alerting
    }


def test_the_overview_groups_and_inhibits_as_the_shipped_configuration_does() -> None:
    shipped = yaml.safe_load((ROOT / "prometheus/alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    advice = section(OVERVIEW, "Use with your own Alertmanager")
    assert re.findall(r"`group_by: \[(.*?)\]`", advice) == [", ".join(shipped["route"]["group_by"])]
    equal = {", ".join(rule["equal"]) for rule in shipped["inhibit_rules"]}
    assert set(re.findall(r"`equal: \[(.*?)\]`", advice)) == {"job, budget, period"} & equal


def test_every_example_names_a_job_that_the_rules_find() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]
    jobs = [job for page in pages for job in re.findall(r"job_name: (\S+)", page.read_text(encoding="utf-8"))]
    assert len(jobs) >= 2
    assert [job for job in jobs if not re.search("spend[-_]exporter", job)] == []


def test_the_folders_that_the_overview_names_exist() -> None:
    named = re.findall(r"\bprometheus/[a-z/]+(?:\.yml)?", OVERVIEW)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
