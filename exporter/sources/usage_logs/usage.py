"""Adds up the calls of a portion of a usage log: tokens, requests and dollars by model and hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.core.model_labels import model_label
from exporter.sources.base import Rejected
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.usage_logs.calls import Call
from exporter.sources.usage_logs.lines import plain_content, read_line
from exporter.sources.usage_logs.refusals import REASONS
from exporter.sources.usage_logs.tailing import LogLine

_PLACES_SHOWN: Final = 3


class _Hour(NamedTuple):
    provider: str
    project_id: str
    model: str
    start: datetime


@dataclass(slots=True)
class _Refused:
    """What was set aside for one reason."""

    count: int = 0
    offsets: list[int] = field(default_factory=list)
    """Of the first lines. Bytes count from 0."""
    what: list[str] = field(default_factory=list)


_Sums = dict[tuple[str, str], Decimal | int]
"""By meter and dimension."""

_UNITS: Final = {
    llm_meters.TOKENS: "tokens",
    llm_meters.REQUESTS: "requests",
    llm_meters.LIST_USD: "usd",
    llm_meters.UNPRICED_TOKENS: "tokens",
    **llm_meters.FEES,
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
        self._refused: dict[str, _Refused] = {}
        self.calls = 0
        """Calls that were counted."""

    def take(self, line: LogLine) -> None:
        """Count the calls of one line, and set aside what cannot be used."""
        if line.content is None:
            self._refuse("line_too_long", line.offset)
            return
        content = plain_content(line.content)
        if not content:
            return
        found = read_line(content, self._latest_plausible)
        for error in found.refused:
            self._refuse(error.reason, line.offset, error.what)
        for call in found.calls:
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
        for reason, refused in sorted(self._refused.items()):
            place = f"{self._path} byte {', '.join(map(str, refused.offsets))}"
            what = f" ({'; '.join(refused.what)})" if refused.what else ""
            yield Rejected(reason, refused.count, place, f"{REASONS[reason]}{what}; it was left out")

    def _refuse(self, reason: str, offset: int, what: str = "") -> None:
        refused = self._refused.setdefault(reason, _Refused())
        refused.count += 1
        if len(refused.offsets) < _PLACES_SHOWN and offset not in refused.offsets:
            refused.offsets.append(offset)
        if what and len(refused.what) < _PLACES_SHOWN and what not in refused.what:
            refused.what.append(what)

    def _count(self, call: Call) -> None:
        start = call.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        model = model_label(call.provider, call.model)
        sums = self._sums.setdefault(_Hour(call.provider, call.project_id, model, start), {})
        tokens = call.tokens.by_type()
        _add(sums, llm_meters.REQUESTS, {"": 1})
        _add(sums, llm_meters.TOKENS, tokens)
        for meter, count in call.unpriced_fees.items():
            _add(sums, meter, {"": count})
        if call.cost_usd is not None:
            _add(sums, llm_meters.LIST_USD, {"": call.cost_usd})
            return
        priced = self._prices.price(call.priced_as, call.model, call.tokens, call.at, terms=call.terms)
        _add(sums, llm_meters.LIST_USD, priced.by_token_type if priced else {})
        _add(sums, llm_meters.UNPRICED_TOKENS, priced.unpriced if priced else tokens)


def _add(sums: _Sums, meter: str, amounts: Mapping[str, Decimal] | Mapping[str, int]) -> None:
    for dimension, amount in amounts.items():
        if amount:
            sums[meter, dimension] = sums.get((meter, dimension), 0) + amount
