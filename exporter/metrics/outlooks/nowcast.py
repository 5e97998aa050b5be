"""The nowcast of each provider: made from one state of the ledger, and kept as long as that stays the same.

A nowcast answers for any moment of its hour, so that figures move smoothly between two refreshes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from exporter.analysis.bill.billing_calendar import hour_at
from exporter.analysis.nowcast.backtest import BacktestRow, backtest
from exporter.analysis.nowcast.estimates import Estimates
from exporter.analysis.nowcast.grading import ErrorRatios, error_ratios
from exporter.analysis.nowcast.month_forecast import forecast_month
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.track_record import TrackRecord, track_record
from exporter.core.cost_cells import CostCells
from exporter.ledger.charges.cost_cells import cost_cells
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.past_estimates import estimates_since
from exporter.ledger.usage.queries import UsageView
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.live_lines import LivePerLine, live_per_line
from exporter.metrics.outlooks.outlook import Outlook

HISTORY = timedelta(days=62)
"""Learnt from: eight weeks of seasons, and enough for a forecast of a whole month to have been tested."""

LEAST_HISTORY = timedelta(days=3)
"""With less of a bill than this nothing is estimated."""

GRADED = timedelta(days=21)
"""Final days before now on which past estimates are graded."""

UNBILLED_HOURS = 72
"""How far before now costs of this month are looked for that are still to come."""

_GRADES: Final = (
    (metrics.SPEND_NOWCAST_ERROR_RATIO, metrics.SPEND_NOWCAST_ABSOLUTE_ERROR_RATIO),
    (metrics.SPEND_NOWCAST_PLAIN_ERROR_RATIO, metrics.SPEND_NOWCAST_PLAIN_ABSOLUTE_ERROR_RATIO),
)
"""Signed and absolute, of what was said and of the plain estimate."""


class Nowcasting:
    """Computes outlooks. How past forecasts turned out takes longest to compute, and is kept for a day."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, Outlook | None]] = {}
        self.records: dict[str, TrackRecord] = {}
        """By provider; empty until `judge` has been called."""
        self._judged_on: int | None = None

    def outlooks(
        self,
        view: LedgerView,
        usage: UsageView | None,
        now: datetime,
        timezones: Mapping[str, str],
        *,
        judging: bool = True,
    ) -> list[Outlook]:
        """Return the outlook of each provider with enough of a bill to learn from.

        Without `judging` only what `judge` found earlier is used. Before it has found anything, an outlook
        has no forecast of the month, because its error is not known yet.
        """
        if judging and self._judged_on != now.toordinal():
            self.judge(view, usage, now, timezones)
        state = (hour_at(now), view.state(), self._judged_on)
        for provider, timezone in timezones.items():
            made = self._made.get(provider)
            if made is None or made[0] != state:
                self._made[provider] = (state, self._make(view, usage, now, provider, timezone))
        return [outlook for _, outlook in self._made.values() if outlook is not None]

    def judge(
        self, view: LedgerView, usage: UsageView | None, now: datetime, timezones: Mapping[str, str]
    ) -> None:
        """Find out how past forecasts of each provider turned out, by what is known now."""
        for provider, timezone in timezones.items():
            history = _enough_history(view, provider, now)
            if history is not None:
                live = live_per_line(view, usage, history, now) if usage else None
                self.records[provider] = track_record(history, timezone, hour_at(now), live)
        self._judged_on = now.toordinal()

    def _make(
        self, view: LedgerView, usage: UsageView | None, now: datetime, provider: str, timezone: str
    ) -> Outlook | None:
        history = _enough_history(view, provider, now)
        if history is None:
            return None
        live = live_per_line(view, usage, history, now) if usage else None
        record = self.records.get(provider)
        return make_outlook(history, provider, timezone, hour_at(now), live=live, record=record)


def _enough_history(view: LedgerView, provider: str, now: datetime) -> CostCells | None:
    history = cost_history(view, provider, now)
    if len(history) == 0 or hour_at(now) - history.first_hour < LEAST_HISTORY / timedelta(hours=1):
        return None
    return history


def make_outlook(
    cells: CostCells,
    provider: str,
    timezone: str,
    as_of: int,
    *,
    live: LivePerLine | None,
    record: TrackRecord | None,
) -> Outlook:
    """Make the outlook of a provider as of an hour, from plain values; without a record, of no month."""
    replay = Replay(cells, timezone, as_of, live)
    replay.plain = record.plain if record else frozenset()
    calendar = replay.calendar
    month_began, _ = calendar.month_hours(calendar.month(as_of))
    day_began, _ = calendar.day_hours(calendar.day(as_of))
    since = max(month_began, as_of - UNBILLED_HOURS, cells.first_hour)
    nowcast = replay.nowcast(as_of, min(since, day_began))
    month = forecast_month(replay, as_of, record) if record else None
    return Outlook(provider, nowcast, month, with_live_usage=bool(live), live_lines=frozenset(live or ()))


def cost_history(view: LedgerView, provider: str, now: datetime, *, span: timedelta = HISTORY) -> CostCells:
    """Return what the ledger knows of when each cost of the last `span` arrived."""
    return cost_cells(view, provider, now - span)


def grade(
    view: LedgerView, usage: UsageView | None, now: datetime, timezones: Mapping[str, str]
) -> list[FamilySamples]:
    """Tell how far the estimates of the last weeks' final days were off, by the hour they were made at,
    and how far plain estimates would have been.

    What was said and kept is graded; hours of which nothing was kept are replayed without looking ahead.
    """
    found: dict[metrics.Family, list[tuple[tuple[str, ...], float]]] = {
        family: [] for families in _GRADES for family in families
    }
    for provider, timezone in timezones.items():
        rows = graded_rows(view, usage, now, provider, timezone)
        for families, graded in zip(_GRADES, (graded_hours(rows), graded_plain_hours(rows)), strict=True):
            for hour, ratios in sorted(graded.items()):
                labels = (provider, f"{hour:02d}:00")
                for family, value in zip(families, (ratios.signed, ratios.absolute), strict=True):
                    found[family].append((labels, value))
    return [FamilySamples(family, samples) for family, samples in found.items()]


def graded_rows(
    view: LedgerView,
    usage: UsageView | None,
    now: datetime,
    provider: str,
    timezone: str,
    *,
    span: timedelta = GRADED,
) -> list[BacktestRow]:
    """Return what was said of each final day of the last `span`, or would have been, oldest first."""
    history = cost_history(view, provider, now)
    if len(history) == 0:
        return []
    live = live_per_line(view, usage, history, now) if usage else None
    first = (now - span).date()
    said = {
        hour_at(each.hour): Estimates(each.nowcast_nano_usd, each.day_forecast_nano_usd)
        for each in estimates_since(view, provider, first)
    }
    return list(backtest(history, timezone, hour_at(now), live, first_day=first, said=said))


def graded_hours(rows: Sequence[BacktestRow]) -> dict[int, ErrorRatios]:
    """Grade the estimates of whole days by the hour of the day at which they were made."""
    return error_ratios((row.hour, row.day_forecast_nano_usd, row.day_final_nano_usd) for row in rows)


def graded_plain_hours(rows: Sequence[BacktestRow]) -> dict[int, ErrorRatios]:
    """Grade the plain estimates of the same days likewise."""
    return error_ratios((row.hour, row.plain_day_forecast_nano_usd, row.day_final_nano_usd) for row in rows)
