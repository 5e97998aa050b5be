"""Adds up the calls of a portion of a usage log: tokens, requests and dollars by model and hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from exporter.charges import UsagePoint
from exporter.sources.base import Rejected
from exporter.sources.log_lines import REASONS, Call, UnusableLineError, read_call
from exporter.sources.log_tailing import LogLine
from exporter.sources.token_prices import TokenPrices

_PLACES_SHOWN: Final = 3


class _Series(NamedTuple):
    provider: str
    project_id: str
    model: str
    hour: datetime
    meter: str
    dimension: str


_UNITS: Final = {
    "llm_tokens": "tokens",
    "llm_requests": "requests",
    "llm_list_usd": "usd",
    "llm_unpriced_tokens": "tokens",
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
        self._sums: dict[_Series, Decimal] = {}
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
        for series, amount in self._sums.items():
            if amount:
                yield UsagePoint(
                    provider=series.provider,
                    project_id=series.project_id,
                    region_id="",
                    service_id="",
                    resource=series.model,
                    revision="",
                    meter=series.meter,
                    dimension=series.dimension,
                    start=series.hour,
                    end=series.hour + timedelta(hours=1),
                    value=float(amount),
                    unit=_UNITS[series.meter],
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
        self._add(call, "llm_requests", "", Decimal(1))
        for token_type, count in call.tokens.by_type().items():
            self._add(call, "llm_tokens", token_type, Decimal(count))
        if call.cost_usd is not None:
            self._add(call, "llm_list_usd", "", call.cost_usd)
            return
        priced = self._prices.price(call.provider, call.model, call.tokens, call.at)
        if priced is None:
            for token_type, count in call.tokens.by_type().items():
                self._add(call, "llm_unpriced_tokens", token_type, Decimal(count))
            return
        for token_type, usd in priced.by_token_type.items():
            self._add(call, "llm_list_usd", token_type, usd)

    def _add(self, call: Call, meter: str, dimension: str, amount: Decimal) -> None:
        if amount:
            hour = call.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            series = _Series(call.provider, call.project_id, call.model, hour, meter, dimension)
            self._sums[series] = self._sums.get(series, Decimal(0)) + amount
