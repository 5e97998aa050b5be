"""Charges that come once in a while: what recurs each month or week is expected then, and nothing else is.

A fee says nothing of the hours around it. It counts when it is billed, and is forecast only where it has
come before in the same rhythm: on the same day of the month, or on the same hour of the week.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.known_costs import NEVER, Floats, KnownCosts

_ALIKE: Final = 2.0
"""Amounts within this factor of each other are of one fee."""

_LATE_HOURS: Final = 96
"""A fee that is due and has not come after so long comes no more."""

Expected = tuple[int, int, float]
"""Line, usage hour, net US dollars."""


def expected_fees(
    known: KnownCosts, calendar: BillingCalendar, seldom: NDArray[np.bool_], end: int
) -> Iterator[Expected]:
    """Yield the fees to expect of usage hours before `end`; `seldom` marks charges (lines x hours) that are
    no part of a running line.
    """
    net = known.gross + known.credit
    marked = seldom & (known.delay[:, : seldom.shape[1]] != NEVER)
    for line in np.flatnonzero(marked.any(axis=1)):
        hours = np.flatnonzero(marked[line]) + known.first_hour
        by_day: dict[int, list[int]] = {}
        for hour in hours.tolist():
            by_day.setdefault(calendar.day(hour), []).append(hour)
        charges = {
            day: (found[0], float(net[line, np.array(found) - known.first_hour].sum()))
            for day, found in by_day.items()
        }
        for due, usd in (*_monthly(charges, calendar, known.as_of), *_weekly(charges, known.as_of, end)):
            if known.as_of - _LATE_HOURS < due < end:
                yield int(line), due, usd


def _monthly(
    charges: dict[int, tuple[int, float]], calendar: BillingCalendar, as_of: int
) -> Iterator[tuple[int, float]]:
    """The fees of this month that came last month and in the one before on the same day."""
    month = calendar.month(as_of)
    for day, (hour, usd) in charges.items():
        if calendar.month(hour) != month - 1 or usd == 0.0:
            continue
        earlier = [other for other in charges if calendar.month(charges[other][0]) == month - 2]
        if not any(_same_day(day, other) and _alike(usd, charges[other][1]) for other in earlier):
            continue
        low, high = calendar.month_hours(month)
        due = _day_in(day, calendar.day(low), calendar.day(high - 1))
        here = [other for other in charges if calendar.month(charges[other][0]) == month]
        if not any(abs(other - due) <= 2 and _alike(usd, charges[other][1]) for other in here):
            yield calendar.day_hours(due)[0] + (hour - calendar.day_hours(day)[0]), usd


def _weekly(charges: dict[int, tuple[int, float]], as_of: int, end: int) -> Iterator[tuple[int, float]]:
    """The next ones of a charge that has come three weeks in a row, whatever else has come between."""
    for day, (hour, usd) in charges.items():
        before = [charges.get(day - back) for back in (7, 14)]
        if not all(other and _alike(usd, other[1]) for other in before) or day + 7 in charges:
            continue
        # One that is due and does not come ends the rhythm.
        if hour + 168 > as_of - _LATE_HOURS:
            for due in range(hour + 168, end, 168):
                yield due, usd


def _same_day(day: int, other: int) -> bool:
    """Whether two dates are the same day of their months, from the start or from the end."""
    one, two = date.fromordinal(day), date.fromordinal(other)
    return abs(one.day - two.day) <= 1 or _from_end(one) == _from_end(two) <= 1


def _from_end(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (following - day).days - 1


def _day_in(day: int, first: int, last: int) -> int:
    """The day of a month that corresponds to one of another month."""
    found = date.fromordinal(day)
    if _from_end(found) <= 1 and found.day >= 27:
        return last - _from_end(found)
    return min(first + found.day - 1, last)


def _alike(one: float, other: float) -> bool:
    return one * other > 0.0 and 1.0 / _ALIKE <= one / other <= _ALIKE


def by_hour(fees: Iterator[Expected], lines: int, begin: int, end: int) -> Floats:
    """Lay fees out as lines x hours from `begin` to before `end`; what is due earlier is left out."""
    found = np.zeros((lines, end - begin))
    for line, hour, usd in fees:
        if begin <= hour < end:
            found[line, hour - begin] += usd
    return found
