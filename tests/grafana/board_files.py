"""The committed boards, and the metrics and labels in their queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from exporter.metrics.families import all_families
from grafana.source.generate import DASHBOARDS
from tests.prometheus.rule_files import rule_groups

TARGET_LABELS = frozenset({"job", "instance"})

_OF_PROMETHEUS: dict[str, frozenset[str]] = {
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
    "scrape_samples_scraped": frozenset(),
    "scrape_duration_seconds": frozenset(),
    "process_resident_memory_bytes": frozenset(),
}

_FUNCTIONS = frozenset(
    {"sum", "max", "min", "avg", "count", "topk", "bottomk", "sort_desc", "rate", "increase", "sum_over_time"}
    | {"last_over_time", "max_over_time", "month", "day_of_month", "floor"}
    | {"label_replace"}
    | {"time", "vector", "by", "on", "and", "or", "unless", "offset", "ignoring", "group_left"}
)
_GROUPING = re.compile(r"\b(?:by|on|ignoring|group_left)\s*\(([^)]*)\)")
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


@dataclass(frozen=True)
class Named:
    """The metrics of an expression with the labels of their selectors, and the labels it groups by."""

    metrics: list[tuple[str, set[str]]]
    groups: set[str]


def boards() -> dict[str, dict[str, Any]]:
    """Every committed board, by uid."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))]
    return {board["uid"]: board for board in found}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a board that have queries; no board is without."""
    found = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert found, board["title"]
    return found


def expressions(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each query of a board, with the panel, annotation or variable that has it."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for mark in board["annotations"]["list"]:
        yield mark["name"], mark["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, _, label = variable["query"]["query"].removeprefix("label_values(").rpartition(", ")
            yield f"variable {variable['name']}", f"sum by ({label}".replace("))", ")") + f" ({selector})"


def named(expr: str) -> Named:
    """Parse an expression, as far as the boards' own queries need it."""
    groups = {
        label.strip() for labels in _GROUPING.findall(expr) for label in labels.split(",") if label.strip()
    }
    bare = _GROUPING.sub(
        " ", re.sub(r"\[[^]]*\]|@ (?:end\(\)|\$\{__to:date:seconds\})|\boffset\s+-?[\w$]+", " ", expr)
    )
    metrics: list[tuple[str, set[str]]] = []
    while bare:
        text = re.match(r"\"[^\"]*\"|'[^']*'|[0-9][0-9a-z.]*|\$\w+", bare)
        name = _NAME.match(bare)
        if text:
            bare = bare[text.end() :]
        elif name and name[0] not in _FUNCTIONS:
            bare = bare[name.end() :]
            selected: set[str] = set()
            if bare.startswith("{"):
                matchers, bare = _matchers(bare)
                selected = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            metrics.append((name[0], selected))
        else:
            bare = bare[name.end() if name else 1 :]
    return Named(metrics, groups)


def _matchers(text: str) -> tuple[str, str]:
    """The matchers without their quoted values, and the rest of the text."""
    matched = re.match(r"\{((?:[^\"'}]|\"[^\"]*\"|'[^']*')*)\}", text)
    assert matched, text
    return re.sub(r"\"[^\"]*\"|'[^']*'", "", matched[1]), text[matched.end() :]


def recorded() -> dict[str, frozenset[str]]:
    """Labels of every series of the recording rules, as far as the rules list them."""
    found = {}
    for group in rule_groups():
        for rule in group["rules"]:
            if "record" in rule:
                found[rule["record"]] = frozenset(named(rule["expr"]).groups)
    return found


@cache
def labels_by_metric() -> dict[str, frozenset[str]]:
    """Labels of every metric that a board may use."""
    declared = {family.name: frozenset(family.labels) for family in all_families()}
    known = {**declared, **_OF_PROMETHEUS, **recorded()}
    return {name: labels | TARGET_LABELS for name, labels in known.items()}
