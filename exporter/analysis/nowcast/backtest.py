"""What the nowcast would have said each hour of the past, beside what the bill said in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import CostHistory, Line
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.analysis.nowcast.replay import Replay

WARM_UP_DAYS: Final = 7
"""The first days that a bill was exported for are learnt from and not judged."""

FINAL_AFTER_HOURS: Final = 120
"""A day's bill counts as final so long after its end: by then all but rare stragglers and restatements of it
have arrived."""


class Estimates(NamedTuple):
    """What was estimated of a billing day at an hour; money in billionths of a US dollar."""

    nowcast_nano_usd: int
    """Of the day's cost up to the hour."""
    day_forecast_nano_usd: int
    """Of the whole day's cost."""


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """One hour of one billing day; money in billionths of a US dollar."""

    day: date
    hour: int
    """Hour on the clock of the billing zone at which the estimates were made."""
    nowcast_nano_usd: int
    """Estimate of the day's cost up to the hour."""
    final_so_far_nano_usd: int
    """What that turned out to be."""
    day_forecast_nano_usd: int
    """Estimate of the whole day's cost."""
    day_final_nano_usd: int
    """What that turned out to be."""


def backtest(
    history: CostHistory,
    timezone: str,
    as_of: int,
    live: Mapping[Line, Mapping[int, float]] | None = None,
    first_day: date | None = None,
    *,
    said: Mapping[int, Estimates] = MappingProxyType({}),
) -> Iterator[BacktestRow]:
    """Replay all billing days whose bill is final at the hour `as_of`, oldest first.

    No estimate sees a cell exported in its own hour or later. A clock hour that comes twice in a day is
    judged once. Usage from before the first export tells nothing of lateness, so the warm-up begins with the
    export. `first_day` starts later than the end of the warm-up; earlier days are still learnt from. `said`
    holds by hour what was said at the time: it takes the place of what the replay would say.
    """
    replay = Replay(history, timezone, as_of, live)
    known = _net_nano_usd_by_hour(history, as_of)
    calendar = replay.calendar
    for day in judged_days(history, calendar, as_of, first_day):
        low, high = calendar.day_hours(day)
        finals = [known.get(hour, 0) for hour in range(low, high)]
        seen: set[int] = set()
        for now in range(low, high):
            clock = calendar.week_hour(now) % 24
            if clock in seen:
                continue
            seen.add(clock)
            estimates = said[now] if now in said else estimates_at(replay.nowcast(now, low, high), now)
            yield BacktestRow(
                day=date.fromordinal(day),
                hour=clock,
                nowcast_nano_usd=estimates.nowcast_nano_usd,
                final_so_far_nano_usd=sum(finals[: now - low]),
                day_forecast_nano_usd=estimates.day_forecast_nano_usd,
                day_final_nano_usd=sum(finals),
            )


def estimates_at(nowcast: Nowcast, hour: int) -> Estimates:
    """What a nowcast says of the billing day of an hour, all services together."""
    return Estimates(
        sum(part.total_nano_usd for part in nowcast.today_so_far(hour).values()),
        sum(part.total_nano_usd for part in nowcast.whole_day(hour).values()),
    )


def judged_days(
    history: CostHistory, calendar: BillingCalendar, as_of: int, first_day: date | None = None
) -> range:
    """Return the ordinals of the billing days that a backtest at the hour `as_of` judges."""
    if len(history) == 0 or history.export[0] >= as_of:
        return range(0)
    start = calendar.day(max(history.first_hour, history.export[0])) + 1 + WARM_UP_DAYS
    if first_day is not None:
        start = max(start, first_day.toordinal())
    end = calendar.day(as_of)
    while end > start and calendar.day_hours(end - 1)[1] + FINAL_AFTER_HOURS > as_of:
        end -= 1
    return range(start, max(start, end))


def _net_nano_usd_by_hour(history: CostHistory, as_of: int) -> dict[int, int]:
    """What was known at the hour `as_of` of each usage hour, all lines together."""
    found: dict[int, int] = {}
    for usage, export, gross, credit in zip(
        history.usage, history.export, history.gross, history.credit, strict=True
    ):
        if export >= as_of:
            break
        found[usage] = found.get(usage, 0) + gross + credit
    return found
