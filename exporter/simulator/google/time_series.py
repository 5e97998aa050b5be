"""What Cloud Monitoring's ListTimeSeries does to raw samples: filter, align by period, reduce by labels.

Only the forms that the exporter sends; anything else is refused, as the real service refuses nonsense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.simulator.google.live_metrics import METRICS, Metric
from exporter.simulator.google.live_usage import Samples, SimulatedUsage

_CONDITION: Final = re.compile(r'([\w.]+)\s*=\s*(?:"([^"]*)"|(one_of|starts_with)\(([^)]*)\))')
_HOUR_SECONDS: Final = 3600
_MINUTE_SECONDS: Final = 60

Group = tuple[tuple[str, str], ...]
"""Fields and their values."""


class BadRequestError(Exception):
    """A request that the service does not take."""


class UnknownMetricError(Exception):
    """A metric type that no project has."""


@dataclass(frozen=True, slots=True)
class Query:
    """A ListTimeSeries request in plain terms; times are seconds since the epoch."""

    project_id: str
    conditions: tuple[tuple[str, frozenset[str]], ...]
    start: int
    end: int
    period: int
    aligner: str
    reducer: str
    group_by: tuple[str, ...]

    @property
    def metric_type(self) -> str:
        """The one metric in the filter."""
        return self._only("metric.type")

    @property
    def resource_type(self) -> str:
        """The one resource type in the filter."""
        return self._only("resource.type")

    def _only(self, name: str) -> str:
        found = [values for field, values in self.conditions if field == name]
        if len(found) != 1 or len(found[0]) != 1:
            raise BadRequestError(f"the filter must name one {name}")
        return next(iter(found[0]))


@dataclass(frozen=True, slots=True)
class AlignedSeries:
    """One reduced series: the end of each period that has data, newest first, and its value."""

    group: Group
    metric: Metric
    points: tuple[tuple[int, float], ...]


Visible = Callable[[Metric, range], Sequence[int]]
"""Those of some minutes (since the epoch) whose samples of a metric can be seen yet."""


def conditions_of(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Parse a filter of equalities joined by AND. Raises BadRequestError."""
    found = []
    for part in text.split(" AND "):
        match = _CONDITION.fullmatch(part.strip())
        if match is None or match[3] == "starts_with":
            raise BadRequestError(f"could not parse filter: {part}")
        values = [match[2]] if match[3] is None else [each.strip().strip('"') for each in match[4].split(",")]
        found.append((match[1], frozenset(values)))
    return tuple(found)


def answer(
    usage: SimulatedUsage, query: Query, visible: Visible, known: Collection[str] = METRICS.keys()
) -> list[AlignedSeries]:
    """Answer a query about one of the `known` metric types. Raises BadRequestError or UnknownMetricError."""
    metric = METRICS.get(query.metric_type)
    if metric is None or metric.type not in known:
        raise UnknownMetricError(query.metric_type)
    if query.period < _MINUTE_SECONDS or query.period % _MINUTE_SECONDS or query.start >= query.end:
        raise BadRequestError("the alignment period must be whole minutes, the interval not empty")
    if query.reducer not in ("REDUCE_SUM", "REDUCE_MEAN") or query.aligner not in ("ALIGN_SUM", "ALIGN_MEAN"):
        raise BadRequestError(f"unsupported aggregation {query.aligner}, {query.reducer}")
    aligned: dict[Group, dict[int, list[float]]] = {}
    first, last = -(-query.start // _MINUTE_SECONDS), query.end // _MINUTE_SECONDS - 1
    for hour in range(first // 60, last // 60 + 1):
        found = usage.samples(query.project_id, query.metric_type, query.resource_type, hour)
        matching = [series for series in found if _matches(series, query)]
        if not matching:
            continue
        periods = _periods(
            query, metric, range(max(first, hour * 60), min(last, hour * 60 + 59) + 1), visible
        )
        for series in matching:
            key = tuple((field, _label(series, field, query)) for field in query.group_by)
            cells = aligned.setdefault(key, {})
            for end, minutes in periods.items():
                _add(cells, end, [series.minutes[minute] for minute in minutes], metric)
    return [
        AlignedSeries(
            key, metric, tuple((end, _value(cells[end], query)) for end in sorted(cells, reverse=True))
        )
        for key, cells in sorted(aligned.items())
        if cells
    ]


def _value(cell: list[float], query: Query) -> float:
    return cell[0] / cell[1] if query.aligner == "ALIGN_MEAN" or query.reducer == "REDUCE_MEAN" else cell[0]


def _add(cells: dict[int, list[float]], end: int, values: list[float], metric: Metric) -> None:
    """Add the samples of one series in one period; a flow has none where nothing flows."""
    number = len(values) - values.count(0.0) if metric.kind == "DELTA" else len(values)
    if number:
        cell = cells.setdefault(end, [0.0, 0])
        cell[0] += sum(values)
        cell[1] += number


def _periods(query: Query, metric: Metric, minutes: range, visible: Visible) -> dict[int, list[int]]:
    """Ends of the periods in an hour, each with the minutes of the hour whose samples count there."""
    every = 1 if metric.kind == "DELTA" else metric.sample_seconds // _MINUTE_SECONDS
    periods: dict[int, list[int]] = {}
    for minute in visible(metric, minutes):
        if minute % every == 0:
            # Periods are counted from the end of the interval, as the service does it.
            behind = (query.end - (minute + 1) * _MINUTE_SECONDS) // query.period
            periods.setdefault(query.end - behind * query.period, []).append(minute % 60)
    return periods


def _matches(series: Samples, query: Query) -> bool:
    return all(
        field in ("metric.type", "resource.type") or _label(series, field, query) in values
        for field, values in query.conditions
    )


def _label(series: Samples, field: str, query: Query) -> str:
    part, _, name = field.replace(".labels.", ".label.").partition(".label.")
    if part == "resource":
        return series.resource_labels.get(name, "")
    if part == "metric":
        return series.metric_labels.get(name, "")
    raise BadRequestError(f"unsupported field {field} in project {query.project_id}")
