"""What the nowcast would have said each hour of the past, beside what the bill said in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from exporter.analysis.cost_history import CostHistory, KnownCosts, Line
from exporter.analysis.replay import Replay

WARM_UP_DAYS: Final = 7
"""The first days that a history holds are learnt from and not judged."""

FINAL_AFTER_HOURS: Final = 120
"""A day's bill counts as final so long after its end: by then all but rare stragglers and restatements of it
have arrived."""


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
) -> Iterator[BacktestRow]:
    """Replay all billing days whose bill is final at the hour `as_of`, oldest first.

    No estimate sees a cell exported in its own hour or later. A clock hour that comes twice in a day is
    judged once. `first_day` starts later than the end of the warm-up; earlier days are still learnt from.
    """
    replay = Replay(history, timezone, as_of, live)
    final = KnownCosts(history, as_of)
    final.advance(as_of)
    calendar = replay.calendar
    start = calendar.day(final.first_hour) + 1 + WARM_UP_DAYS
    if first_day is not None:
        start = max(start, first_day.toordinal())
    for day in range(start, calendar.day(as_of) + 1):
        low, high = calendar.day_hours(day)
        if high + FINAL_AFTER_HOURS > as_of:
            return
        finals = [_net(final, hour) for hour in range(low, high)]
        seen: set[int] = set()
        for now in range(low, high):
            clock = calendar.week_hour(now) % 24
            if clock in seen:
                continue
            seen.add(clock)
            nowcast = replay.nowcast(now, low, high)
            yield BacktestRow(
                day=date.fromordinal(day),
                hour=clock,
                nowcast_nano_usd=sum(part.total_nano_usd for part in nowcast.today_so_far(now).values()),
                final_so_far_nano_usd=sum(finals[: now - low]),
                day_forecast_nano_usd=sum(part.total_nano_usd for part in nowcast.whole_day(now).values()),
                day_final_nano_usd=sum(finals),
            )


def _net(known: KnownCosts, hour: int) -> int:
    return sum(known.net_nano_usd(line, hour, hour + 1) for line in range(len(known.history.lines)))
