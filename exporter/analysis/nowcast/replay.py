"""A provider's past lived through once more, hour by hour, knowing at each hour only what was known then.

The nowcast of now is made in the same way as those of the past, so that what a backtest says of it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import CostHistory, KnownCosts, Line
from exporter.analysis.nowcast.cost_model import CostModel, fit_cost_model
from exporter.analysis.nowcast.development import Development
from exporter.analysis.nowcast.live_usage import LiveUsage, PricedUsage, price_usage
from exporter.analysis.nowcast.nowcast import Nowcast, make_nowcast

_AHEAD_HOURS: Final = 24 * 32
"""The calendar reaches so far past the last hour asked for."""


class Replay:
    """Moves forward through a history. The model is fitted at the start of each billing day.

    `live`: line to usage hour to amount used, in any unit proportional to gross cost. Of it only hours that
    have passed are used, as if each were known at its end.
    """

    def __init__(
        self,
        history: CostHistory,
        timezone: str,
        until: int,
        live: Mapping[Line, Mapping[int, float]] | None = None,
    ) -> None:
        numbers = {line: number for number, line in enumerate(history.lines)}
        self.known: Final = KnownCosts(history, until)
        self.calendar: Final = BillingCalendar(
            timezone, self.known.first_hour - 24, max(until, history.end_hour) + _AHEAD_HOURS
        )
        self._development = Development(history)
        self._live: LiveUsage = {
            numbers[line]: amounts for line, amounts in (live or {}).items() if line in numbers
        }
        self._priced: PricedUsage | None = None
        self._model: CostModel | None = None

    def model(self, as_of: int) -> CostModel:
        """The model of the billing day of an hour, from what was known at the day's start."""
        day = self.calendar.day(as_of)
        if self._model is None or self._model.day != day:
            start, _ = self.calendar.day_hours(day)
            if start < self.known.as_of:
                raise ValueError(f"Already at hour {self.known.as_of}: it cannot go back to hour {start}.")
            self.known.advance(start)
            self._development.advance(start)
            self._model = fit_cost_model(self.known, self._development, self.calendar)
            self._priced = price_usage(self.known, self._live, self._model)
        return self._model

    def nowcast(
        self, as_of: int, begin: int | None = None, end: int | None = None, *, live: bool = True
    ) -> Nowcast:
        """Estimate from what was exported before the hour `as_of`.

        Covers the hours from `begin` (the billing day's start) to before `end` (the end of the next one).
        `live`: whether live usage may be used where there is any.
        Raises ValueError for an hour before one that was asked for earlier.
        """
        model = self.model(as_of)
        if as_of < self.known.as_of:
            raise ValueError(f"Already at hour {self.known.as_of}: it cannot go back to hour {as_of}.")
        self.known.advance(as_of)
        low, _ = self.calendar.day_hours(model.day)
        _, high = self.calendar.day_hours(model.day + 1)
        return make_nowcast(
            model,
            self.known,
            low if begin is None else begin,
            high if end is None else end,
            self._priced if live else None,
        )
