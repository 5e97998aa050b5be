"""The manifests for the Prometheus operator agree with the rules."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.deploy.manifests import target_labels
from tests.prometheus.rule_files import ROOT, rule_groups

MANIFESTS = ROOT / "prometheus" / "kubernetes"


@pytest.mark.slow
def test_the_prometheus_rule_is_the_one_made_from_the_rules() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "prometheus_rule.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (MANIFESTS / "prometheusrule.yml").read_text(encoding="utf-8")


def test_the_prometheus_rule_has_every_group_unchanged() -> None:
    manifest = yaml.safe_load((MANIFESTS / "prometheusrule.yml").read_text(encoding="utf-8"))
    groups = rule_groups()
    assert manifest["kind"] == "PrometheusRule"
    assert manifest["spec"]["groups"] == groups
    assert len({group["name"] for group in groups}) == len(groups)


def test_the_pod_monitor_leaves_no_label_that_changes_with_the_pod_and_a_job_that_the_rules_select() -> None:
    monitor = yaml.safe_load((MANIFESTS / "podmonitor.yml").read_text(encoding="utf-8"))
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    relabelings = endpoint["relabelings"]
    before, after = (target_labels(relabelings, *each) for each in (("a", "10.0.0.1:1"), ("b", "10.0.0.2:1")))
    assert before == after
    assert before["job"] == "shop/spend-exporter"
    assert re.fullmatch(".*spend[-_]exporter.*", before["job"])
