"""Answers /api/v1/costs from one consistent state of the ledger. All sums of money are exact."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from exporter.ledger.charges.windows import LedgerView
from exporter.questions.bills import Bills
from exporter.questions.conditions import conditions_of
from exporter.questions.cost_answer import ComparedSpan, CostAnswer
from exporter.questions.cost_question import CostParameters
from exporter.questions.cost_table import Asked, CostTable, cost_table
from exporter.questions.dimensions import UNIT, Dimensions
from exporter.questions.per_unit import cost_per_unit, unit_of
from exporter.questions.times import Span, bound_text, span_before, span_of

MOST_ROWS: Final = 10_000
"""Points of all groups of an answer."""


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
    per = unit_of(parameters, dimensions)
    asked = Asked(by, where, span, before, now, most_rows, per)
    table = cost_table(view, parameters, dimensions, bills, asked)
    per_unit = None
    if per is not None:
        by_day = parameters.model_copy(update={"step": "day"})
        daily = table if parameters.step == "day" else cost_table(view, by_day, dimensions, bills, asked)
        per_unit = cost_per_unit(view, per, table, daily)
    everything = [*table.shown, *table.rest]
    units = {table.choice.groups[number][by.index(UNIT)] for number in everything} if quantity else set()
    adds_up = len(units) <= 1
    with_other = table.everything() if adds_up else []
    return CostAnswer(
        from_=bound_text(span.first),
        to=bound_text(span.end),
        step=parameters.step,
        measure=parameters.measure,
        currency=None if quantity else "USD",
        unit=next(iter(units)) if len(units) == 1 else None,
        by=by,
        where={name: list(patterns) for name, patterns in where.items()},
        compared_with=_compared(before, table),
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
        per_unit=per_unit,
        without_list_price=table.total_unlisted(with_other),
    )


def _compared(before: Span | None, table: CostTable) -> ComparedSpan | None:
    if before is None:
        return None
    return ComparedSpan(
        from_=bound_text(before.first),
        to=bound_text(before.end),
        without_list_price=table.before_unlisted(),
    )
