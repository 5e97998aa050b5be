"""Write the rules as a PrometheusRule, the form that the Prometheus operator reads.

python tools/prometheus_rule.py > prometheus/kubernetes/prometheusrule.yml
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[1] / "prometheus" / "rules"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as they are in the rule files."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def prometheus_rule() -> str:
    """Return the manifest with every group of the rule files; files are in the order of their names."""
    groups: list[Any] = []
    for path in sorted(RULES.glob("*.yml")):
        groups += yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "spend-exporter", "labels": {"app.kubernetes.io/name": "spend-exporter"}},
        "spec": {"groups": groups},
    }
    head = "# Made from prometheus/rules by tools/prometheus_rule.py.\n"
    return head + yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(prometheus_rule())
