"""Compares days, weeks or months: cost by period and group, the largest groups, the largest changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal

By = Literal["day", "week", "month"]

OTHER: Final = "other"
"""The sum of all groups that are not shown on their own."""


@dataclass(frozen=True, slots=True)
class Period:
    """Billing days from `first` to before `end`."""

    first: date
    end: date


@dataclass(frozen=True, slots=True)
class Group:
    """Net US dollars of one group of charges over all the periods; None where nothing is billed."""

    name: str
    usd: Decimal | None
    before_usd: Decimal | None
    """In the periods of the comparison; None also without a comparison."""

    @property
    def change_usd(self) -> Decimal:
        """The change from before; a missing group counts as zero."""
        return (self.usd or Decimal(0)) - (self.before_usd or Decimal(0))


@dataclass(frozen=True, slots=True)
class CostPeriods:
    """Billed cost of some periods, by group."""

    periods: Sequence[Period]
    before: Sequence[Period]
    """The periods to compare with; empty without a comparison."""
    groups: Sequence[Group]
    """Largest first, or largest change first in a comparison; OTHER is last."""
    cells: Mapping[tuple[int, str], Decimal]
    """Net US dollars by number of the period and name of the group, OTHER included."""
    folded: int
    """How many groups are in OTHER."""

    @property
    def total_usd(self) -> Decimal | None:
        """Sum over all groups, exact."""
        return _sum(group.usd for group in self.groups)

    @property
    def before_usd(self) -> Decimal | None:
        """The same for the periods to compare with."""
        return _sum(group.before_usd for group in self.groups)

    def period_usd(self, number: int) -> Decimal | None:
        """Sum over all groups of one period."""
        return _sum(self.cells.get((number, group.name)) for group in self.groups)


def periods(first: date, end: date, by: By) -> list[Period]:
    """Return the days, weeks (from Monday) or months in [first, end); the first and last may be partial."""
    found = []
    while first < end:
        following = min(end, _next(first, by))
        found.append(Period(first, following))
        first = following
    return found


def periods_before(first: date, end: date, by: By) -> list[Period]:
    """Return the periods of the same length just before: the same number of months, or of days."""
    if by == "month" and first.day == end.day == 1:
        months = (end.year - first.year) * 12 + end.month - first.month
        begin = first
        for _ in range(months):
            begin = (begin - timedelta(days=1)).replace(day=1)
    else:
        begin = first - (end - first)
    return periods(begin, first, by)


def start_of(day: date, by: By, count: int) -> date:
    """Return the first day of the period that lies `count` - 1 periods before that of a day."""
    begin = _first_of(day, by)
    for _ in range(count - 1):
        begin = _first_of(begin - timedelta(days=1), by)
    return begin


def cost_periods(
    shown: Sequence[Period],
    before: Sequence[Period],
    costs: Iterable[tuple[str, int, Decimal]],
    earlier: Iterable[tuple[str, int, Decimal]],
    top: int,
) -> CostPeriods:
    """Sort costs (group, number of the period, US dollars) into a table with `top` groups on their own.

    `earlier` are the costs of the periods `before`.
    """
    cells: dict[tuple[int, str], Decimal] = {}
    now: dict[str, Decimal] = {}
    then: dict[str, Decimal] = {}
    for name, number, usd in costs:
        cells[number, name] = cells.get((number, name), Decimal(0)) + usd
        now[name] = now.get(name, Decimal(0)) + usd
    for name, _, usd in earlier:
        then[name] = then.get(name, Decimal(0)) + usd
    groups = [Group(name, now.get(name), then.get(name)) for name in dict.fromkeys((*now, *then))]
    groups.sort(key=lambda group: (-abs(group.change_usd if before else group.usd or Decimal(0)), group.name))
    own, rest = groups[:top], groups[top:]
    if not rest:
        return CostPeriods(shown, before, own, cells, 0)
    # A group that the bill itself calls `other` is added to OTHER.
    rest += [group for group in own if group.name == OTHER]
    own = [group for group in own if group.name != OTHER]
    kept = {group.name for group in own}
    folded: dict[tuple[int, str], Decimal] = {}
    for (number, name), usd in cells.items():
        key = (number, name if name in kept else OTHER)
        folded[key] = folded.get(key, Decimal(0)) + usd
    other = Group(OTHER, _sum(group.usd for group in rest), _sum(group.before_usd for group in rest))
    return CostPeriods(shown, before, [*own, other], folded, len(rest))


def _next(day: date, by: By) -> date:
    if by == "day":
        return day + timedelta(days=1)
    if by == "week":
        return day + timedelta(days=7 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _first_of(day: date, by: By) -> date:
    if by == "day":
        return day
    return day - timedelta(days=day.weekday()) if by == "week" else day.replace(day=1)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [usd for usd in amounts if usd is not None]
    return sum(known, Decimal(0)) if known else None
