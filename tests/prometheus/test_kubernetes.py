"""The manifests for the Prometheus operator agree with the rules."""

import re
import subprocess
import sys

import yaml

from tests.prometheus.rule_files import ROOT, RULE_FILES

MANIFESTS = ROOT / "prometheus" / "kubernetes"


def test_the_prometheus_rule_is_the_one_made_from_the_rules() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "prometheus_rule.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (MANIFESTS / "prometheusrule.yml").read_text(encoding="utf-8")


def test_the_prometheus_rule_has_every_group_unchanged() -> None:
    manifest = yaml.safe_load((MANIFESTS / "prometheusrule.yml").read_text(encoding="utf-8"))
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    assert manifest["kind"] == "PrometheusRule"
    assert manifest["spec"]["groups"] == groups
    assert len({group["name"] for group in groups}) == len(groups)


def test_the_pod_monitor_leaves_no_label_that_changes_with_the_pod_and_a_job_that_the_rules_select() -> None:
    monitor = yaml.safe_load((MANIFESTS / "podmonitor.yml").read_text(encoding="utf-8"))
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    def labels(pod: str, address: str) -> dict[str, str]:
        """The labels of the target: what the operator adds, then the monitor's own relabelling."""
        found = {
            "__meta_kubernetes_namespace": "shop",
            "instance": address,
            "namespace": "shop",
            "container": "exporter",
            "pod": pod,
            "job": "shop/monitor",
            "endpoint": "metrics",
        }
        for step in endpoint["relabelings"]:
            if step.get("action") == "labeldrop":
                found = {name: found[name] for name in found if not re.fullmatch(step["regex"], name)}
            else:
                sources = ";".join(found[name] for name in step.get("sourceLabels", ()))
                found[step["targetLabel"]] = step["replacement"].replace("$1", sources)
        return {name: value for name, value in found.items() if not name.startswith("__")}

    before, after = labels("exporter-a", "10.0.0.1:9877"), labels("exporter-b", "10.0.0.2:9877")
    assert before == after
    assert before["job"] == "shop/spend-exporter"
    assert re.fullmatch(".*spend[-_]exporter.*", before["job"])
