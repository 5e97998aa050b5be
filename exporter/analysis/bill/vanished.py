"""Whether a bill loses more at once than bills do: by day before and after, without a clock.

Exports keep a window: the oldest day is deleted each day, the file of one month makes room for the next.
What leaves at the beginning of such a window is no loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

_FEW: Final = Decimal("0.005")
"""Of the dollars: so few may be dated before a bill begins, such as late corrections of earlier months."""

_DAY: Final = timedelta(days=1)
_ABOUT_THE_FIRST: Final = 3
"""A month begins up to a day earlier or later where the provider's days are not those of UTC."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """What a bill would lose."""

    usd: Decimal
    """Dollars before credits."""
    month: date
    """First day of the month that loses most."""
    share: float
    """Of the dollars of that month, or of the one before where that had more."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is known about how the bill changes, besides its days."""

    ended: date | None
    """The last day of the bill before anything of it changed."""
    one_removed: bool
    """Whether all that goes was in a single file, which was removed."""


def vanished(
    before: Mapping[date, Decimal], after: Mapping[date, Decimal], window: Window
) -> Vanished | None:
    """Return the loss of the month that loses the largest share; None where no day loses anything.

    Days are those of usage, in UTC, with dollars before credits: a credit lowers a bill and takes no charge
    away.
    """
    lost = {day: usd - after.get(day, Decimal(0)) for day, usd in before.items()}
    begins = _moved_to(before, after, window)
    lost = {day: usd for day, usd in lost.items() if usd > 0 and (begins is None or day >= begins)}
    if not lost:
        return None
    months = _by_month(before)
    worst = None
    for month, usd in sorted(_by_month(lost).items()):
        # A month that has just begun is small, and its first figures are provisional.
        of = max(months[month], months.get((month - _DAY).replace(day=1), Decimal(0)))
        found = Vanished(sum(lost.values(), Decimal(0)), month, float(usd / of))
        worst = found if worst is None or found.share > worst.share else worst
    return worst


def _moved_to(before: Mapping[date, Decimal], after: Mapping[date, Decimal], window: Window) -> date | None:
    """Return the day that the bill begins with now, where what was before it has left as windows move on."""
    kept = {day: usd for day, usd in after.items() if usd > 0 and 2 * usd >= before.get(day, Decimal(0))}
    began, begins = _first_day(before), _first_day(kept)
    if began is None or begins is None or begins <= began:
        return None
    grown = max(after) - window.ended if window.ended is not None else timedelta(0)
    by_days = begins - began <= max(grown, timedelta(0)) + _DAY
    old, new = began + _DAY, begins + _DAY
    by_month = new.day <= _ABOUT_THE_FIRST and (new.replace(day=1) - _DAY).replace(day=1) == old.replace(
        day=1
    )
    return begins if by_days or by_month or window.one_removed else None


def _first_day(days: Mapping[date, Decimal]) -> date | None:
    few = sum(days.values(), Decimal(0)) * _FEW
    passed = Decimal(0)
    for day, usd in sorted(days.items()):
        passed += usd
        if passed > few:
            return day
    return None


def _by_month(days: Mapping[date, Decimal]) -> dict[date, Decimal]:
    months: dict[date, Decimal] = {}
    for day, usd in days.items():
        month = day.replace(day=1)
        months[month] = months.get(month, Decimal(0)) + usd
    return months
