"""Runs a board's queries on a Prometheus; variables and intervals are filled in as Grafana does it."""

from __future__ import annotations

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

SCRAPE_INTERVAL_SECONDS: Final = 15
"""Scrape interval of the data source in docker-compose.yml; $__rate_interval is at least four of them."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_VARIABLE: Final = re.compile(r"\$\{(\w+(?::date:seconds)?)(?::\w+)?\}|\$(\w+)")
_LABEL_VALUES: Final = re.compile(r"^label_values\((?P<selector>.*),\s*(?P<label>\w+)\)$")


class AskingError(Exception):
    """Prometheus refused a query (its own message), or a variable's query cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time range in Unix seconds, and the number of points in it."""

    start: float
    end: float
    points: int = 400

    def step(self, at_least: str | None) -> int:
        """Return the step in seconds: a whole number of scrape intervals, or of `at_least`."""
        least = seconds(at_least) if at_least else SCRAPE_INTERVAL_SECONDS
        return least * max(1, math.ceil((self.end - self.start) / self.points / least))


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a result; an instant query has a single point."""

    query: str
    """The reference of the query within the panel."""
    name: str
    labels: Mapping[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """A Prometheus at an address."""

    def __init__(self, url: str) -> None:
        """`url` without a path."""
        self._url = url.rstrip("/")

    def at(self, expr: str, time: float) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        return list(self._ask("query", query=expr, time=time)["result"])

    def over(self, expr: str, span: Span, step: int, zone: tzinfo = UTC) -> list[dict[str, Any]]:
        """Return the result of a range query. Steps are aligned as in Grafana, for a browser in the zone."""
        shift = (datetime.fromtimestamp(span.end, zone).utcoffset() or timedelta()).total_seconds()
        start, end = (math.floor((edge + shift) / step) * step - shift for edge in (span.start, span.end))
        return list(self._ask("query_range", query=expr, start=start, end=end, step=step)["result"])

    def label_values(self, selector: str, label: str, span: Span) -> list[str]:
        """Return the sorted values of a label."""
        parameters = {"match[]": selector, "start": span.start, "end": span.end}
        return sorted(self._ask(f"label/{label}/values", **parameters))

    def _ask(self, what: str, **parameters: Any) -> Any:
        address = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=60) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AskingError(f"{parameters.get('query', what)}: {error.read().decode()}") from error


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as 15s, 5m or 1d."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def variables(board: Mapping[str, Any], prometheus: Prometheus, span: Span) -> dict[str, list[str]]:
    """Return the values of each variable of a board, by name, except the data source."""
    offered: dict[str, list[str]] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        query = fill_in(variable["query"]["query"], chosen(board, offered), span.step(None), span)
        parsed = _LABEL_VALUES.match(query)
        if not parsed:
            raise AskingError(f"variable {variable['name']}: {query} is not label_values(selector, label)")
        offered[variable["name"]] = prometheus.label_values(parsed["selector"], parsed["label"], span)
    return offered


def chosen(board: Mapping[str, Any], offered: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the initial value of each variable: all values, or the first one if it takes only one."""
    initial = {}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable.get("includeAll"):
            initial[name] = variable["allValue"]
        elif name in offered:
            initial[name] = next(iter(offered[name]), "")
    return initial


def fill_in(text: str, values: Mapping[str, str], step: int, span: Span) -> str:
    """Replace variables by their values, and also Grafana's own, such as $__interval."""
    known = {
        **values,
        "__interval": f"{step}s",
        "__interval_ms": f"{step * 1000}",
        "__rate_interval": f"{max(step + SCRAPE_INTERVAL_SECONDS, 4 * SCRAPE_INTERVAL_SECONDS)}s",
        "__to:date:seconds": f"{math.floor(span.end)}",
        "__to": f"{span.end * 1000:.0f}",
        "__range": f"{math.ceil(span.end - span.start)}s",
    }

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return known.get(name, match[0])

    return _VARIABLE.sub(value, text)


def ask(
    panel: Mapping[str, Any],
    values: Mapping[str, str],
    prometheus: Prometheus,
    span: Span,
    zone: tzinfo = UTC,
) -> list[Series]:
    """Run the queries of a panel, for a browser in the zone.

    Raises AskingError if Prometheus refuses one of them.
    """
    answers: list[Series] = []
    for target in panel["targets"]:
        step = span.step(target.get("interval") or panel.get("interval"))
        expr = fill_in(target["expr"], values, step, span)
        found = (
            prometheus.at(expr, span.end) if target["instant"] else prometheus.over(expr, span, step, zone)
        )
        for series in found:
            points = series["values"] if "values" in series else [series["value"]]
            labels = series["metric"]
            numbers = [(float(time), float(value)) for time, value in points]
            answers.append(Series(target["refId"], _name(target, labels), labels, numbers))
    return answers


def events(board: Mapping[str, Any], prometheus: Prometheus, span: Span) -> list[tuple[float, str]]:
    """Return when each annotation of the board began, and the colour of its mark."""
    found = []
    for mark in board["annotations"]["list"]:
        step = max(seconds(mark["step"]), span.step(None))
        for series in prometheus.over(fill_in(mark["expr"], {}, step, span), span, step):
            times = [float(time) for time, _ in series["values"]]
            began = [time for before, time in zip([0.0, *times], times, strict=False) if time - before > step]
            found += [(time, mark["iconColor"]) for time in began]
    return found


def _name(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    legend = target.get("legendFormat", "")
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), legend).strip()
