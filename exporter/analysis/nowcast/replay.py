"""A provider's past lived through once more, hour by hour, knowing at each hour only what was known then.

The nowcast of now is made in the same way as those of the past, so that what a backtest says of it holds.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.baseline import plain_to_come
from exporter.analysis.nowcast.clocks import Clocks
from exporter.analysis.nowcast.estimate import Estimate, Past, estimate_hours
from exporter.analysis.nowcast.known_costs import Floats, Integers, KnownCosts
from exporter.analysis.nowcast.live_usage import LiveUsage, PricedUsage, price_usage, usage_matrix
from exporter.analysis.nowcast.model import Model, fit_model
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core.cost_cells import NANO, CostCells

_AHEAD_HOURS: Final = 24 * 33
"""The calendar reaches so far past the last requested hour."""

_PLAIN_HOURS: Final = 48
"""The plain estimate, where it is used, is so for hours up to so many ahead."""


class Replay:
    """Moves forward through a history. The model is fitted at the start of each billing day.

    `live`: line to usage hour to amount used, in any unit proportional to gross cost. Of it only hours that
    have passed are used, as if each were known at its end.
    """

    def __init__(self, cells: CostCells, timezone: str, until: int, live: LiveUsage | None = None) -> None:
        self.known: Final = KnownCosts(cells, until)
        first, last = self.known.first_hour, max(until, self.known.end) + _AHEAD_HOURS
        self.calendar: Final = BillingCalendar(timezone, first - 24, last)
        self._clocks = Clocks(first, last)
        self._used = usage_matrix(live, self.known) if live else None
        self._priced: PricedUsage | None = None
        self._model: Model | None = None
        self._day = -1
        self.plain: AbstractSet[str] = frozenset()
        """Services for which the plain estimate is used."""

    def model(self, as_of: int) -> Model:
        """The model of the billing day of an hour, from what was known at the day's start."""
        day = self.calendar.day(as_of)
        if self._model is None or self._day != day:
            start = max(self.calendar.day_hours(day)[0], self.known.first_hour)
            self.known.advance(start)
            self._model, self._day = fit_model(self.known, self.calendar, self._clocks), day
            if self._used is not None:
                self._priced = price_usage(self.known, self._used)
        return self._model

    def estimate(self, as_of: int, begin: int, end: int, *, live: bool = True) -> Estimate:
        """Estimate the lines' hours from `begin` to before `end` from what was exported before `as_of`.

        Raises ValueError for an hour before one that was requested earlier.
        """
        model = self.model(as_of)
        self.known.advance(as_of)
        priced = self._priced if live else None
        if priced is not None:
            usd = priced.usd.copy()
            usd[:, as_of - self.known.first_hour :] = np.nan
            priced = PricedUsage(usd, priced.noise, priced.first_hour)
        past = Past(self.known, self.calendar, self._clocks, priced)
        return estimate_hours(model, past, begin, end)

    def to_come(self, as_of: int, made: Estimate) -> Floats:
        """What an estimate expects on top of the bill, services x hours; the plain one's where used."""
        found = self.by_service(made.to_come)
        near = min(made.begin + found.shape[1], as_of + _PLAIN_HOURS)
        if self.plain and near > made.begin:
            plain = self.plain_to_come(as_of, made.begin, near)
            used = [number for number, name in enumerate(self.known.services) if name in self.plain]
            found[used, : near - made.begin] = plain[used]
        return found

    def plain_to_come(self, as_of: int, begin: int, end: int) -> Floats:
        """What the plain estimate expects on top of the bill, services x hours."""
        model = self.model(as_of)
        self.known.advance(as_of)
        return plain_to_come(self.known, model.developed, begin, end)

    def nowcast(
        self, as_of: int, begin: int | None = None, end: int | None = None, *, live: bool = True
    ) -> Nowcast:
        """Estimate from what was exported before the hour `as_of`, by service.

        Covers the hours from `begin` (the billing day's start) to before `end` (the end of the next one).
        `live`: whether live usage may be used where there is any.
        """
        day = self.calendar.day(as_of)
        low = self.calendar.day_hours(day)[0] if begin is None else begin
        low = max(low, self.known.first_hour)
        high = self.calendar.day_hours(day + 1)[1] if end is None else end
        made = self.estimate(as_of, low, high, live=live)
        known = self.known
        to_come, flow = self.to_come(as_of, made), self.by_service(made.flow)
        seen = np.bincount(known.service_of, known.seen, len(known.services)) > 0
        billed = self.billed(low, high)
        shown = [(number, name) for number, name in enumerate(known.services) if seen[number]]
        estimate = billed + np.rint(to_come * NANO).astype(np.int64)
        return Nowcast(
            calendar=self.calendar,
            as_of=as_of,
            begin=low,
            end=high,
            billed={name: billed[number].tolist() for number, name in shown},
            estimate={name: estimate[number].tolist() for number, name in shown},
            flow={name: flow[number].tolist() for number, name in shown},
            plain=frozenset(name for _, name in shown if name in self.plain),
        )

    def billed(self, begin: int, end: int) -> Integers:
        """What is known of the hours from `begin` to before `end`; services x hours, exact."""
        found = np.zeros((len(self.known.services), end - begin), np.int64)
        inside = self.known.billed[:, begin - self.known.first_hour : end - self.known.first_hour]
        found[:, : inside.shape[1]] = inside
        return found

    def by_service(self, values: Floats) -> Floats:
        """Sum lines x hours to services x hours."""
        found = np.zeros((len(self.known.services), values.shape[1]))
        np.add.at(found, self.known.service_of, values)
        return found
