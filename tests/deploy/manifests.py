"""Rendered manifests, and what Kubernetes and the Prometheus operator would refuse in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from tests.support import places

ROOT = places.REPOSITORY
Manifest = dict[str, Any]

_SCHEMAS = Path(__file__).parent / "schemas"
_CORE = json.loads((_SCHEMAS / "kubernetes-1.33.json").read_text(encoding="utf-8"))
_OPERATOR = json.loads((_SCHEMAS / "prometheus-operator-0.95.json").read_text(encoding="utf-8"))


def read(text: str) -> dict[tuple[str, str], Manifest]:
    """The manifests of a stream by kind and name."""
    found = [each for each in yaml.safe_load_all(text) if each]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def the(kind: str, manifests: Mapping[tuple[str, str], Manifest]) -> Manifest:
    """The only manifest of the kind."""
    (found,) = [each for (found_kind, _), each in manifests.items() if found_kind == kind]
    return found


def problems(manifests: Iterable[Manifest]) -> list[str]:
    """What the schemas of their kinds refuse, each with its place."""
    return [
        f"{each['kind']} {'.'.join(map(str, error.instance_path))}: {error.message}"
        for each in manifests
        for error in jsonschema_rs.validator_for(_schema(each["kind"])).iter_errors(each)
    ]


def _schema(kind: str) -> dict[str, Any]:
    if kind in _OPERATOR:
        return dict(_OPERATOR[kind])
    return {"$ref": f"#/definitions/{_CORE['kinds'][kind]}", "definitions": _CORE["definitions"]}


def confined(deployment: Manifest) -> None:
    """Check that the pod has no rights that it does not need, and that one process uses the ledger."""
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def target_labels(relabelings: list[dict[str, Any]], pod: str, address: str) -> dict[str, str]:
    """Labels of a target: what the operator adds, then the monitor's own relabelling."""
    found = {
        "__meta_kubernetes_namespace": "shop",
        "instance": address,
        "namespace": "shop",
        "service": "spend",
        "container": "exporter",
        "pod": pod,
        "job": "spend",
        "endpoint": "metrics",
    }
    for step in relabelings:
        if step.get("action") == "labeldrop":
            found = {name: found[name] for name in found if not re.fullmatch(step["regex"], name)}
        else:
            sources = ";".join(found[name] for name in step.get("sourceLabels", ()))
            found[step["targetLabel"]] = step["replacement"].replace("$1", sources)
    return {name: value for name, value in found.items() if not name.startswith("__")}
