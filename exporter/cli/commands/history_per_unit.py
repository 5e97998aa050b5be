"""Writes the answer of `spend-exporter history --per`: what one unit has cost, by day, week or month."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from datetime import date

from exporter.analysis.bill.periods import By
from exporter.cli.commands.history_report import Form, period_label
from exporter.core.printable import printable
from exporter.questions.cost_answer import CostAnswer, CostPerUnit, UnitPoint
from exporter.questions.cost_csv import costs_csv

logger = logging.getLogger(__name__)


def print_unit_costs(answer: CostAnswer, per_unit: CostPerUnit, by: By, form: Form) -> bool:
    """Print what one unit has cost, as JSON the whole answer; return whether it is known for any day."""
    if form == "json":
        sys.stdout.write(answer.model_dump_json(by_alias=True, indent=2) + "\n")
    elif form == "csv":
        sys.stdout.write(costs_csv(answer))
    else:
        sys.stdout.write("\n".join(_lines(answer, per_unit, by)) + "\n")
    if per_unit.counted_days == 0:
        logger.error(
            "no day from %s to before %s has both billed cost and a number of the unit %s: numbers come from "
            "the promql of unit_costs, once a day is over",
            answer.from_,
            answer.to,
            printable(per_unit.unit),
        )
    return per_unit.counted_days > 0


def _lines(answer: CostAnswer, per_unit: CostPerUnit, by: By) -> Iterator[str]:
    unit = printable(per_unit.unit)
    what = "Billed cost without credits" if answer.measure == "gross" else "Billed cost"
    yield f"{what} per {unit}, usage from {answer.from_} to before {answer.to}"
    yield ""
    yield f"{by:<20}{'US dollars':>14}{'number':>16}{'US dollars per ' + unit:>30}".rstrip()
    for point, of_unit in zip(answer.points, per_unit.points, strict=True):
        label = period_label(date.fromisoformat(point.start), by)
        notes = _notes(of_unit)
        yield f"{label:<20}{_usd(point.value):>14}{_figures(of_unit)}{'  ' + notes if notes else ''}".rstrip()
    yield f"{'total':<20}{_usd(answer.total):>14}{_figures(per_unit)}".rstrip()
    if per_unit.counted_days < per_unit.days:
        yield ""
        yield (
            f"{per_unit.counted_days} of {per_unit.days} days are counted: they have a number of units and "
            f"billed cost{'' if per_unit.cost is None else f', ${_usd(per_unit.cost)} together'}."
        )
    for bill in answer.providers:
        yield f"The ledger has the bill of {printable(bill.provider)} to {bill.billed_to}."


def _figures(figures: UnitPoint | CostPerUnit) -> str:
    number = "-" if figures.count is None else f"{figures.count:,.0f}"
    each = "-" if figures.usd_per_unit is None else f"{figures.usd_per_unit:,.6f}"
    return f"{number:>16}{each:>30}"


def _notes(point: UnitPoint) -> str:
    notes = []
    if point.counted_days == 0:
        notes.append("not counted")
    elif point.counted_days < point.days:
        notes.append(f"{point.counted_days} of {point.days} days counted")
    if not point.settled:
        notes.append("charges still arrive")
    return ", ".join(notes)


def _usd(text: str | None) -> str:
    return "-" if text is None else f"{float(text):,.2f}"
