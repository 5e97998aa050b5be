"""The kustomize base, and the overlay to copy: valid, confined, with the rules and dashboards."""

import subprocess
from pathlib import Path

import yaml

from exporter import __version__
from exporter.config.model import parse
from tests.deploy.manifests import ROOT, confined, problems, read, the
from tests.support.programs import needs

FOLDER = ROOT / "deploy" / "kustomize"
with_kustomize = needs("kustomize", "kustomize (make deploy-tools)")


def kustomization(folder: Path) -> dict[str, object]:
    return dict(yaml.safe_load((folder / "kustomization.yml").read_text(encoding="utf-8")))


def test_the_image_has_the_version_of_the_package() -> None:
    (image,) = yaml.safe_load((FOLDER / "base/kustomization.yml").read_text(encoding="utf-8"))["images"]
    assert image["newTag"] == __version__


def test_the_pod_is_confined() -> None:
    confined(yaml.safe_load((FOLDER / "base" / "deployment.yml").read_text(encoding="utf-8")))


def test_every_manifest_and_every_dashboard_is_listed() -> None:
    for folder in (FOLDER / "base", ROOT / "prometheus" / "kubernetes"):
        there = {path.name for path in folder.glob("*.yml")} - {"kustomization.yml"}
        assert set(kustomization(folder)["resources"]) == there, folder  # type: ignore[call-overload]
    maps = yaml.safe_load((ROOT / "grafana/kustomization.yml").read_text(encoding="utf-8"))[
        "configMapGenerator"
    ]
    boards = {f"dashboards/{path.name}" for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    assert {file for each in maps for file in each["files"]} == boards


def test_the_configuration_of_the_overlay_is_one_that_the_exporter_reads() -> None:
    text = (FOLDER / "example" / "config.yml").read_text(encoding="utf-8")
    assert str(parse(text, FOLDER).ledger) == "/var/lib/spend-exporter/spend.duckdb"


@with_kustomize
def test_the_overlay_is_valid_and_complete() -> None:
    done = subprocess.run(
        ["kustomize", "build", FOLDER / "example"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    manifests = read(done.stdout)
    assert problems(manifests.values()) == []
    confined(the("Deployment", manifests))
    (name,) = [name for kind, name in manifests if name.startswith("spend-exporter-config-")]
    volumes = the("Deployment", manifests)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": name}} in volumes
    rule = yaml.safe_load((ROOT / "prometheus/kubernetes/prometheusrule.yml").read_text(encoding="utf-8"))
    assert the("PrometheusRule", manifests)["spec"] == rule["spec"]
