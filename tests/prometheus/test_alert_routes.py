"""The Alertmanager configuration is valid and sends each alert to the right receiver."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.prometheus.amtool import CONFIG, FOLDER, ROOT, amtool

CONFIGURATION = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def test_alertmanager_accepts_the_configuration() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


ROUTES = [
    ("spending", "category=budget severity=critical budget=shop period=month"),
    ("spending", "category=budget severity=warning budget=shop period=month"),
    ("spending", "category=spike severity=warning provider=gcp"),
    ("spending", "category=llm severity=warning provider=openai"),
    ("spending", "category=efficiency severity=warning run_service=checkout"),
    ("spending", "category=attribution severity=warning"),
    ("spending", "category=savings severity=warning"),
    ("spending", "alertname=SomethingElse"),
    ("operators", "category=trust severity=critical alertname=SpendExporterDown"),
    ("operators", "category=trust severity=warning alertname=SpendBillStale"),
    ("operators", "category=trust severity=critical alertname=SpendFigureFailed figure=bill"),
    ("operators", "category=trust severity=warning alertname=SpendFigureFailed figure=savings"),
    ("digest", "category=trust severity=info"),
    ("digest", "category=budget severity=info budget=shop period=month"),
    ("digest", "category=llm severity=info"),
    ("digest", "category=efficiency severity=info"),
    ("digest", "category=attribution severity=info"),
    ("digest", "category=savings severity=info"),
    # Labels with the name of a receiver have no effect.
    ("spending", "category=budget severity=critical receiver=slack team=slack"),
]


@pytest.mark.parametrize(("receiver", "labels"), ROUTES)
def test_an_alert_goes_to_the_receiver_of_its_severity_and_category(receiver: str, labels: str) -> None:
    arguments = ("config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}")
    assert amtool(*arguments, *labels.split()).strip() == receiver


def test_the_routes_work_below_those_of_an_existing_alertmanager(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    shown = yaml.safe_load(example)
    (below,) = shown["route"]["routes"]
    ours = CONFIGURATION["route"]
    assert {**below, "matchers": ours.get("matchers")} == {**ours, "matchers": None}

    theirs = CONFIGURATION | shown
    theirs["receivers"] = [*CONFIGURATION["receivers"], {"name": "yours"}]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(theirs), encoding="utf-8")
    shutil.copytree(FOLDER / "templates", tmp_path / "templates")
    assert "SUCCESS" in amtool("check-config", str(path))
    test = ("config", "routes", "test", f"--config.file={path}")
    assert amtool(*test, "alertname=NodeDown", "severity=critical").strip() == "yours"
    assert amtool(*test, "alertname=SpendDayJump", "severity=warning").strip() == "spending"
    assert amtool(*test, "alertname=SpendBillStale", "category=trust").strip() == "operators"


def rule_labels() -> list[dict[str, str]]:
    files = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "prometheus/rules").glob("*.yml")
    ]
    rules = [rule for file in files for group in file.get("groups") or [] for rule in group["rules"]]
    return [rule.get("labels", {}) | {"alertname": rule["alert"]} for rule in rules if "alert" in rule]


def test_every_category_and_severity_of_the_rules_has_a_tested_route() -> None:
    tested = {
        (labels.get("category"), labels.get("severity"))
        for labels in (dict(pair.split("=") for pair in text.split()) for _, text in ROUTES)
    }
    # A rule without a severity takes it from the threshold of the budget.
    used = {
        (labels["category"], severity)
        for labels in rule_labels()
        for severity in ([labels["severity"]] if "severity" in labels else ["critical", "warning", "info"])
    }
    assert used <= tested


def test_every_alert_named_in_an_inhibition_exists() -> None:
    named = set(re.findall(r"\bSpend[A-Z]\w+", json.dumps(CONFIGURATION["inhibit_rules"])))
    existing = {labels["alertname"] for labels in rule_labels()}
    assert {"SpendExporterDown", "SpendSourceFailing", "SpendBillStale", "SpendFigureFailed"} <= named
    assert named <= existing


def test_no_label_chooses_a_receiver_and_the_file_has_no_secret() -> None:
    def values(node: object) -> list[tuple[str, object]]:
        if isinstance(node, dict):
            return [pair for key, value in node.items() for pair in ((key, value), *values(value))]
        return [pair for item in node for pair in values(item)] if isinstance(node, list) else []

    for key, value in values(CONFIGURATION):
        assert not re.fullmatch(r".*(password|secret|token|credentials|api_url)", key), key
        assert key != "receiver" or "{{" not in str(value)


def test_an_alert_outside_working_hours_is_sent_in_the_next_ones() -> None:
    """A group is checked once in its interval, so a long interval could miss every working hour."""
    (digest,) = (route for route in CONFIGURATION["route"]["routes"] if route["receiver"] == "digest")
    assert digest["active_time_intervals"] == ["working-hours"]
    (hours,) = CONFIGURATION["time_intervals"][0]["time_intervals"]
    (times,) = hours["times"]
    open_hours = int(times["end_time"][:2]) - int(times["start_time"][:2])
    assert int(digest["group_interval"].removesuffix("h")) <= open_hours / 2
