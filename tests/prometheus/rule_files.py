"""The rule files and their cases, parsed for the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULE_FILES: Final = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
CASE_FILES: Final = sorted((ROOT / "prometheus" / "tests").glob("*.yml"))

_METRIC = re.compile(r"(?<![\w:$.])((?:[a-z_]+:)?spend_[a-z_]+(?::[a-z0-9_]+)?|up)(?![\w:(])")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTED = re.compile(_METRIC.pattern + r"\{([^}]*)\}")
_LABEL_LIST = re.compile(r"\b(?:by|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, alerting or recording."""

    name: str
    alerting: bool
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]

    def metrics(self) -> set[str]:
        """Names of the series that the expression and the templates use."""
        return {match[1] for match in _METRIC.finditer(self._queries())}

    def matched(self) -> Iterator[tuple[str, str]]:
        """Each metric with each label that a selector of it names."""
        for match in _SELECTED.finditer(self._queries()):
            for label in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", _STRING.sub('""', match[2])):
                yield match[1], label

    def grouped(self) -> set[str]:
        """Labels that joins and aggregations name, and those that the templates print."""
        lists = ",".join(_LABEL_LIST.findall(self._queries()))
        printed = re.findall(r"(?:\$labels|\.Labels)\.([a-z_]+)", " ".join(self.annotations.values()))
        return {label.strip() for label in lists.split(",") if label.strip()} | set(printed)

    def thresholds(self) -> set[str]:
        """Names of spend_alert_threshold that the expression compares with."""
        return set(re.findall(r'spend_alert_threshold\{name="([a-z0-9_]+)"\}', self.expr))

    def _queries(self) -> str:
        return " ".join([self.expr, *re.findall(r"\{\{(.*?)\}\}", " ".join(self.annotations.values()))])


@dataclass(frozen=True, slots=True)
class Case:
    """One alert at one moment of a group of cases."""

    alert: str
    kinds: frozenset[str]
    at: str
    expected: list[dict[str, Any]]
    external_labels: bool


def rule_groups() -> list[dict[str, Any]]:
    """Return every group of every rule file, in order."""
    return [group for path in RULE_FILES for group in _read(path)["groups"]]


def read_rules() -> list[Rule]:
    found = []
    for group in rule_groups():
        for rule in group["rules"]:
            name = rule.get("alert") or rule["record"]
            labels, annotations = rule.get("labels", {}), rule.get("annotations", {})
            found.append(Rule(name, "alert" in rule, rule["expr"], labels, annotations))
    return found


def read_cases() -> list[Case]:
    found = []
    for path in CASE_FILES:
        for group in _read(path)["tests"]:
            about, _, kinds = group["name"].partition(": ")
            for case in group.get("alert_rule_test", ()):
                assert case["alertname"] == about, group["name"]
                of_kinds = frozenset(kinds.split(", "))
                found.append(
                    Case(about, of_kinds, case["eval_time"], case["exp_alerts"], "external_labels" in group)
                )
    return found


@cache
def recorded_in_cases() -> str:
    """Every expression whose value a case checks."""
    return " ".join(
        case["expr"]
        for path in CASE_FILES
        for group in _read(path)["tests"]
        for case in group.get("promql_expr_test", ())
        if case["exp_samples"]
    )


@cache
def _read(path: Path) -> Any:
    # PyYAML's own parser takes two seconds for these files, which every process of a test run would spend.
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
