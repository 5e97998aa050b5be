"""Answers /api/v1/costs from one consistent state of the ledger. All sums of money are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, FARTHEST_AHEAD
from exporter.ledger.charges.cost_sums import ChargeSeries, ChosenKind, CostSums, NumberedBy
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.questions.bills import Bills
from exporter.questions.choosing import Choice, choose
from exporter.questions.conditions import Conditions, conditions_of
from exporter.questions.cost_answer import (
    ComparedSpan,
    CostAnswer,
    CostGroup,
    Measure,
    OtherGroups,
    Point,
    amount_text,
)
from exporter.questions.cost_question import CostParameters
from exporter.questions.dimensions import UNIT, Dimensions
from exporter.questions.problem import QuestionError
from exporter.questions.times import Slot, Span, Step, bound_text, slot_count, slots_of, span_before, span_of

MOST_ROWS: Final = 10_000
"""Points of all groups of an answer."""

_READ_AT_ONCE: Final = 20_000
"""With more sums than this the largest groups are found first, so that memory stays small."""

_DAY: Final = timedelta(days=1)
_OTHER: Final = -1
_NUMBERED: Final[Mapping[Step, NumberedBy]] = {
    "hour": "hour",
    "day": "day",
    "week": "day",
    "month": "day",
    "total": "whole",
}

_Cells = dict[int, dict[int, Decimal]]
"""Amount by number of the group and of the period."""


_COUNTED: Final[Mapping[Measure, Callable[[ChargeSeries], bool]]] = {
    "net": lambda _series: True,
    "gross": lambda series: series.charge_category != "credit",
    "credits": lambda series: series.charge_category == "credit",
    "usage": lambda series: series.charge_category == "usage",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, understood."""

    by: Sequence[str]
    where: Conditions
    span: Span
    before: Span | None
    quantity: bool
    now: datetime
    most_rows: int


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads sums of one choice of charges."""

    sums: CostSums
    choice: Choice
    now: datetime
    quantity: bool

    def cells(self, kinds: Sequence[ChosenKind], span: Span, step: Step, slots: Sequence[Slot]) -> _Cells:
        place = {
            number: index
            for index, slot in enumerate(slots)
            for number in range(slot.first_number, slot.end_number)
        }
        found: _Cells = {}
        rows = self.sums.sums(
            kinds,
            _plausible(span, self.now),
            _NUMBERED[step],
            tags=self.choice.tags,
            units=self.choice.units,
            quantity=self.quantity,
        )
        for group, number, amount in rows:
            # A quantity is a float in the ledger; rounded once, so that its sums are exact too.
            exact = amount if isinstance(amount, Decimal) else Decimal(f"{amount:.15g}")
            of_group = found.setdefault(group, {})
            index = place[number]
            of_group[index] = of_group.get(index, Decimal(0)) + exact
        return found

    def totals(self, span: Span) -> dict[int, Decimal]:
        slots = slots_of(span, "total")
        return {
            group: cells[0] for group, cells in self.cells(self.choice.kinds, span, "total", slots).items()
        }


@dataclass(frozen=True, slots=True)
class _Table:
    """Amounts by group and period."""

    choice: Choice
    slots: Sequence[Slot]
    settled: Sequence[bool]
    shown: Sequence[int]
    rest: Sequence[int]
    """Numbers of the groups that are added up as _OTHER."""
    cells: _Cells
    previous: Mapping[int, Decimal]

    def points(self, numbers: Iterable[int]) -> list[Point]:
        amounts = _added(self.cells.get(number, {}) for number in numbers)
        return [
            Point(start=slot.start, end=slot.end, value=amount_text(amounts.get(index)), settled=settled)
            for index, (slot, settled) in enumerate(zip(self.slots, self.settled, strict=True))
        ]

    def total(self, numbers: Iterable[int]) -> str | None:
        amounts = [amount for number in numbers for amount in self.cells.get(number, {}).values()]
        return amount_text(sum(amounts, Decimal(0)) if amounts else None)

    def before(self, numbers: Iterable[int]) -> str | None:
        amounts = [self.previous[number] for number in numbers if number in self.previous]
        return amount_text(sum(amounts, Decimal(0)) if amounts else None)

    def groups(self, by: Sequence[str]) -> list[CostGroup]:
        return [
            CostGroup(
                keys=dict(zip(by, self.choice.groups[number], strict=True)),
                total=self.total([number]),
                previous=self.before([number]),
                points=self.points([number]),
            )
            for number in self.shown
        ]

    def other(self, *, adds_up: bool) -> OtherGroups | None:
        if not self.rest:
            return None
        return OtherGroups(
            groups=len(self.rest),
            total=self.total([_OTHER]) if adds_up else None,
            previous=self.before(self.rest) if adds_up else None,
            points=self.points([_OTHER] if adds_up else []),
        )


def answer_costs(
    view: LedgerView,
    parameters: CostParameters,
    dimensions: Dimensions,
    bills: Bills,
    *,
    now: datetime,
    most_rows: int = MOST_ROWS,
) -> CostAnswer:
    """Return the answer. Raises QuestionError."""
    by = dimensions.named(parameters.by) if parameters.by else []
    quantity = parameters.measure == "usage"
    if quantity and UNIT not in by:
        by.append(UNIT)
    where = conditions_of(parameters.where, dimensions)
    span = span_of(parameters.from_, parameters.to, parameters.step, now, bills.zones)
    before = span_before(span, parameters.compare)
    table = _table(
        view, parameters, dimensions, bills, _Asked(by, where, span, before, quantity, now, most_rows)
    )
    everything = [*table.shown, *table.rest]
    units = {table.choice.groups[number][by.index(UNIT)] for number in everything} if quantity else set()
    adds_up = len(units) <= 1
    with_other = [*table.shown, _OTHER] if adds_up else []
    return CostAnswer(
        from_=bound_text(span.first),
        to=bound_text(span.end),
        step=parameters.step,
        measure=parameters.measure,
        currency=None if quantity else "USD",
        unit=next(iter(units)) if len(units) == 1 else None,
        by=by,
        where={name: list(patterns) for name, patterns in where.items()},
        compared_with=_compared(before),
        groups=table.groups(by),
        other=table.other(adds_up=adds_up),
        total=table.total(with_other),
        previous=table.before(everything if adds_up else []),
        points=table.points(with_other),
        truncated=bool(table.rest),
        settled=all(table.settled),
        partial=bills.partial(before or span, table.choice.providers),
        providers=bills.described(),
        missing_sources=list(bills.missing_sources),
    )


def _compared(before: Span | None) -> ComparedSpan | None:
    return ComparedSpan(from_=bound_text(before.first), to=bound_text(before.end)) if before else None


def _table(
    view: LedgerView, parameters: CostParameters, dimensions: Dimensions, bills: Bills, asked: _Asked
) -> _Table:
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
    )
    reader = _Reader(sums, choice, asked.now, asked.quantity)
    previous = reader.totals(before) if before else {}
    shown, rest, cells = _read(reader, parameters, asked, slots, previous)
    settled = [bills.settled(slot, choice.providers) for slot in slots]
    return _Table(choice, slots, settled, shown, rest, cells, previous)


def _read(
    reader: _Reader,
    parameters: CostParameters,
    asked: _Asked,
    slots: Sequence[Slot],
    previous: Mapping[int, Decimal],
) -> tuple[list[int], list[int], _Cells]:
    """Return the groups to show, those that are added up as _OTHER, and the amounts of both."""
    step, span, choice = parameters.step, asked.span, reader.choice
    numbers = slots[-1].end_number - slots[0].first_number
    cells: _Cells | None = None
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
    own = set(shown)
    if cells is None:
        kinds = [each if each.group in own else _folded(each) for each in choice.kinds]
        return shown, rest, reader.cells(kinds, span, step, slots)
    found = {number: cells[number] for number in shown if number in cells}
    folded = _added(cells.get(number, {}) for number in rest)
    return shown, rest, {**found, _OTHER: folded}


def _folded(kind: ChosenKind) -> ChosenKind:
    """Return the kind as a part of the other groups."""
    return kind._replace(group=_OTHER)


def _added(parts: Iterable[Mapping[int, Decimal]]) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for part in parts:
        for index, amount in part.items():
            found[index] = found.get(index, Decimal(0)) + amount
    return found


def _reach(span: Span, before: Span | None) -> Window:
    begin, end = span.whole
    return (min(begin, before.whole[0]), end) if before else (begin, end)


def _plausible(span: Span, now: datetime) -> dict[str, Window]:
    """Return the windows without times in which there can be no charge."""
    return {
        zone: (begin, end)
        for zone, window in span.windows.items()
        if (begin := max(window[0], EARLIEST_PLAUSIBLE))
        < (end := min(window[1], now + FARTHEST_AHEAD + _DAY))
    }


def _too_many_rows(rows: int, step: Step, most: int) -> QuestionError:
    return QuestionError(
        "top" if rows < 10 * most else "step",
        f"the answer would have {rows:,} rows (groups times periods of a {step}), the most is {most:,}; "
        "show fewer groups, take a longer step, or a later `from`",
    )
