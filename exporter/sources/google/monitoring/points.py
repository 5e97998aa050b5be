"""From time series of Cloud Monitoring to usage points: amounts in the bill's units, each interval once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from exporter.core.charges import UsagePoint
from exporter.core.meters import UsageMeter
from exporter.sources.google.monitoring.plan import HOUR, Stretch, Timing, held_for, hour_of

_REGION, _RESOURCE, _REVISION, _DIMENSION = range(4)
_Key = tuple[str, str, str, str]
_LARGEST: Final = 1e24
"""In the meter's own unit: an exabyte for ten days. More is damaged."""


@dataclass(slots=True)
class MeterPoints:
    """Collects the points of one meter of one project, however often and in whatever order they come."""

    provider: str
    project_id: str
    meter: UsageMeter
    timing: Timing
    _values: dict[_Key, dict[tuple[datetime, datetime], float]]
    refused: int = 0
    """Points without an amount or a time that can be true."""

    @classmethod
    def empty(cls, provider: str, project_id: str, meter: UsageMeter, timing: Timing) -> MeterPoints:
        """Without any points yet."""
        return cls(provider, project_id, meter, timing, {})

    def take(self, series: Iterable[Any], stretch: Stretch) -> None:
        """Add the points of some series (protobuf). A point that is there is replaced, never added to."""
        period = timedelta(seconds=stretch.period_seconds)
        meter, held = self.meter, held_for(self.meter, self.timing)
        earliest, latest = (stretch.since - held).timestamp(), stretch.until.timestamp()
        fields = (
            meter.region,
            meter.resource,
            meter.revision if stretch.by_revision else "",
            meter.dimension,
        )
        for one in series:
            values = self._values.setdefault(_key(one, fields), {})
            for point in one.points:
                amount = self._amount(point.value)
                if amount is None or not 0 <= amount < _LARGEST:
                    self.refused += 1
                    continue
                seconds = point.interval.end_time.seconds
                if earliest < seconds <= latest:
                    end = datetime.fromtimestamp(seconds, UTC)
                    values[end - period, end] = amount

    def points(self, since: datetime) -> Iterator[UsagePoint]:
        """The usage points that begin at `since` or later, each series in the order of time."""
        for key, values in self._values.items():
            kept = self._held(values) if held_for(self.meter, self.timing) else values
            for (start, end), value in sorted(kept.items()):
                if start >= since:
                    yield self._point(key, start, end, value)

    def holes(self) -> list[tuple[datetime, datetime]]:
        """Intervals in which no series at all has a point, although there are some before and after."""
        spans = sorted({span for values in self._values.values() for span in values})
        return [(end, start) for (_, end), (start, _) in pairwise(spans) if start > end]

    def resources(self) -> int:
        """Number of distinct resources so far."""
        return len({(key[_REGION], key[_RESOURCE]) for key in self._values})

    def _amount(self, value: Any) -> float | None:
        """Return the amount in the bill's unit; None where the value is no number."""
        kind = self.meter.kind
        if kind == "distribution_count":
            return float(value.distribution_value.count) * self.meter.factor
        number = getattr(value, value.WhichOneof("value") or "double_value")
        if not isinstance(number, int | float):
            return None
        if kind == "level" and not held_for(self.meter, self.timing):
            # Samples were summed up, and each stands for one sample period.
            return float(number) * self.timing.sample_seconds * self.meter.factor
        return float(number) * self.meter.factor

    def _held(self, values: dict[tuple[datetime, datetime], float]) -> dict[tuple[datetime, datetime], float]:
        """Spread rare samples of a level over the hours until the next sample."""
        hours: dict[tuple[datetime, datetime], float] = {}
        longest = held_for(self.meter, self.timing)
        for (start, _), level in sorted(values.items()):
            hour = hour_of(start)
            while hour < start + longest:
                hours[hour, hour + HOUR] = level * 3600.0
                hour += HOUR
        return hours

    def _point(self, key: _Key, start: datetime, end: datetime, value: float) -> UsagePoint:
        region = key[_REGION]
        return UsagePoint(
            provider=self.provider,
            project_id=self.project_id,
            region_id=_region(region) if self.meter.region.endswith("zone") else region,
            service_id=self.meter.service_id,
            resource=key[_RESOURCE].removeprefix(f"{self.project_id}:"),
            revision=key[_REVISION],
            meter=self.meter.name,
            dimension=key[_DIMENSION],
            start=start,
            end=end,
            value=value,
            unit=self.meter.unit,
        )


def _key(series: Any, fields: tuple[str, str, str, str]) -> _Key:
    region, resource, revision, dimension = (_label(series, field) for field in fields)
    return region, resource, revision, dimension


def _label(series: Any, field: str) -> str:
    if not field:
        return ""
    part, _, name = field.split(".")
    labels = series.resource.labels if part == "resource" else series.metric.labels
    return str(labels.get(name, ""))


def _region(zone: str) -> str:
    """`us-central1` of `us-central1-a`."""
    return zone[:-2] if zone[-2:-1] == "-" else zone
