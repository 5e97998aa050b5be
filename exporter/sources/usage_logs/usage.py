"""Adds up the calls of a portion of a usage log: tokens, requests and dollars by model and hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.sources.base import Rejected
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.usage_logs.lines import REASONS, Call, UnusableLineError, read_call
from exporter.sources.usage_logs.tailing import LogLine

_PLACES_SHOWN: Final = 3


class _Hour(NamedTuple):
    provider: str
    project_id: str
    model: str
    start: datetime


_Sums = dict[tuple[str, str], Decimal | int]
"""By meter and dimension."""

_UNITS: Final = {
    llm_meters.TOKENS: "tokens",
    llm_meters.REQUESTS: "requests",
    llm_meters.LIST_USD: "usd",
    llm_meters.UNPRICED_TOKENS: "tokens",
}


class LogUsage:
    """What some lines of one file sum to. Sums are exact until they become points."""

    def __init__(
        self, path: Path, prices: TokenPrices, latest_plausible: datetime, oldest_kept: datetime
    ) -> None:
        self._path = path
        self._prices = prices
        self._latest_plausible = latest_plausible
        self._oldest_kept = oldest_kept
        self._sums: dict[_Hour, _Sums] = {}
        self._refused: dict[str, tuple[int, list[int]]] = {}
        self.calls = 0
        """Lines that were counted."""

    def take(self, line: LogLine) -> None:
        """Count one line, or set it aside."""
        if line.content is None:
            self._refuse("line_too_long", line.offset)
            return
        # A writer that does not append leaves a hole of zeros when its file is truncated under it.
        content = line.content.lstrip(b"\0").removeprefix(b"\xef\xbb\xbf").strip()
        if not content:
            return
        try:
            call = read_call(content, self._latest_plausible)
        except UnusableLineError as error:
            self._refuse(error.reason, line.offset)
            return
        if call.at >= self._oldest_kept:
            self.calls += 1
            self._count(call)

    def points(self) -> Iterator[UsagePoint]:
        """Return the sums, each for a whole hour."""
        for hour, sums in self._sums.items():
            for (meter, dimension), amount in sums.items():
                yield UsagePoint(
                    provider=hour.provider,
                    project_id=hour.project_id,
                    region_id="",
                    service_id="",
                    resource=hour.model,
                    revision="",
                    meter=meter,
                    dimension=dimension,
                    start=hour.start,
                    end=hour.start + timedelta(hours=1),
                    value=float(amount),
                    unit=_UNITS[meter],
                )

    def rejected(self) -> Iterator[Rejected]:
        """Return what was set aside, by reason, with the first places. Bytes count from 0, lines unpacked."""
        for reason, (count, offsets) in sorted(self._refused.items()):
            place = f"{self._path} byte {', '.join(map(str, offsets))}"
            yield Rejected(reason, count, place, f"{REASONS[reason]}; the line was left out")

    def _refuse(self, reason: str, offset: int) -> None:
        count, offsets = self._refused.get(reason, (0, []))
        shown = [*offsets, offset] if len(offsets) < _PLACES_SHOWN else offsets
        self._refused[reason] = (count + 1, shown)

    def _count(self, call: Call) -> None:
        start = call.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        sums = self._sums.setdefault(_Hour(call.provider, call.project_id, call.model, start), {})
        tokens = call.tokens.by_type()
        _add(sums, llm_meters.REQUESTS, {"": 1})
        _add(sums, llm_meters.TOKENS, tokens)
        if call.cost_usd is not None:
            _add(sums, llm_meters.LIST_USD, {"": call.cost_usd})
            return
        priced = self._prices.price(call.provider, call.model, call.tokens, call.at)
        if priced is None:
            _add(sums, llm_meters.UNPRICED_TOKENS, tokens)
        else:
            _add(sums, llm_meters.LIST_USD, priced.by_token_type)


def _add(sums: _Sums, meter: str, amounts: Mapping[str, Decimal] | Mapping[str, int]) -> None:
    for dimension, amount in amounts.items():
        if amount:
            sums[meter, dimension] = sums.get((meter, dimension), 0) + amount
