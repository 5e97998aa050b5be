"""What share of gross cost comes back as credits: steady, in monthly steps, or until an allowance ends.

A monthly allowance belongs to a billing account and a SKU; its projects share it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import NANO, KnownCosts

FREE: Final = 0.98
"""An hour with at least this share of its gross cost credited counts as free."""

_SAME: Final = 0.002
"""A ratio that moves by less than this from hour to hour is the same."""

_SLOPE_HOURS: Final = 48
_STEP: Final = 0.02
"""Credits whose share of the gross cost moves by more than this in a month follow the month."""


@dataclass(frozen=True, slots=True)
class CreditPattern:
    """How the credits of a line run with its gross cost and through the month."""

    slope: float | None
    """By how much credits change with each US dollar of gross cost within a day; None: in proportion to it.

    Commitments cover a fixed amount each hour: there it is 0."""
    steps: Mapping[int, float] | None
    """Credits over gross cost by usage hour, where they move with the month as sustained-use discounts do."""

    def credit(self, gross: float, hour: int, recent: RecentCredits, calendar: BillingCalendar) -> float:
        """Credits (0 or less) to expect on an hour's gross cost."""
        credit = gross * recent.ratio
        if self.slope is not None:
            credit = recent.credit_usd + self.slope * (gross - recent.gross_usd)
        if self.steps is not None:
            credit += gross * self._step(self.steps, recent, hour, calendar)
        return min(0.0, max(-max(gross, 0.0), credit))

    def _step(
        self, steps: Mapping[int, float], recent: RecentCredits, hour: int, calendar: BillingCalendar
    ) -> float:
        """By how much the ratio moves from one hour to a later one, as it did in the month before."""
        then = _month_before(steps, hour, calendar)
        now: float | None = recent.ratio
        if calendar.month(hour) == calendar.month(recent.hour):
            now = _month_before(steps, recent.hour, calendar)
        return 0.0 if then is None or now is None else then - now


@dataclass(frozen=True, slots=True)
class RecentCredits:
    """Means over the newest hours that have arrived."""

    hour: int
    gross_usd: float
    credit_usd: float

    @property
    def ratio(self) -> float:
        """Credits over gross cost."""
        return self.credit_usd / self.gross_usd if self.gross_usd > 0.0 else 0.0


def _month_before(steps: Mapping[int, float], hour: int, calendar: BillingCalendar) -> float | None:
    """Ratio at the same share of the previous month."""
    begin, end = calendar.month_hours(calendar.month(hour))
    before, _ = calendar.month_hours(calendar.month(hour) - 1)
    if before == begin:
        return None
    middle = before + int((hour - begin + 0.5) * (begin - before) / (end - begin))
    found = [steps[at] for at in (middle - 1, middle, middle + 1) if at in steps]
    return median(found) if found else None


@dataclass(frozen=True, slots=True)
class Allowance:
    """A monthly allowance of one SKU of one billing account."""

    lines: tuple[int, ...]
    usd: float | None
    """What it is worth; None where it has never run out."""


def credit_pattern(known: KnownCosts, line: int, begin: int, end: int) -> CreditPattern:
    """Learn the pattern of a line from its usage hours from `begin` to before `end`."""
    first = known.first_hour
    gross, credit = known.gross[line], known.credit[line]
    hours = [at for at in range(max(begin - first, 0), min(end - first, known.size)) if gross[at] > 0]
    if not any(credit[at] for at in hours):
        return CreditPattern(None, None)
    ratios = {at + first: credit[at] / gross[at] for at in hours}
    slope = _slope(gross, credit, hours[-_SLOPE_HOURS:])
    daily = {
        hours[n] + first: sum(credit[at] for at in hours[n : n + 24])
        / sum(gross[at] for at in hours[n : n + 24])
        for n in range(0, len(hours) - 23, 6)
    }
    if not daily or max(daily.values()) - min(daily.values()) < _STEP:
        return CreditPattern(slope, None)
    jumps = [abs(ratios[a + first] - ratios[b + first]) for a, b in pairwise(hours)]
    if median(jumps) < _SAME:
        return CreditPattern(slope, ratios)
    # The ratio moves within the day: only the mean over a day around the hour shows the month's steps.
    smooth = {
        hours[n + 12] + first + ahead: sum(credit[at] for at in hours[n : n + 24])
        / sum(gross[at] for at in hours[n : n + 24])
        for n in range(0, len(hours) - 23, 6)
        for ahead in range(6)
    }
    return CreditPattern(slope, smooth)


def _slope(gross: array[int], credit: array[int], hours: Sequence[int]) -> float | None:
    """Change of credits for each change of gross cost from hour to hour: the weighted median."""
    mean = sum(gross[at] for at in hours) / len(hours)
    steps = [(gross[b] - gross[a], credit[b] - credit[a]) for a, b in pairwise(hours)]
    slopes = sorted((c / g, abs(g)) for g, c in steps if abs(g) > 0.002 * mean)
    if len(slopes) < 24:
        return None
    # Small changes say little; large ones are hours of which a part has not arrived.
    usual = median(weight for _, weight in slopes)
    half = sum(min(weight, usual) for _, weight in slopes) / 2.0
    for slope, weight in slopes:
        half -= min(weight, usual)
        if half <= 0.0:
            return min(0.0, max(-1.0, slope))
    return None


def find_allowances(
    known: KnownCosts, calendar: BillingCalendar, as_of: int, begin: int
) -> tuple[Allowance, ...]:
    """Find the allowances that the months since `begin` show."""
    sharers: dict[tuple[str, str], list[int]] = {}
    for number, line in enumerate(known.history.lines):
        if any(known.credit[number]):
            sharers.setdefault((line.billing_account_id, line.sku_id), []).append(number)
    found = (_allowance(known, calendar, lines, as_of, begin) for lines in sharers.values())
    return tuple(allowance for allowance in found if allowance is not None)


def _allowance(
    known: KnownCosts, calendar: BillingCalendar, lines: Sequence[int], as_of: int, begin: int
) -> Allowance | None:
    worth: float | None = None
    seen = False
    known_from = max(begin, known.known_from)
    if known_from >= as_of:
        return None
    month = calendar.month(known_from)
    while month <= calendar.month(as_of):
        start, end = calendar.month_hours(month)
        month += 1
        if start < known_from:
            continue
        free, ran_out = _free_run(known, lines, start, min(end, as_of - 12))
        seen = seen or free > 0.0
        if ran_out and free > 0.0:
            worth = free
    return Allowance(tuple(lines), worth) if seen else None


def _free_run(known: KnownCosts, lines: Sequence[int], start: int, end: int) -> tuple[float, bool]:
    """US dollars credited from the month's start until the first hour that is not free; whether it came."""
    total = 0
    for at in range(max(start - known.first_hour, 0), min(end - known.first_hour, known.size)):
        gross = sum(known.gross[line][at] for line in lines)
        credit = sum(known.credit[line][at] for line in lines)
        if gross <= 0:
            continue
        if -credit < FREE * gross:
            # The hour in which it ran out was free in part, unless nothing before it was.
            return (-(total + credit) / NANO if total else 0.0), True
        total += credit
    return -total / NANO, False


def spread_allowance(usd_left: float, hours: Iterable[tuple[int, Sequence[float]]]) -> dict[int, float]:
    """Share of each hour's gross cost that what is left of an allowance covers, hours in order."""
    shares: dict[int, float] = {}
    for hour, gross in hours:
        used = sum(gross)
        if used <= 0.0:
            continue
        shares[hour] = min(1.0, max(usd_left, 0.0) / used)
        usd_left -= used
    return shares
