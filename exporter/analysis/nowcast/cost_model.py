"""All that is learnt from a provider's past bills: development, seasons, credits, what moves together.

Fitted once at the start of a billing day from what was known then; nowcasts of that day add what came since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import NANO, NEVER, SETTLED_HOURS, KnownCosts
from exporter.analysis.nowcast.credits import Allowance, CreditPattern, credit_pattern, find_allowances
from exporter.analysis.nowcast.day_factors import common_ratio
from exporter.analysis.nowcast.development import Curves, Development
from exporter.analysis.nowcast.season import Season, fit_season
from exporter.analysis.nowcast.weekly_profile import DayCosts

LEARNT_DAYS: Final = 56
"""Seasons, levels and growth are learnt from so many days."""

_CREDIT_DAYS: Final = 70
_ZERO_AFTER_HOURS: Final = 24
"""So long after the rest of its service arrived for an hour, a line that has not arrived counts as unused."""

_OLD_HOURS: Final = 100
"""A line that is always used counts as unused in an hour only when the hour is so old."""

_SELDOM: Final = 0.02
_MOSTLY: Final = 0.6
"""An hour is learnt from once so much of it can be expected to have arrived."""


@dataclass(frozen=True, slots=True)
class CostModel:
    """What holds for one billing day. Lines and channels are numbered as in the history."""

    calendar: BillingCalendar
    day: int
    seasons: Mapping[int, Season]
    """Lines without any past are absent."""
    curves: Mapping[str, Curves]
    credits: Mapping[int, CreditPattern]
    allowances: tuple[Allowance, ...]
    projects: Mapping[tuple[str, str], tuple[int, ...]]
    """Lines with a season, by billing account and project."""
    common: Mapping[tuple[str, str], float]
    """Share of the variance of days that a project's lines have in common."""

    def expected_usd(self, line: int, hour: int) -> float:
        """Gross cost of an hour, from season, level and growth alone; 0 for a line without a past."""
        season = self.seasons.get(line)
        if season is None:
            return 0.0
        week_hour = self.calendar.week_hour(hour)
        active = season.active_on(self.calendar.day(hour), week_hour >= 120)
        level = season.level(self.calendar.day(hour), self.calendar.month_days(hour))
        return level * season.shape[week_hour] * active


def fit_cost_model(known: KnownCosts, development: Development, calendar: BillingCalendar) -> CostModel:
    """Fit a model to what is known; it holds for the billing day of the hour `known.as_of`."""
    day = calendar.day(known.as_of)
    first_day = max(day - LEARNT_DAYS, calendar.day(known.first_hour))
    spans = [calendar.day_hours(at) for at in range(first_day, day)]
    curves = development.curves()
    seasons: dict[int, Season] = {}
    credits: dict[int, CreditPattern] = {}
    for line in range(len(known.history.lines)):
        days = _line_days(known, line, curves[known.history.lines[line].service_name], spans, calendar)
        season = fit_season(days, day) if days else None
        if season is None:
            continue
        seasons[line] = season
        credits[line] = credit_pattern(known, line, known.as_of - 24 * _CREDIT_DAYS, known.as_of)
    projects: dict[tuple[str, str], list[int]] = {}
    for line in seasons:
        projects.setdefault(known.history.lines[line][:2], []).append(line)
    return CostModel(
        calendar=calendar,
        day=day,
        seasons=seasons,
        curves=curves,
        credits=credits,
        allowances=find_allowances(known, calendar, known.as_of, known.as_of - 24 * _CREDIT_DAYS),
        projects={project: tuple(lines) for project, lines in projects.items()},
        common={
            project: common_ratio(seasons[line] for line in lines) for project, lines in projects.items()
        },
    )


def _line_days(
    known: KnownCosts, line: int, curves: Curves, spans: list[tuple[int, int]], calendar: BillingCalendar
) -> list[DayCosts]:
    """Days of a line since it began; an hour that has hardly arrived is None, one without use is 0."""
    started = known.started[line]
    if started == NEVER:
        return []
    first, size = known.first_hour, known.size
    gross = known.gross[line]
    old = known.as_of - _OLD_HOURS - first
    young = _young_hours(known, line, curves, max(old, 0))
    days: list[DayCosts] = []
    for begin, end in spans:
        if end <= started:
            continue
        low, high = max(begin - first, 0), min(end - first, size)
        if low >= high:
            continue
        usd: list[float | None] = [
            gross[at] / NANO if at < old else young[at - max(old, 0)] for at in range(low, high)
        ]
        week_hours = calendar.week_hours(low + first, high + first)
        days.append(DayCosts(calendar.day(begin), calendar.month_days(begin), week_hours, usd))
    return days


def _young_hours(known: KnownCosts, line: int, curves: Curves, begin: int) -> list[float | None]:
    """Gross US dollars of the hours from position `begin` on, of which parts may still be to come."""
    gross, arrived = known.gross[line], known.first_export[line]
    opened = known.opened[known.history.channel_of[line]]
    settled = arrived[max(known.started[line] - known.first_hour, 0) : begin]
    always = settled.count(NEVER) <= _SELDOM * len(settled)
    zero_before = 0 if always else known.as_of - _ZERO_AFTER_HOURS
    found: list[float | None] = []
    for at in range(begin, known.size):
        if arrived[at] == NEVER:
            found.append(0.0 if opened[at] < zero_before else None)
            continue
        complete = curves.complete[min(known.as_of - arrived[at], SETTLED_HOURS)]
        found.append(gross[at] / NANO / complete if complete > _MOSTLY else None)
    return found
