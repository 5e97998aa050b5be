"""What the nowcast would have said each hour of the past, beside what the bill said in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.estimates import Estimates, estimates_at
from exporter.analysis.nowcast.live_usage import LiveUsage
from exporter.analysis.nowcast.referee import FINAL_AFTER_HOURS, JUDGED_DAYS, JUDGED_HOURS, Referee
from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO, CostCells

WARM_UP_DAYS: Final = 7
"""The first days that a bill was exported for are learnt from and not judged."""

_LEAST_DAYS: Final = 3


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
    plain_day_forecast_nano_usd: int = 0
    """The same estimate by the plain Bornhuetter-Ferguson method."""
    plain_services: tuple[str, ...] = ()
    """Services for which that method was used, since it had been better for them."""


def backtest(
    cells: CostCells,
    timezone: str,
    as_of: int,
    live: LiveUsage | None = None,
    first_day: date | None = None,
    *,
    said: Mapping[int, Estimates] = MappingProxyType({}),
) -> Iterator[BacktestRow]:
    """Replay all billing days whose bill is final at the hour `as_of`, oldest first.

    No estimate sees a cell exported in its own hour or later. A clock hour that comes twice in a day is
    judged once. Usage from before the first export shows nothing of lateness, so the warm-up begins with the
    export. `first_day` starts later than the end of the warm-up; earlier days are still learnt from. `said`
    holds by hour what was said at the time: it takes the place of what the replay would say.
    """
    replay = Replay(cells, timezone, as_of, live)
    calendar = replay.calendar
    known = _net_by_hour(cells, as_of)
    days = judged_days(cells, calendar, as_of, first_day)
    if not days:
        # Without a final day, the days before it would reach into hours that are not known yet.
        return
    referee = Referee()
    for day in range(days.start - JUDGED_DAYS - FINAL_AFTER_HOURS // 24, days.stop):
        low, high = calendar.day_hours(day) if calendar.first_hour <= day * 24 else (0, 0)
        if low < replay.known.first_hour + 24 * _LEAST_DAYS:
            continue
        replay.plain = referee.plain(replay, low) if day in days else frozenset()
        seen: set[int] = set()
        for now in range(low, high):
            if now - low in JUDGED_HOURS:
                referee.note(replay, now)
            clock = calendar.week_hour(now) % 24
            if day in days and clock not in seen:
                seen.add(clock)
                yield _row(replay, (low, high), now, known, said.get(now))


def judged_days(
    cells: CostCells, calendar: BillingCalendar, as_of: int, first_day: date | None = None
) -> range:
    """Return the ordinals of the billing days that a backtest at the hour `as_of` judges."""
    if len(cells) == 0 or cells.export[0] >= as_of:
        return range(0)
    start = calendar.day(max(cells.first_hour, int(cells.export[0]))) + 1 + WARM_UP_DAYS
    if first_day is not None:
        start = max(start, first_day.toordinal())
    end = calendar.day(as_of)
    while end > start and calendar.day_hours(end - 1)[1] + FINAL_AFTER_HOURS > as_of:
        end -= 1
    return range(start, max(start, end))


def _row(
    replay: Replay, day: tuple[int, int], now: int, known: Mapping[int, int], said: Estimates | None
) -> BacktestRow:
    low, high = day
    finals = [known.get(hour, 0) for hour in range(low, high)]
    estimates = said or estimates_at(replay.nowcast(now, low, high), now)
    plain = replay.plain_to_come(now, low, high).sum()
    return BacktestRow(
        day=date.fromordinal(replay.calendar.day(now)),
        hour=replay.calendar.week_hour(now) % 24,
        nowcast_nano_usd=estimates.nowcast_nano_usd,
        final_so_far_nano_usd=sum(finals[: now - low]),
        day_forecast_nano_usd=estimates.day_forecast_nano_usd,
        day_final_nano_usd=sum(finals),
        plain_day_forecast_nano_usd=int(replay.billed(low, high).sum()) + round(float(plain) * NANO),
        plain_services=tuple(sorted(replay.plain)),
    )


def _net_by_hour(cells: CostCells, as_of: int) -> dict[int, int]:
    """What was known at the hour `as_of` of each usage hour, all lines together."""
    found: dict[int, int] = {}
    before = cells.export < as_of
    net = cells.gross + cells.credit
    for hour, amount in zip(cells.usage[before].tolist(), net[before].tolist(), strict=True):
        found[hour] = found.get(hour, 0) + amount
    return found
