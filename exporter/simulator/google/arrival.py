"""When the parts of an hour's cost reach the export: each service is late in its own way.

It knows times and shares only; what is in a row is decided elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import exp
from operator import itemgetter
from typing import Final, NamedTuple

from exporter.simulator.chance import normal, stream, uniform
from exporter.simulator.google.usage import Meter
from exporter.simulator.moment import MICROSECONDS_PER_HOUR
from exporter.simulator.variation import ORDINARY, Variation

LONGEST_LAG_HOURS: Final = 100
"""Every part has arrived this many hours after the end of its usage hour."""

_HOURS_KEPT: Final = LONGEST_LAG_HOURS + 60


class Part(NamedTuple):
    """A share of one meter's hour and when it is exported; the shares of an hour tile 0 to 1."""

    exported_microseconds: int
    hour: int
    meter: int
    begin: float
    end: float


class Arrivals:
    """The export schedule: a pure function of the seed; it only remembers recent hours."""

    def __init__(self, seed: int, meters: tuple[Meter, ...], variation: Variation = ORDINARY) -> None:
        names = [(meter.account.id, meter.service.name) for meter in meters]
        channels = list(dict.fromkeys(names))
        self._channel = [channels.index(name) for name in names]
        self._lags = [meters[names.index(channel)].service.lag for channel in channels]
        self._services = [meters[names.index(channel)].sku.service for channel in channels]
        self._variation = variation
        self._delays = [stream(seed, "delay", *channel) for channel in channels]
        self._runs = [stream(seed, "run", *channel) for channel in channels]
        self._fates = [stream(seed, "fate", *meter.name) for meter in meters]
        self._hours: dict[int, list[Part]] = {}

    def between(self, since: int, until: int, first_hour: int) -> Iterator[Part]:
        """Parts exported in [since, until), microseconds since the epoch, of use from `first_hour` on."""
        earliest = since // MICROSECONDS_PER_HOUR - LONGEST_LAG_HOURS - 1
        for hour in range(max(first_hour, earliest), until // MICROSECONDS_PER_HOUR + 1):
            parts = self.of_hour(hour)
            begin = bisect_left(parts, since, key=itemgetter(0))
            yield from parts[begin : bisect_left(parts, until, lo=begin, key=itemgetter(0))]

    def of_hour(self, hour: int) -> list[Part]:
        """All parts of an hour of all meters, in the order of their export."""
        found = self._hours.get(hour)
        if found is None:
            if len(self._hours) >= _HOURS_KEPT:
                del self._hours[next(iter(self._hours))]
            found = self._hours[hour] = self._schedule(hour)
        return found

    def _schedule(self, hour: int) -> list[Part]:
        batches = [self._batch_time(channel, hour) for channel in range(len(self._lags))]
        parts: list[Part] = []
        for meter, channel in enumerate(self._channel):
            lag = self._lags[channel]
            fate = uniform(self._fates[meter], hour)
            if fate < lag.straggler_share:
                parts.append(self._straggler(meter, hour))
            elif fate < lag.straggler_share + lag.split_share:
                parts.extend(self._split(meter, hour, batches[channel]))
            else:
                parts.append(Part(batches[channel], hour, meter, 0.0, 1.0))
        parts.sort()
        return parts

    def _batch_time(self, channel: int, hour: int) -> int:
        lag, key = self._lags[channel], self._delays[channel]
        mood = lag.spread * normal(key, hour // 6) + 0.12 * normal(key ^ 1, hour)
        late = self._variation.extra_lag_hours(self._services[channel], hour)
        return self._run_after(channel, hour, lag.median_hours * exp(mood) + late)

    def _run_after(self, channel: int, hour: int, lag_hours: float) -> int:
        """Time of the first export run at least this long after the end of a usage hour."""
        lag = min(lag_hours, LONGEST_LAG_HOURS - 2.0)
        ready = (hour + 1) * MICROSECONDS_PER_HOUR + int(lag * MICROSECONDS_PER_HOUR)
        slot = ready // MICROSECONDS_PER_HOUR
        run = self._run_time(channel, slot)
        return run if run >= ready else self._run_time(channel, slot + 1)

    def _run_time(self, channel: int, slot: int) -> int:
        share = 0.05 + 0.9 * uniform(self._runs[channel], slot)
        return slot * MICROSECONDS_PER_HOUR + int(share * MICROSECONDS_PER_HOUR)

    def _straggler(self, meter: int, hour: int) -> Part:
        late = 24.0 + 72.0 * uniform(self._fates[meter] ^ 1, hour * 4) ** 2
        return Part(self._run_after(self._channel[meter], hour, late), hour, meter, 0.0, 1.0)

    def _split(self, meter: int, hour: int, first: int) -> tuple[Part, ...]:
        """Two or three parts, the first and largest with the batch at `first`."""
        wait, share, third, wait_more = (uniform(self._fates[meter] ^ 1, hour * 4 + n) for n in range(4))
        cut = 0.5 + 0.4 * share
        second = self._later(meter, hour, first, wait)
        if third >= 0.3:
            return (Part(first, hour, meter, 0.0, cut), Part(second, hour, meter, cut, 1.0))
        middle = (1.0 + cut) / 2.0
        return (
            Part(first, hour, meter, 0.0, cut),
            Part(second, hour, meter, cut, middle),
            Part(self._later(meter, hour, second, wait_more), hour, meter, middle, 1.0),
        )

    def _later(self, meter: int, hour: int, exported: int, draw: float) -> int:
        waited = exported / MICROSECONDS_PER_HOUR - hour - 1.0
        return self._run_after(self._channel[meter], hour, waited + 1.5 + 10.0 * draw**2)
