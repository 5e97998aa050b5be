"""The best estimate of the final net cost of single hours: what has arrived and what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.analysis.nowcast.cost_history import NANO, NEVER, KnownCosts
from exporter.analysis.nowcast.cost_model import CostModel
from exporter.analysis.nowcast.credits import FREE, RecentCredits, spread_allowance
from exporter.analysis.nowcast.day_factors import day_factors
from exporter.analysis.nowcast.development import Curves
from exporter.analysis.nowcast.line_hours import LineHours, line_hours
from exporter.analysis.nowcast.live_usage import PricedUsage

_LOOK_BACK_HOURS: Final = 72
_RECENT_HOURS: Final = 3
"""Credits and gross cost are compared in so many of the newest hours that have arrived."""


_MOSTLY: Final = 0.95
"""They are compared once so much of the credits has come."""


@dataclass(frozen=True, slots=True)
class HourEstimates:
    """Net US dollars of the usage hours from `begin` to before `end`, by line."""

    as_of: int
    begin: int
    end: int
    net_usd: Mapping[int, Sequence[float]]


def estimate_hours(
    model: CostModel,
    known: KnownCosts,
    begin: int,
    end: int,
    live: PricedUsage | None = None,
) -> HourEstimates:
    """Estimate the final net cost of the usage hours from `begin` to before `end`."""
    since = max(min(begin, known.as_of - _LOOK_BACK_HOURS), known.first_hour)
    begin = max(begin, since)
    lines = {line: line_hours(model, known, line, (since, end), live) for line in model.seasons}
    gross = _gross(model, lines, begin, end)
    net = _net(model, known, lines, gross, begin)
    for line in range(len(known.history.lines)):
        if line not in net and known.started[line] != NEVER:
            net[line] = [known.net_nano_usd(line, hour, hour + 1) / NANO for hour in range(begin, end)]
    return HourEstimates(known.as_of, begin, end, net)


def _gross(model: CostModel, lines: Mapping[int, LineHours], begin: int, end: int) -> dict[int, list[float]]:
    """Gross US dollars of the hours from `begin` to before `end`, by line."""
    calendar = model.calendar
    found: dict[int, list[float]] = {line: [] for line in lines}
    if not lines or begin >= end:
        return found
    earliest = min(hours.begin for hours in lines.values())
    for day in range(calendar.day(begin), calendar.day(end - 1) + 1):
        low, high = calendar.day_hours(day)
        weekend = calendar.week_hour(low) >= 120
        low, high = max(low, earliest), min(high, end)
        for project, members in model.projects.items():
            seasons = {line: model.seasons[line] for line in members}
            seen = {line: lines[line].observed(low, high) for line in members}
            observed = {line: value for line, value in seen.items() if value is not None}
            factors = day_factors(seasons, observed, model.common[project])
            for line in members:
                hours, factor = lines[line], factors[line]
                active = hours.active_probability(low, high, day, weekend)
                if hours.season.lumped:
                    active *= hours.lump_to_come(low, high)
                found[line].extend(
                    hours.estimate(hour - hours.begin, factor, active)
                    for hour in range(max(low, begin), high)
                )
    return found


def _net(
    model: CostModel,
    known: KnownCosts,
    lines: Mapping[int, LineHours],
    gross: Mapping[int, list[float]],
    begin: int,
) -> dict[int, list[float]]:
    free = _free_shares(model, known, gross, begin)
    found: dict[int, list[float]] = {}
    for line, values in gross.items():
        pattern = model.credits[line]
        recent = _recent_credits(known, line, lines[line].curves, line in free)
        shares = free.get(line, {})
        usd = lines[line].usd
        offset = begin - lines[line].begin
        net: list[float] = []
        for at, cost in enumerate(values):
            if usd[at + offset] is not None:
                net.append(
                    cost + _arrived_credit(known, line, lines[line], at + offset, cost, recent=recent.ratio)
                )
            elif recent.credit_usd == 0.0 and line not in free and pattern.steps is None:
                net.append(cost)
            else:
                paid = cost * (1.0 - shares.get(begin + at, 0.0))
                net.append(paid + pattern.credit(paid, begin + at, recent, model.calendar))
        found[line] = net
    return found


def _arrived_credit(
    known: KnownCosts, line: int, hours: LineHours, position: int, usd: float, *, recent: float
) -> float:
    """Credits of an hour that has arrived: as they came with the cost, and those that come after it."""
    at = hours.begin + position - known.first_hour
    came, billed = known.credit[line][at] / NANO, known.gross[line][at] / NANO
    if not came and not recent:
        return 0.0
    completed = came * usd / billed if billed else came
    return completed + (1.0 - hours.curves.credited_ratio(hours.arrived_hours[position])) * recent * usd


def _recent_credits(known: KnownCosts, line: int, curves: Curves, allowance: bool) -> RecentCredits:
    """Mean credits and gross cost of the newest hours that have arrived (and are not free)."""
    gross, credit, arrived = known.gross[line], known.credit[line], known.first_export[line]
    wanted = _RECENT_HOURS
    billed = credited = 0
    newest = -1
    last = min(known.as_of - known.first_hour, known.size) - 1
    for at in range(last, max(last - 24 * 14, -1), -1):
        if arrived[at] == NEVER or gross[at] <= 0 or (allowance and -credit[at] > FREE * gross[at]):
            continue
        if curves.credited_ratio(known.as_of - arrived[at]) < _MOSTLY:
            continue
        newest = max(newest, at)
        billed += gross[at]
        credited += credit[at]
        wanted -= 1
        if not wanted:
            break
    count = _RECENT_HOURS - wanted
    if not count:
        return RecentCredits(known.as_of, 0.0, 0.0)
    return RecentCredits(newest + known.first_hour, billed / count / NANO, min(credited, 0) / count / NANO)


def _free_shares(
    model: CostModel, known: KnownCosts, gross: Mapping[int, list[float]], begin: int
) -> dict[int, dict[int, float]]:
    """Share of the gross cost of hours that have not arrived that monthly allowances cover, by line."""
    found: dict[int, dict[int, float]] = {}
    calendar, first = model.calendar, known.first_hour
    for allowance in model.allowances:
        lines = [line for line in allowance.lines if line in gross]
        shares: dict[int, float] = {}
        end = begin + max((len(gross[line]) for line in lines), default=0)
        for month in range(calendar.month(begin), calendar.month(max(end - 1, begin)) + 1):
            start, stop = calendar.month_hours(month)
            low, high = max(start - first, 0), min(stop - first, known.size)
            used = -sum(sum(known.credit[line][low:high]) for line in lines) / NANO if high > low else 0.0
            worth = float("inf") if allowance.usd is None else allowance.usd
            missing = (
                (hour, [gross[line][hour - begin] for line in lines if not _has_arrived(known, line, hour)])
                for hour in range(max(start, begin), min(stop, end))
            )
            shares.update(spread_allowance(worth - used, missing))
        for line in lines:
            found[line] = shares
    return found


def _has_arrived(known: KnownCosts, line: int, hour: int) -> bool:
    at = hour - known.first_hour
    return at < known.size and known.first_export[line][at] != NEVER
