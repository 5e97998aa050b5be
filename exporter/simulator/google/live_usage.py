"""The demo world's use as Cloud Monitoring would sample it: by minute and revision, true to the bill's hours.

Pure: an hour's samples sum to the hour's use in `World.uses`, in any number of steps.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final

from exporter.simulator.chance import normal, stream, uniform
from exporter.simulator.google.live_metrics import (
    EMISSIONS,
    IDLE_MACHINES,
    MODELS,
    UTILIZATION,
    VCPUS,
    Emission,
)
from exporter.simulator.google.usage import Meter, Use
from exporter.simulator.google.world import World
from exporter.simulator.moment import BILLING_ZONE, hour_start

_MINUTES: Final = 60
_SHIFT_MINUTES: Final = 15
"""How long traffic takes to move to a new revision."""
_DEPLOY_SHARE: Final = 0.35
"""Share of days on which a service is deployed."""
_STARTS_PER_REQUEST: Final = 0.0004
_STARTS_AT_DEPLOY: Final = 0.004
_STARTS_IN_STORM: Final = 0.09
_SEEN: Final = frozenset(sku for emission in EMISSIONS for sku in emission.skus)
_BY_METRIC: Final = {
    wanted: [each for each in EMISSIONS if (each.metric.type, each.resource_type) == wanted]
    for wanted in {(each.metric.type, each.resource_type) for each in EMISSIONS}
}
_FEW: Final = 1000.0
_STORMY: Final = "support-agent"


@dataclass(frozen=True, slots=True)
class Samples:
    """One raw time series within one hour."""

    project_id: str
    resource_labels: dict[str, str]
    metric_labels: dict[str, str]
    minutes: tuple[float, ...]
    """Sixty samples; each sample of a DELTA metric is of its minute only."""


class SimulatedUsage:
    """Samples of a world."""

    def __init__(self, world: World, *, seed: int = 1, parallel_revisions: int = 1) -> None:
        """With `parallel_revisions`, traffic of every service is split evenly over so many at any time."""
        self._world = world
        self._seed = seed
        self._parallel = parallel_revisions
        self._uses = lru_cache(maxsize=1024)(self._uses_of)
        self._weights = lru_cache(maxsize=1024)(self._weights_of)

    def samples(self, project_id: str, metric_type: str, resource_type: str, hour: int) -> Iterator[Samples]:
        """All series of a metric in a project within one hour since the epoch; quiet ones are left out."""
        for emission in _BY_METRIC.get((metric_type, resource_type), ()):
            for meter, use in self._uses(hour).get(project_id, ()):
                if meter.line.sku in emission.skus:
                    yield from self._of_line(emission, meter, use, hour)

    def _uses_of(self, hour: int) -> dict[str, list[tuple[Meter, Use]]]:
        """What has a metric, by project."""
        found: dict[str, list[tuple[Meter, Use]]] = {}
        for meter, use in self._world.uses(hour):
            if meter.line.sku in _SEEN:
                found.setdefault(meter.project.id, []).append((meter, use))
        return found

    def _of_line(self, emission: Emission, meter: Meter, use: Use, hour: int) -> Iterator[Samples]:
        name = _name(meter)
        total = self._total(emission, meter, use, hour, name)
        labels = _labels(emission, meter, name)
        for added, amount in _split_by_label(emission, total):
            own = {label: text.format(name=name) for label, text in emission.metric_labels}
            metric_labels = {**own, **added}
            minutes = self._minutes(emission, meter, name, hour, amount)
            if not emission.by_revision:
                yield Samples(meter.project.id, labels, metric_labels, minutes)
                continue
            whole = emission.metric.value != "double"
            for revision, part in self._by_revision(meter, name, hour, minutes, whole=whole):
                yield Samples(meter.project.id, {**labels, "revision_name": revision}, metric_labels, part)

    def _total(self, emission: Emission, meter: Meter, use: Use, hour: int, name: str) -> float:
        """Sum over the hour of a DELTA metric, or the level of a GAUGE."""
        if emission.metric is UTILIZATION:
            key = stream(self._seed, "utilization", name)
            return 0.02 if name in IDLE_MACHINES else 0.5 + 0.08 * normal(key, hour)
        amount = use.amount * emission.factor
        if meter.sku.unit.per_month:
            pacific = hour_start(hour).astimezone(BILLING_ZONE)
            amount *= monthrange(pacific.year, pacific.month)[1] * 24.0
        if emission.per_vcpu:
            amount /= VCPUS.get(name, 1.0)
        if emission.storms:
            amount *= self._start_ratio(meter, name, hour)
        return amount

    def _minutes(
        self, emission: Emission, meter: Meter, name: str, hour: int, total: float
    ) -> tuple[float, ...]:
        metric = emission.metric
        whole = metric.value != "double"
        if metric.kind == "DELTA":
            return self._split(f"{meter.project.id}/{name}", hour, total, whole)
        every = metric.sample_seconds // 60
        if whole and total < _FEW:
            # Whole instances or CPUs, whose sum over the hour is what the bill's seconds need.
            return self._split(f"{meter.project.id}/{name}", hour, total * _MINUTES, whole)
        return tuple(total if minute % every == 0 else 0.0 for minute in range(_MINUTES))

    def _split(self, key: str, hour: int, total: float, whole: bool) -> tuple[float, ...]:
        weights = self._weights(key, hour)
        if not whole:
            return tuple([weight * total for weight in weights])
        bounds = [round(bound * total) for bound in accumulate(weights, initial=0.0)]
        return tuple([float(after - before) for before, after in pairwise(bounds)])

    def _weights_of(self, key: str, hour: int) -> tuple[float, ...]:
        """Share of each minute in an hour of one resource, the same for all its metrics."""
        chance = stream(self._seed, "minute", key)
        weights = [1.0 + 0.2 * normal(chance, hour * _MINUTES + minute) for minute in range(_MINUTES)]
        whole = sum(weights)
        return tuple([weight / whole for weight in weights])

    def _by_revision(
        self, meter: Meter, name: str, hour: int, minutes: tuple[float, ...], *, whole: bool
    ) -> Iterator[tuple[str, tuple[float, ...]]]:
        day, began = self._deployed(meter, name, hour)
        if self._parallel > 1:
            for number in range(self._parallel):
                part = tuple(_part(value, number, self._parallel, whole=whole) for value in minutes)
                yield _revision(name, day, number), part
            return
        shift = hour * _MINUTES - began
        if shift >= _SHIFT_MINUTES or shift <= -_MINUTES:
            yield _revision(name, day if shift >= 0 else self._before(meter, name, day)), minutes
            return
        moved = tuple(
            _share(value, (shift + minute) / _SHIFT_MINUTES, whole=whole)
            for minute, value in enumerate(minutes)
        )
        yield _revision(name, day), moved
        stayed = tuple(value - new for value, new in zip(minutes, moved, strict=True))
        yield _revision(name, self._before(meter, name, day)), stayed

    def _deployed(self, meter: Meter, name: str, hour: int) -> tuple[int, int]:
        """Day of the latest deployment that begins before the hour ends, and the minute it begins at."""
        day = hour // 24
        while True:
            began = self._deployment(meter, name, day)
            if began is not None and began < (hour + 1) * _MINUTES:
                return day, began
            day -= 1

    def _before(self, meter: Meter, name: str, day: int) -> int:
        day -= 1
        while self._deployment(meter, name, day) is None:
            day -= 1
        return day

    def _deployment(self, meter: Meter, name: str, day: int) -> int | None:
        key = stream(self._seed, "deploy", meter.project.id, name)
        if uniform(key, day) >= _DEPLOY_SHARE:
            return None
        return day * 24 * _MINUTES + 14 * _MINUTES + int(uniform(key, -day) * 8 * _MINUTES)

    def _start_ratio(self, meter: Meter, name: str, hour: int) -> float:
        """Starts of instances per request in an hour."""
        _, began = self._deployed(meter, name, hour)
        if name == _STORMY and hour % 24 == self.storm_hour(hour // 24):
            return _STARTS_IN_STORM
        return _STARTS_AT_DEPLOY if began // _MINUTES == hour else _STARTS_PER_REQUEST

    def storm_hour(self, day: int) -> int:
        """The hour of a day (since the epoch, UTC) in which the support agent's instances do not stay up."""
        return 15 + int(uniform(stream(self._seed, "storm"), day) * 6)


def _split_by_label(emission: Emission, total: float) -> list[tuple[dict[str, str], float]]:
    """Amounts by the values of the label that splits them; they sum to the total."""
    if emission.split is None:
        return [({}, total)]
    label, shares = emission.split
    rest = [({label: value}, float(round(total * share))) for value, share in shares[1:]]
    return [({label: shares[0][0]}, total - sum(amount for _, amount in rest)), *rest]


def _name(meter: Meter) -> str:
    kind = meter.line.sku.partition("-")[0]
    return MODELS.get(kind) or meter.line.resource.partition("/")[2]


def _labels(emission: Emission, meter: Meter, name: str) -> dict[str, str]:
    words = {
        "project": meter.project.id,
        "number": meter.project.number,
        "location": meter.line.location,
        "name": name,
    }
    return {label: text.format(**words) for label, text in emission.labels}


def _revision(name: str, day: int, number: int = 0) -> str:
    letters = f"{stream(day, name, str(number)):016x}".translate(str.maketrans("0123456789", "ghijkmnpqr"))
    return f"{name}-{day - 20_000:05d}-{letters[:3]}"


def _share(value: float, share: float, *, whole: bool) -> float:
    part = value * min(1.0, max(0.0, share))
    return float(round(part)) if whole else part


def _part(value: float, number: int, of: int, *, whole: bool) -> float:
    if not whole:
        return value / of
    return float(int(value * (number + 1) / of) - int(value * number / of))
