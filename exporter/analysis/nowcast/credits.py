"""What share of gross cost comes back as credits: steady, in steps through the month, or while it lasts.

A monthly free allowance belongs to a billing account and a SKU; its projects share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.known_costs import Floats, KnownCosts

_FREE: Final = 0.98
"""An hour with at least this share of its gross cost credited counts as free."""

_STEP: Final = 0.03
"""Credits whose share of a day's cost moves by more than this within a month follow the month."""

_RECENT_HOURS: Final = 24.0
_SETTLING_HOURS: Final = 12


@dataclass(frozen=True, slots=True)
class Allowance:
    """A monthly allowance of one SKU of one billing account."""

    lines: tuple[int, ...]
    usd: float | None
    """What it was worth last month; None where it did not run out."""


@dataclass(frozen=True, slots=True)
class CreditRules:
    """How credits go through a month."""

    stepping: tuple[int, ...]
    """Lines whose credits follow the month."""
    by_day: Floats
    """Credits over gross cost of the stepping lines, by billing day from `first_day`; NaN where unknown."""
    first_day: int
    allowances: tuple[Allowance, ...]


def learn_credits(known: KnownCosts, calendar: BillingCalendar) -> CreditRules:
    """Learn from the bill as it is known."""
    credited = np.flatnonzero((known.credit < 0.0).any(axis=1))
    shared: dict[tuple[str, str], list[int]] = {}
    for number in credited:
        line = known.cells.lines[number]
        shared.setdefault((line.billing_account_id, line.sku_id), []).append(int(number))
    allowances = [each for lines in shared.values() if (each := _allowance(known, calendar, lines))]
    free = {line for each in allowances for line in each.lines}
    first, last = calendar.day(known.first_hour), calendar.day(known.as_of)
    bounds = np.array([calendar.day_hours(day)[0] for day in range(first, last + 1)]) - known.first_hour
    rest = np.array([line for line in credited if line not in free], np.int64)
    starts = np.clip(bounds, 0, known.gross.shape[1] - 1)
    gross, credit = (np.add.reduceat(each[rest], starts, axis=1) for each in (known.gross, known.credit))
    ratio = np.divide(credit, gross, out=np.full(gross.shape, np.nan), where=gross > 0.0)
    settled = ratio[:, 1 : max(last - first - 2, 1)]
    swing = np.zeros(len(rest))
    seen = np.isfinite(settled).sum(axis=1) > 8
    if seen.any():
        swing[seen] = np.nanpercentile(settled[seen], 90, axis=1) - np.nanpercentile(
            settled[seen], 10, axis=1
        )
    steps = swing > _STEP
    return CreditRules(tuple(int(n) for n in rest[steps]), ratio[steps], first, tuple(allowances))


def credit_ratios(
    rules: CreditRules, known: KnownCosts, calendar: BillingCalendar, begin: int, gross: Floats
) -> Floats:
    """Credits over gross cost to expect of what is to come; `gross` is lines x hours from `begin` on."""
    recent = _recent(known)
    found = np.repeat(recent[:, None], gross.shape[1], axis=1)
    hours = range(begin, begin + gross.shape[1])
    if rules.stepping:
        days = sorted({calendar.day(hour) for hour in hours})
        moved = {day: _moved(rules, recent[list(rules.stepping)], known, calendar, day) for day in days}
        for at, hour in enumerate(hours):
            found[list(rules.stepping), at] = moved[calendar.day(hour)]
    for allowance in rules.allowances:
        _spend(allowance, found, (known, calendar), begin, gross)
    return found


def _recent(known: KnownCosts) -> Floats:
    """Credits over gross cost of the last days; what goes beyond the cost is a refund, and no share of it."""
    high = min(known.as_of - known.first_hour, known.gross.shape[1])
    low = max(0, high - 96)
    weight = np.exp(-(high - np.arange(low, high)) / _RECENT_HOURS)
    gross = np.maximum(known.gross[:, low:high], 0.0)
    credit = np.clip(known.credit[:, low:high], -gross, 0.0)
    total = gross @ weight
    found: Floats = np.divide(credit @ weight, total, out=np.zeros(len(gross)), where=total > 0.0)
    return found


def _moved(
    rules: CreditRules, recent: Floats, known: KnownCosts, calendar: BillingCalendar, day: int
) -> Floats:
    """The ratio of a day: as recently, and moved as it moved last month from then to that day."""
    newest = known.as_of - _SETTLING_HOURS
    then, now = (_month_before(rules, calendar, each) for each in (calendar.day_hours(day)[0], newest))
    if calendar.month(calendar.day_hours(day)[0]) != calendar.month(newest):
        now = recent
    moved = np.where(np.isfinite(then - now), then - now, 0.0)
    return np.clip(recent + moved, -1.0, 0.0)


def _month_before(rules: CreditRules, calendar: BillingCalendar, hour: int) -> Floats:
    """Ratios on the day at the same share of the month before."""
    begin, end = calendar.month_hours(calendar.month(hour))
    before, _ = calendar.month_hours(calendar.month(hour) - 1)
    day = calendar.day(min(begin - 1, before + (hour - begin) * (begin - before) // (end - begin)))
    at = day - rules.first_day
    if before == begin or not 0 <= at < rules.by_day.shape[1]:
        return np.full(len(rules.by_day), np.nan)
    return rules.by_day[:, at]


def _allowance(known: KnownCosts, calendar: BillingCalendar, lines: list[int]) -> Allowance | None:
    worth: float | None = None
    found = False
    last = calendar.month(known.as_of)
    for month in range(calendar.month(known.first_hour), last + 1):
        low, high = calendar.month_hours(month)
        high = min(high, known.as_of - _SETTLING_HOURS)
        if low < known.first_hour or low >= high:
            continue
        free, ran_out = _free_run(known, lines, low, high)
        found |= free > 0.0
        if ran_out and free > 0.0:
            worth = free
    return Allowance(tuple(lines), worth) if found else None


def _free_run(known: KnownCosts, lines: list[int], low: int, high: int) -> tuple[float, bool]:
    """US dollars credited from a month's start until the first hour that is not free; whether that came."""
    part = slice(low - known.first_hour, min(high - known.first_hour, known.gross.shape[1]))
    gross, credit = known.gross[lines, part].sum(axis=0), known.credit[lines, part].sum(axis=0)
    paid = np.flatnonzero((gross > 0.0) & (-credit < _FREE * gross))
    if not len(paid):
        return float(-credit.sum()), False
    before = float(-credit[: paid[0]].sum())
    # The hour in which it ran out was free in part, unless nothing before it was.
    return (before - float(credit[paid[0]]) if before > 0.0 else 0.0), True


def _spend(
    allowance: Allowance,
    ratios: Floats,
    bill: tuple[KnownCosts, BillingCalendar],
    begin: int,
    gross: Floats,
) -> None:
    """Let the rest of an allowance cover the hours in their order, starting again each month."""
    known, calendar = bill
    lines, end = list(allowance.lines), begin + gross.shape[1]
    for month in range(calendar.month(begin), calendar.month(end - 1) + 1):
        low, high = calendar.month_hours(month)
        _, ran_out = _free_run(known, lines, max(low, known.first_hour), min(max(low, known.as_of), high))
        first, last = max(low, begin), min(high, end)
        part = slice(first - begin, last - begin)
        if allowance.usd is None:
            ratios[lines, part] = 0.0 if ran_out else -1.0
            continue
        cost = np.maximum(gross[lines, part].sum(axis=0), 0.0)
        earlier = 0.0
        if first > low:
            hours = slice(max(low - known.first_hour, 0), max(first - known.first_hour, 0))
            earlier = float(np.maximum(known.gross[lines, hours], 0.0).sum())
        left = np.clip(allowance.usd - earlier - (np.cumsum(cost) - cost), 0.0, None)
        share = np.divide(left, cost, out=np.ones_like(cost), where=cost > 0.0)
        ratios[lines, part] = -np.clip(share, 0.0, 1.0)
