"""When the providers' meters and bills report the demo world's LLM use: usage in minutes, money in hours.

Pure functions of the seed and the moment: the reports at a moment do not depend on earlier requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.simulator.chance import stream, uniform
from exporter.simulator.llm.company import Provider, Workload
from exporter.simulator.llm.usage import LlmUsage, LlmUse

USAGE_COMPLETE_SECONDS: Final = 70 * 60
"""This long after its end all of a minute's usage is reported."""

_HOUR: Final = 3600
_MINUTE: Final = 60
_STRAGGLERS: Final = 0.03
"""Share of minutes that are reported much later than the others."""
_ANTHROPIC_BILL_SECONDS: Final = 300
"""How much later than the usage its cost is reported, as Anthropic documents it."""


class LlmArrival:
    """What has arrived of the use of a world."""

    def __init__(self, usage: LlmUsage) -> None:
        self._usage = usage

    def used(self, provider: Provider, begin: int, end: int, as_of: int) -> Iterator[LlmUse]:
        """Usage in [begin, end) that the provider reports at `as_of`, in parts.

        All times are seconds since the epoch; begin and end are whole minutes.
        """
        for hour in range(begin // _HOUR, -(-end // _HOUR)):
            if hour * _HOUR >= as_of:
                return
            whole = begin <= hour * _HOUR and (hour + 1) * _HOUR <= end
            reported = whole and (hour + 1) * _HOUR + USAGE_COMPLETE_SECONDS <= as_of
            for use in self._usage.uses(hour):
                if use.workload.provider != provider:
                    continue
                if reported:
                    yield use
                else:
                    yield from self._minutes(use, hour, begin, end, as_of)

    def billed(self, provider: Provider, begin: int, end: int, as_of: int) -> Iterator[LlmUse]:
        """Usage whose cost is on the provider's bill at `as_of`, from the hours in [begin, end), in parts."""
        for hour in range(begin // _HOUR, end // _HOUR):
            if hour * _HOUR >= as_of:
                return
            at_once = provider == "anthropic"
            for use in self._usage.uses(hour):
                if use.workload.provider != provider:
                    continue
                if at_once and not use.workload.batch:
                    seen = as_of - _ANTHROPIC_BILL_SECONDS
                    yield from self._of_hour(use, hour, seen)
                elif (hour + 1) * _HOUR + self._posting_seconds(use.workload, hour) <= as_of:
                    yield use

    def _of_hour(self, use: LlmUse, hour: int, as_of: int) -> Iterator[LlmUse]:
        if (hour + 1) * _HOUR + USAGE_COMPLETE_SECONDS <= as_of:
            yield use
        else:
            yield from self._minutes(use, hour, hour * _HOUR, (hour + 1) * _HOUR, as_of)

    def _minutes(self, use: LlmUse, hour: int, begin: int, end: int, as_of: int) -> Iterator[LlmUse]:
        key = stream(self._usage.seed, "llm told", *use.workload.name)
        for number, part in enumerate(self._usage.minutes(use, hour)):
            minute = hour * _MINUTE + number
            if not part.requests or not begin <= minute * _MINUTE < end:
                continue
            if (minute + 1) * _MINUTE + _telling_seconds(key, minute) <= as_of:
                yield part

    def _posting_seconds(self, workload: Workload, hour: int) -> float:
        """How long after its end an hour is put on the bill."""
        late = uniform(stream(self._usage.seed, "llm posted", *workload.name), hour // 4)
        return (3.0 + 6.0 * late) * _HOUR if workload.provider == "openai" else (1.0 + 3.0 * late) * _HOUR


def _telling_seconds(key: int, minute: int) -> float:
    """How long after its end a minute's usage is reported: meters are read every few minutes."""
    late = 120.0 + 240.0 * uniform(key, minute // 5)
    if uniform(key ^ 1, minute) < _STRAGGLERS:
        late += 1200.0 + 2400.0 * uniform(key ^ 2, minute)
    return late
