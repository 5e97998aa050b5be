"""The single calls of the demo world that its applications write to the usage log.

All calls of the provider whose bill no API reports; those of one OpenAI application, which OpenAI bills too;
and one in a hundred of a Gemini model on Vertex AI, which the Google Cloud bill has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Final

from exporter.simulator.chance import normal, stream, uniform
from exporter.simulator.google.world import World
from exporter.simulator.llm.company import Workload
from exporter.simulator.llm.prices import Amount, billed_usd
from exporter.simulator.llm.usage import LlmUsage, LlmUse, cut

_MINUTES: Final = 60
_MICROSECONDS_PER_MINUTE: Final = 60_000_000
_PROVIDERS: Final = {"openai": "openai", "mistral": "mistral_ai", "vertex": "gcp.vertex_ai"}
"""Names as OpenTelemetry's conventions for generative AI have them."""

_GEMINI_SKUS: Final[dict[str, Amount]] = {
    "flash-in": "input",
    "flash-cached": "cache_read",
    "flash-out": "output",
}
_GEMINI_PROJECT: Final = "northwind-assistant"
_GEMINI_SHARE: Final = 0.01
_GEMINI_TOKENS_PER_CALL: Final = 9000
GEMINI_MODEL: Final = "gemini-2.5-flash"


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call."""

    microseconds: int
    """When it ended, since the epoch."""
    id: str
    provider: str
    """As in `gen_ai.provider.name`."""
    model: str
    service: str
    tokens: Mapping[Amount, int]
    """Disjoint, as everywhere in this world."""
    cost_usd: Decimal | None
    """What it is billed, where the application knows."""


class Calls:
    """The logged calls of a company; with its use of Google Cloud, also those that Google bills."""

    def __init__(self, usage: LlmUsage, world: World | None = None) -> None:
        self._usage = usage
        self._world = world
        self.of_hour = lru_cache(maxsize=4)(self._of_hour)

    def between(self, begin: int, end: int) -> Iterator[Call]:
        """Calls that ended in [begin, end), microseconds since the epoch, in the order of the log."""
        per_hour = _MINUTES * _MICROSECONDS_PER_MINUTE
        for hour in range(begin // per_hour, -(-end // per_hour)):
            for call in self.of_hour(hour):
                if begin <= call.microseconds < end:
                    yield call

    def _of_hour(self, hour: int) -> tuple[Call, ...]:
        found: list[Call] = []
        for use in self._usage.uses(hour):
            if use.workload.logged:
                for number, minute in enumerate(self._usage.minutes(use, hour)):
                    found.extend(self._of_minute(minute, hour * _MINUTES + number))
        if self._world is not None:
            found.extend(self._gemini(self._world, hour))
        return tuple(sorted(found, key=attrgetter("microseconds", "id")))

    def _of_minute(self, use: LlmUse, minute: int) -> Iterator[Call]:
        workload = use.workload
        name = "/".join(workload.name)
        for number, (time, amounts) in enumerate(self._cut(name, minute, 1, use.requests, use.amounts)):
            yield Call(
                time,
                f"{stream(self._usage.seed, name, str(minute), str(number)):016x}",
                _PROVIDERS[workload.provider],
                workload.model,
                workload.service,
                amounts,
                _cost(workload, amounts) if workload.logs_cost else None,
            )

    def _gemini(self, world: World, hour: int) -> Iterator[Call]:
        amounts: dict[Amount, int] = {}
        for meter, use in world.uses(hour):
            kind = _GEMINI_SKUS.get(meter.line.sku)
            if kind is not None and meter.project.id == _GEMINI_PROJECT:
                amounts[kind] = amounts.get(kind, 0) + int(use.amount * _GEMINI_SHARE)
        count = -(-sum(amounts.values()) // _GEMINI_TOKENS_PER_CALL)
        parts = self._cut(GEMINI_MODEL, hour * _MINUTES, _MINUTES, count, amounts)
        for number, (time, part) in enumerate(parts):
            key = f"{stream(self._usage.seed, GEMINI_MODEL, str(hour), str(number)):016x}"
            yield Call(time, key, _PROVIDERS["vertex"], GEMINI_MODEL, "support-agent", part, None)

    def _cut(
        self, name: str, minute: int, minutes: int, count: int, amounts: dict[Amount, int]
    ) -> Iterator[tuple[int, dict[Amount, int]]]:
        """Cut what was used from a minute on into so many calls: the end and the amounts of each."""
        chance = stream(self._usage.seed, "call", name, str(minute))
        weights = [1.0 + 0.25 * normal(chance, number) for number in range(count)]
        parts = {kind: cut(amount, weights) for kind, amount in amounts.items()} if count else {}
        for number in range(count):
            share = (number + uniform(chance ^ 1, number)) / count
            time = minute * _MICROSECONDS_PER_MINUTE + int(share * minutes * _MICROSECONDS_PER_MINUTE)
            yield time, {kind: part[number] for kind, part in parts.items()}


def _cost(workload: Workload, amounts: dict[Amount, int]) -> Decimal:
    prices = billed_usd(workload.provider, workload.model, amounts, batch=workload.batch)
    return sum(prices.values(), Decimal(0))
