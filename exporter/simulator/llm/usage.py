"""What the demo world's company truly used of language models in each hour and minute.

Pure: the same seed, start and incident give the same use, in any order of requests, and independent of what
the providers report when.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from math import exp
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from exporter.simulator.chance import normal, stream
from exporter.simulator.google.company import SEASONS, Season
from exporter.simulator.google.usage import Incident
from exporter.simulator.llm.company import WORKLOADS, Workload
from exporter.simulator.llm.prices import Amount
from exporter.simulator.moment import MICROSECONDS_PER_HOUR, moment, to_microseconds
from exporter.simulator.variation import ORDINARY, Variation

_MINUTES: Final = 60
_INCIDENT_FACTOR: Final = 14.0
_PLACE: Final = ZoneInfo("America/Los_Angeles")
_AMOUNT_NOISE: Final = 0.06
"""Standard deviation of the logarithm of what the mean request of an hour counts."""


class LlmUse(NamedTuple):
    """What one workload counted in an hour or a part of it."""

    workload: Workload
    requests: int
    amounts: dict[Amount, int]


class LlmUsage:
    """A company's calls of language models from `start` on; another `seed` gives another company."""

    def __init__(
        self,
        seed: int,
        start: datetime,
        incident: Incident | None = None,
        variation: Variation = ORDINARY,
    ) -> None:
        self.seed: Final = seed
        self.start: Final = start
        self.first_hour: Final = -(-to_microseconds(start) // MICROSECONDS_PER_HOUR)
        self._incident = incident
        self._variation = variation
        self._meters = tuple(_Meter(seed, workload) for workload in WORKLOADS)
        self._by_workload = {meter.workload: meter for meter in self._meters}
        self._uses_of = lru_cache(maxsize=256)(self._uses)
        self._minutes_of = lru_cache(maxsize=256)(self._minutes)

    @classmethod
    def ending_at(
        cls,
        now: datetime,
        seed: int = 1,
        past: timedelta = timedelta(days=45),
        incident_began: timedelta = timedelta(hours=30),
        incident_lasts: timedelta = timedelta(hours=72),
    ) -> Self:
        """Calls with so much past at `now`, in which a runaway began so long before; as `World.ending_at`.

        The runaway lets the key of the support bot call its model some 14 times as often. No length, no
        runaway.
        """
        hour = to_microseconds(now) // MICROSECONDS_PER_HOUR
        first = hour - incident_began // timedelta(hours=1)
        incident = Incident(first, first + incident_lasts // timedelta(hours=1), _INCIDENT_FACTOR)
        return cls(seed, now - past, incident)

    def uses(self, hour: int) -> tuple[LlmUse, ...]:
        """What was used in an hour (counted since the epoch); quiet workloads are left out."""
        return self._uses_of(hour)

    def minutes(self, use: LlmUse, hour: int) -> tuple[LlmUse, ...]:
        """Split the use of a whole hour over its sixty minutes: they sum to it, whole requests each."""
        return self._minutes_of(use.workload, hour)

    def _uses(self, hour: int) -> tuple[LlmUse, ...]:
        if hour < self.first_hour:
            return ()
        week_hour = moment(hour, (_PLACE,)).week_hours[_PLACE.key]
        uses = (self._use(meter, hour, week_hour) for meter in self._meters)
        return tuple(use for use in uses if use.requests)

    def _use(self, meter: _Meter, hour: int, week_hour: int) -> LlmUse:
        workload = meter.workload
        grown = workload.growth * self._variation.growing_hours(self.first_hour, hour) / 720.0
        day = 0.5 * workload.noise * normal(meter.day, hour // 24)
        mean = workload.requests_per_day / 24.0 * meter.week[week_hour]
        mean *= exp(grown + day + workload.noise * normal(meter.hour, hour))
        if workload.runaway and self._incident is not None:
            mean *= self._incident.multiplier(hour)
        requests = round(mean)
        amounts = {
            kind: _amount(requests, each, normal(key, hour))
            for (kind, each), key in zip(workload.per_request.items(), meter.amounts, strict=True)
        }
        return LlmUse(workload, requests, amounts)

    def _minutes(self, workload: Workload, hour: int) -> tuple[LlmUse, ...]:
        use = next(use for use in self.uses(hour) if use.workload is workload)
        meter = self._by_workload[workload]
        minutes = range(hour * _MINUTES, (hour + 1) * _MINUTES)
        requests = cut(use.requests, [1.0 + 0.2 * normal(meter.minute, minute) for minute in minutes])
        sizes = [
            count * (1.0 + 0.2 * normal(meter.size, minute))
            for count, minute in zip(requests, minutes, strict=True)
        ]
        parts = {
            kind: cut(amount, requests if workload.per_request[kind] <= 1.0 else sizes)
            for kind, amount in use.amounts.items()
        }
        return tuple(
            LlmUse(workload, count, {kind: amounts[number] for kind, amounts in parts.items()})
            for number, count in enumerate(requests)
        )


class _Meter:
    """A workload and the streams of randomness that are its own."""

    def __init__(self, seed: int, workload: Workload) -> None:
        names = workload.name
        self.workload = workload
        self.week = _week(SEASONS[workload.season])
        self.hour = stream(seed, "llm hour", *names)
        self.day = stream(seed, "llm day", *names)
        self.minute = stream(seed, "llm minute", *names)
        self.size = stream(seed, "llm size", *names)
        self.amounts = [stream(seed, "llm amount", kind, *names) for kind in workload.per_request]


def cut(total: int, weights: Iterable[float]) -> list[int]:
    """Cut a whole number into whole parts by weights (above 0); the parts sum to it."""
    bounds = list(accumulate(weights, initial=0.0))
    edges = [round(total * bound / bounds[-1]) for bound in bounds]
    return [after - before for before, after in pairwise(edges)]


def _amount(requests: int, mean: float, chance: float) -> int:
    return round(requests * mean) if mean <= 1.0 else round(requests * mean * exp(_AMOUNT_NOISE * chance))


def _week(season: Season) -> list[float]:
    """Weight of each hour of a week from Monday 00:00, with mean 1."""
    weights = [weight * (1.0 if day < 5 else season.weekend) for day in range(7) for weight in season.hours]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]
