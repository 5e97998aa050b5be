"""Reads the sums that an answer about cost shows: by group and period, the smallest groups added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from exporter.ledger.charges.cost_sums import ChargeSeries, ChosenKind, CostSums
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.metrics.attribution import BusinessUnit
from exporter.questions.bills import Bills
from exporter.questions.cell_reader import CellReader, Cells
from exporter.questions.choosing import Choice, choose
from exporter.questions.conditions import Conditions
from exporter.questions.cost_answer import CostGroup, Measure, OtherGroups, Point, amount_text
from exporter.questions.cost_question import CostParameters
from exporter.questions.dimensions import Dimensions
from exporter.questions.problem import QuestionError
from exporter.questions.times import Slot, Span, Step, slot_count, slots_of

_READ_AT_ONCE: Final = 20_000
"""With more sums than this the largest groups are found first, so that memory stays small."""

_OTHER: Final = -1
_COUNTED: Final[Mapping[Measure, Callable[[ChargeSeries], bool]]] = {
    "net": lambda _series: True,
    "gross": lambda series: series.charge_category != "credit",
    "credits": lambda series: series.charge_category == "credit",
    "list": lambda series: series.charge_category != "credit",
    "usage": lambda series: series.charge_category == "usage",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, understood."""

    by: Sequence[str]
    where: Conditions
    span: Span
    before: Span | None
    now: datetime
    most_rows: int
    per: BusinessUnit | None = None
    """The unit whose charges alone are asked for."""


@dataclass(frozen=True, slots=True)
class CostTable:
    """Amounts by group and period."""

    choice: Choice
    slots: Sequence[Slot]
    settled: Sequence[bool]
    shown: Sequence[int]
    rest: Sequence[int]
    """Numbers of the groups that are added up as _OTHER."""
    cells: Cells
    unlisted: Cells
    """Billed cost of charges without a list price, where list prices are asked for."""
    previous: Mapping[int, Decimal]
    previous_unlisted: Mapping[int, Decimal]

    def points(self, numbers: Sequence[int]) -> list[Point]:
        """Return the sum of some groups for each period."""
        amounts = _added(self.cells.get(number, {}) for number in numbers)
        unlisted = _added(self.unlisted.get(number, {}) for number in numbers)
        return [
            Point(
                start=slot.start,
                end=slot.end,
                value=amount_text(amounts.get(index)),
                settled=settled,
                without_list_price=amount_text(unlisted.get(index)),
            )
            for index, (slot, settled) in enumerate(zip(self.slots, self.settled, strict=True))
        ]

    def amounts(self) -> dict[int, Decimal]:
        """Return the sum of all groups by number of the period; without those in which there is none."""
        return _added(self.cells.values())

    def total(self, numbers: Iterable[int]) -> str | None:
        """Return the sum of some groups over all periods; None where there is nothing to sum."""
        return _total(self.cells, numbers)

    def total_unlisted(self, numbers: Iterable[int]) -> str | None:
        """Return what `total` lacks: the billed cost of charges without a list price."""
        return _total(self.unlisted, numbers)

    def before(self, numbers: Iterable[int]) -> str | None:
        """Return the sum of some groups over the span that is compared with."""
        return _sum_text(self.previous[number] for number in numbers if number in self.previous)

    def before_unlisted(self) -> str | None:
        """Return what the sum over the span that is compared with lacks."""
        return _sum_text(self.previous_unlisted.values())

    def groups(self, by: Sequence[str]) -> list[CostGroup]:
        """Return the groups that are shown on their own."""
        return [
            CostGroup(
                keys=dict(zip(by, self.choice.groups[number], strict=True)),
                total=self.total([number]),
                previous=self.before([number]),
                points=self.points([number]),
                without_list_price=self.total_unlisted([number]),
            )
            for number in self.shown
        ]

    def other(self, *, adds_up: bool) -> OtherGroups | None:
        """Return the other groups, added up; None where there are none."""
        if not self.rest:
            return None
        return OtherGroups(
            groups=len(self.rest),
            total=self.total([_OTHER]) if adds_up else None,
            previous=self.before(self.rest) if adds_up else None,
            points=self.points([_OTHER] if adds_up else []),
            without_list_price=self.total_unlisted([_OTHER]),
        )

    def everything(self) -> list[int]:
        """Return the numbers of all rows that the table has; they add up to the whole."""
        return [*self.shown, _OTHER]


def cost_table(
    view: LedgerView, parameters: CostParameters, dimensions: Dimensions, bills: Bills, asked: Asked
) -> CostTable:
    """Read what is asked. Raises QuestionError."""
    span, before = asked.span, asked.before
    if slot_count(span, parameters.step) > asked.most_rows + 2:
        raise _too_many_rows(slot_count(span, parameters.step), parameters.step, asked.most_rows)
    slots = slots_of(span, parameters.step)
    sums = CostSums(view)
    choice = choose(
        sums,
        dimensions,
        bills,
        by=asked.by,
        where=asked.where,
        span=_reach(span, before),
        wanted=_COUNTED[parameters.measure],
        per=asked.per,
    )
    reader = CellReader(sums, choice, asked.now, parameters.measure)
    previous = reader.totals(before) if before else {}
    without = reader.unlisted(span)
    shown, rest, cells = _read(
        reader, parameters, asked, slots, {**dict.fromkeys(without, Decimal(0)), **previous}
    )
    unlisted = (
        reader.cells(_with_others(choice, shown), span, parameters.step, slots, "unlisted") if without else {}
    )
    settled = [bills.settled(slot, choice.providers) for slot in slots]
    return CostTable(
        choice,
        slots,
        settled,
        shown,
        rest,
        cells,
        unlisted,
        previous,
        reader.unlisted(before) if before else {},
    )


def _read(
    reader: CellReader,
    parameters: CostParameters,
    asked: Asked,
    slots: Sequence[Slot],
    previous: Mapping[int, Decimal],
) -> tuple[list[int], list[int], Cells]:
    """Return the groups to show, those that are added up as _OTHER, and the amounts of both."""
    step, span, choice = parameters.step, asked.span, reader.choice
    numbers = slots[-1].end_number - slots[0].first_number
    cells: Cells | None = None
    if len(choice.groups) * numbers <= _READ_AT_ONCE:
        cells = reader.cells(choice.kinds, span, step, slots)
        totals = {number: sum(each.values(), Decimal(0)) for number, each in cells.items()}
    else:
        totals = reader.totals(span)
    known = {*totals, *previous}

    def size(number: int) -> tuple[Decimal, tuple[str, ...]]:
        change = totals.get(number, Decimal(0)) - previous.get(number, Decimal(0))
        return -abs(change), choice.groups[number]

    ranked = sorted(known, key=size)
    shown, rest = ranked[: parameters.top], ranked[parameters.top :]
    rows = (len(shown) + bool(rest)) * len(slots)
    if rows > asked.most_rows:
        raise _too_many_rows(rows, step, asked.most_rows)
    if cells is None:
        return shown, rest, reader.cells(_with_others(choice, shown), span, step, slots)
    found = {number: cells[number] for number in shown if number in cells}
    folded = _added(cells.get(number, {}) for number in rest)
    return shown, rest, {**found, _OTHER: folded}


def _with_others(choice: Choice, shown: Sequence[int]) -> list[ChosenKind]:
    """Return the kinds of charges, those of groups that are not shown as a part of the other groups."""
    own = set(shown)
    return [each if each.group in own else each._replace(group=_OTHER) for each in choice.kinds]


def _added(parts: Iterable[Mapping[int, Decimal]]) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for part in parts:
        for index, amount in part.items():
            found[index] = found.get(index, Decimal(0)) + amount
    return found


def _reach(span: Span, before: Span | None) -> Window:
    begin, end = span.whole
    return (min(begin, before.whole[0]), end) if before else (begin, end)


def _too_many_rows(rows: int, step: Step, most: int) -> QuestionError:
    return QuestionError(
        "top" if rows < 10 * most else "step",
        f"the answer would have {rows:,} rows (groups times periods of a {step}), the most is {most:,}; "
        "show fewer groups, take a longer step, or a later `from`",
    )


def _total(cells: Cells, numbers: Iterable[int]) -> str | None:
    return _sum_text(amount for number in numbers for amount in cells.get(number, {}).values())


def _sum_text(amounts: Iterable[Decimal]) -> str | None:
    known = list(amounts)
    return amount_text(sum(known, Decimal(0)) if known else None)
