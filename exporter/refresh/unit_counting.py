"""Counts the user's units: yesterday's for the metrics, and each past day's for the ledger.

Prometheus forgets after some days, so a day is asked for once and kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount
from exporter.sources.prometheus_units import UnitCounts, UnitFailure, UnitQuery

logger = logging.getLogger(__name__)

_DAY: Final = timedelta(days=1)
_ASKED_AT_ONCE: Final = 31
"""Days in one request, so that each is answered in time."""


class UnitCounting:
    """Counts units and keeps their numbers. `count` takes as long as the servers do: call it aside."""

    def __init__(self, ledger: Ledger, counts: UnitCounts, keep: timedelta) -> None:
        """`keep` is how far back days are counted."""
        self._kept = KeptUnitCounts(ledger)
        self._counts = counts
        self._keep = keep
        self._caught_up: dict[UnitQuery, date] = {}
        """The last day for which all days before were asked for."""

    def count(self, now: datetime) -> Mapping[str, float]:
        """Return yesterday's numbers, without those that could not be read, and keep those of all days."""
        found = self._counts.read(now)
        numbers = {name: each for name, each in found.items() if isinstance(each, float)}
        for each in found.values():
            if isinstance(each, UnitFailure):
                logger.error("%s", each.text)
        yesterday = now.astimezone(ZoneInfo(self._counts.timezone)).date() - _DAY
        try:
            for query in self._counts.queries:
                if query.unit in numbers:
                    self._kept.keep([self._counted(query, yesterday, numbers[query.unit])])
                    self._catch_up(query, yesterday)
        except LedgerError as error:
            logger.error("numbers of units are not kept: %s", error)  # noqa: TRY400 (the text is complete)
        return numbers

    def _catch_up(self, query: UnitQuery, yesterday: date) -> None:
        """Ask once a day for the days that the ledger does not have, the latest first."""
        if self._caught_up.get(query) == yesterday:
            return
        first = yesterday - self._keep + _DAY
        known = {
            each.day: (each.promql, each.timezone) == (query.promql, self._counts.timezone)
            for each in self._kept.since(first - _DAY)
            if each.unit == query.unit
        }
        for days in _latest_first(first, yesterday):
            if all(known.get(day) for day in days):
                continue
            # The day before shows whether Prometheus has the whole of the first.
            found = self._counts.read_days(query, [days[0] - _DAY, *days])
            if isinstance(found, UnitFailure):
                logger.error("%s", found.text)
                return
            self._kept.keep(
                [
                    self._counted(query, day, found[day])
                    for day in days
                    if day in found and not known.get(day) and (day - _DAY in found or known.get(day - _DAY))
                ]
            )
            if not found:
                break
        self._caught_up[query] = yesterday

    def _counted(self, query: UnitQuery, day: date, number: float) -> UnitCount:
        return UnitCount(query.unit, day, number, query.promql, self._counts.timezone)


def _latest_first(first: date, end: date) -> Iterator[Sequence[date]]:
    """Yield the days in [first, end) in runs, each in order."""
    while first < end:
        begin = max(first, end - _ASKED_AT_ONCE * _DAY)
        yield [begin + number * _DAY for number in range((end - begin).days)]
        end = begin
