"""The Helm chart: valid, confined, with the rules and dashboards of the repository; and what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from exporter import __version__
from exporter.config.model import parse
from tests.deploy.manifests import ROOT, Manifest, confined, problems, read, target_labels, the
from tests.support.programs import needs

CHART = ROOT / "deploy" / "helm" / "spend-exporter"
MEBIBYTE = 2**20


def with_helm(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that renders the chart: about a second each."""
    marked: Callable[..., None] = pytest.mark.slow(needs("helm", "helm (make deploy-tools)")(test))
    return marked


FULL: dict[str, Any] = {
    "config": {
        "gcp": {"billing_export": {"files": ["/bills/*.parquet"]}},
        "llm": {"openai": {"admin_key_env": "OPENAI_ADMIN_KEY"}},
    },
    "secretEnv": [{"name": "OPENAI_ADMIN_KEY", "secret": "spend-keys", "key": "openai"}],
    "secretFiles": ["spend-google"],
    "web": {"secret": "spend-web", "tls": True},
    "serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": "spend@p.iam.gserviceaccount.com"}},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "tlsConfig": {"ca": {"secret": {"name": "spend-web", "key": "ca.crt"}}, "serverName": "spend"},
        "basicAuth": {
            "username": {"name": "spend-scrape", "key": "user"},
            "password": {"name": "spend-scrape", "key": "password"},
        },
    },
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Spend"}},
    "networkPolicy": {
        "restrictEgress": True,
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "extraEgress": [{"ports": [{"port": 587, "protocol": "TCP"}]}],
    },
    "podLabels": {"team": "finops"},
    "podAnnotations": {"note": "x"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "imagePullSecrets": [{"name": "registry"}],
    "extraVolumes": [{"name": "bills", "persistentVolumeClaim": {"claimName": "bills"}}],
    "extraVolumeMounts": [{"name": "bills", "mountPath": "/bills", "readOnly": True}],
}
"""Every part turned on."""


def helm(folder: Path, values: dict[str, Any], release: str = "spend") -> subprocess.CompletedProcess[str]:
    (folder / "values.yml").write_text(json.dumps(values), encoding="utf-8")
    where = ("--namespace", "shop", "--kube-version", "1.33.0", "--values", str(folder / "values.yml"))
    return subprocess.run(
        ["helm", "template", release, CHART, *where], capture_output=True, text=True, check=False
    )


def rendered(folder: Path, values: dict[str, Any], release: str = "spend") -> dict[tuple[str, str], Manifest]:
    done = helm(folder, values, release)
    assert done.returncode == 0, done.stderr
    return read(done.stdout)


def container(manifests: dict[tuple[str, str], Manifest]) -> Manifest:
    (found,) = the("Deployment", manifests)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def schema() -> dict[str, Any]:
    return dict(json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")))


def test_its_versions_are_that_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_dashboards_and_rules_are_those_of_the_repository() -> None:
    assert (CHART / "files" / "dashboards").resolve() == ROOT / "grafana" / "dashboards"
    assert (CHART / "files" / "rules").resolve() == ROOT / "prometheus" / "rules"


def test_the_schema_knows_every_value_and_takes_the_defaults() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert schema()["properties"].keys() == defaults.keys() | {"global"}
    validator = jsonschema_rs.validator_for(schema())
    assert [error.message for error in validator.iter_errors(defaults)] == []
    assert [error.message for error in validator.iter_errors(FULL)] == []


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 2},
        {"fullnameOverride": "costs"},
        {"secretEnv": [{"name": "KEY", "value": "sk-1"}]},
        {"secretEnv": [{"name": "KEY", "secret": "keys", "key": "k", "value": "sk-1"}]},
        {"image": {"digest": "latest"}},
        {"persistence": {"size": "much"}},
        {"persistence": {"accessModes": []}},
        {"service": {"port": 0}},
        {"serviceMonitor": {"interval": "30"}},
        {"web": {"password": "x"}},
    ],
    ids=str,
)
def test_the_schema_refuses(values: dict[str, Any]) -> None:
    assert not jsonschema_rs.validator_for(schema()).is_valid(values)


@with_helm
def test_helm_finds_nothing_wrong() -> None:
    done = subprocess.run(
        ["helm", "lint", "--strict", CHART, "--kube-version", "1.33.0", "--set", "demo=true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@with_helm
@pytest.mark.parametrize("values", [{"demo": True}, FULL], ids=["demo", "full"])
def test_its_manifests_are_valid_and_confined(tmp_path: Path, values: dict[str, Any]) -> None:
    manifests = rendered(tmp_path, values)
    assert problems(manifests.values()) == []
    confined(the("Deployment", manifests))
    assert the("ServiceAccount", manifests)["automountServiceAccountToken"] is False
    assert {name for _, name in manifests if "spend-exporter" not in name} == set()


@with_helm
def test_its_configuration_is_one_that_the_exporter_reads(tmp_path: Path) -> None:
    text = rendered(tmp_path, FULL)["ConfigMap", "spend-spend-exporter"]["data"]["config.yml"]
    config = parse(text, tmp_path)
    assert str(config.ledger) == "/var/lib/spend-exporter/spend.duckdb"
    assert str(config.web_config_file) == "/etc/spend-exporter-web/web.yml"


@with_helm
def test_a_secret_is_named_and_never_written(tmp_path: Path) -> None:
    manifests = rendered(tmp_path, FULL)
    assert [kind for kind, _ in manifests if kind == "Secret"] == []
    (variable,) = container(manifests)["env"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "spend-keys", "key": "openai"}}
    mounted = {each["mountPath"] for each in container(manifests)["volumeMounts"] if each.get("readOnly")}
    assert {"/etc/spend-exporter-secrets/spend-google", "/etc/spend-exporter-web"} <= mounted


@with_helm
def test_rules_and_dashboards_arrive_unchanged_and_fit(tmp_path: Path) -> None:
    manifests = rendered(tmp_path, FULL)
    made = yaml.safe_load((ROOT / "prometheus/kubernetes/prometheusrule.yml").read_text(encoding="utf-8"))
    assert the("PrometheusRule", manifests)["spec"] == made["spec"]
    maps = [
        each
        for each in manifests.values()
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    boards = {name: text for each in maps for name, text in each["data"].items()}
    assert boards == {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "grafana/dashboards").glob("*.json")
    }
    assert max(len(json.dumps(each)) for each in maps) < MEBIBYTE
    # Helm keeps the chart and its manifests, packed, in one Secret.
    files = "".join(path.read_text(encoding="utf-8") for path in CHART.rglob("*.*") if path.is_file())
    kept = gzip.compress((json.dumps(list(manifests.values())) + files + "".join(boards.values())).encode())
    assert len(base64.b64encode(base64.b64encode(kept))) < MEBIBYTE / 2


@with_helm
@pytest.mark.parametrize("release", ["spend", "spend-exporter", "prod-spend-exporter", "x" * 53])
def test_the_job_is_one_that_the_rules_select_and_goes_on_when_the_pod_is_replaced(
    tmp_path: Path, release: str
) -> None:
    monitor = the("ServiceMonitor", rendered(tmp_path, FULL, release))
    (endpoint,) = monitor["spec"]["endpoints"]
    before = target_labels(endpoint["relabelings"], "a", "10.0.0.1:9877")
    assert before == target_labels(endpoint["relabelings"], "b", "10.0.0.2:9877")
    assert re.fullmatch(".*spend[-_]exporter.*", before["job"])
    assert before["job"] == f"shop/{monitor['metadata']['name']}"


@with_helm
@pytest.mark.parametrize(
    ("web", "probe"),
    [
        ({}, {"httpGet": {"path": "/healthz", "port": "metrics", "scheme": "HTTP"}}),
        (
            {"secret": "s", "tls": True},
            {"httpGet": {"path": "/healthz", "port": "metrics", "scheme": "HTTPS"}},
        ),
        ({"secret": "s", "tls": True, "users": True}, {"tcpSocket": {"port": "metrics"}}),
        ({"secret": "s", "tls": True, "clientCertificates": True}, {"tcpSocket": {"port": "metrics"}}),
    ],
)
def test_a_probe_asks_for_no_more_than_the_kubelet_may(
    tmp_path: Path, web: dict[str, Any], probe: dict[str, Any]
) -> None:
    asked = container(rendered(tmp_path, {"config": {"gcp": {}}, "web": web}))["livenessProbe"]
    assert {name: asked[name] for name in asked if name in ("httpGet", "tcpSocket", "exec")} == probe


@with_helm
def test_the_ledger_stays_and_a_claim_of_the_user_is_used(tmp_path: Path) -> None:
    claim = the("PersistentVolumeClaim", rendered(tmp_path, {"demo": True}))
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    own = rendered(tmp_path, {"demo": True, "persistence": {"existingClaim": "mine"}})
    assert [kind for kind, _ in own if kind == "PersistentVolumeClaim"] == []
    volumes = the("Deployment", own)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in volumes


@with_helm
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "set exactly one of config"),
        ({"demo": True, "config": {"gcp": {}}}, "set exactly one of config"),
        ({"demo": True, "web": {"secret": "s"}}, "web.secret needs config"),
        ({"config": {"gcp": {}}, "web": {"tls": True}}, "name the Secret that has it with web.secret"),
        ({"demo": True, "fullnameOverride": "costs"}, "fullnameOverride"),
    ],
)
def test_values_that_contradict_are_refused_with_what_to_set(
    tmp_path: Path, values: dict[str, Any], told: str
) -> None:
    refused = helm(tmp_path, values)
    assert refused.returncode != 0
    assert told in refused.stderr
