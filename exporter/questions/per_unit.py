"""What one unit of the user's business has cost in each period: billed cost over the number of units.

Only days that have both count, so that a day without a number makes no unit cheap or dear.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.unit_counts import unit_counts
from exporter.metrics.attribution import BusinessUnit
from exporter.questions.cost_answer import CostPerUnit, UnitPoint, amount_text
from exporter.questions.cost_question import CostParameters
from exporter.questions.cost_table import CostTable
from exporter.questions.dimensions import Dimensions
from exporter.questions.problem import QuestionError

_EPOCH: Final = date(1970, 1, 1)
_STEPS: Final = ("day", "week", "month")
_MEASURES: Final = ("net", "gross")

_Counted = dict[int, tuple[Decimal, float]]
"""Cost and number of units by number of the day."""


def unit_of(parameters: CostParameters, dimensions: Dimensions) -> BusinessUnit | None:
    """Return the unit that is asked for; None without one. Raises QuestionError."""
    if not parameters.per:
        return None
    unit = dimensions.unit(parameters.per)
    if parameters.step not in _STEPS:
        raise QuestionError(
            "step", f"{parameters.step} does not go with per, since units are counted by day: take day"
        )
    if parameters.measure not in _MEASURES:
        raise QuestionError("measure", f"{parameters.measure} does not go with per: take net or gross")
    if parameters.by:
        raise QuestionError("by", "does not go with per: leave it out, or narrow the cost with where")
    if parameters.compare != "none":
        raise QuestionError("compare", "does not go with per: take a longer step, such as week")
    return unit


def cost_per_unit(view: LedgerView, unit: BusinessUnit, table: CostTable, daily: CostTable) -> CostPerUnit:
    """Return what a unit has cost in the periods of a table; `daily` has the same charges by day."""
    first, end = _day(daily.slots[0].first_number), _day(daily.slots[-1].end_number)
    numbers = unit_counts(view, unit.name, first, end)
    counted: _Counted = {
        daily.slots[index].first_number: (usd, numbers[day])
        for index, usd in daily.amounts().items()
        if (day := _day(daily.slots[index].first_number)) in numbers
    }
    points = []
    for slot, settled in zip(table.slots, table.settled, strict=True):
        days = range(slot.first_number, slot.end_number)
        points.append(UnitPoint(start=slot.start, end=slot.end, settled=settled, **_figures(counted, days)))
    whole = range(table.slots[0].first_number, table.slots[-1].end_number)
    return CostPerUnit(unit=unit.name, points=points, **_figures(counted, whole))


def _figures(counted: _Counted, days: Sequence[int]) -> dict[str, object]:
    of_days = [counted[day] for day in days if day in counted]
    usd = sum((usd for usd, _ in of_days), Decimal(0))
    count = sum(number for _, number in of_days)
    return {
        "count": count if of_days else None,
        "cost": amount_text(usd) if of_days else None,
        "usd_per_unit": float(usd) / count if count > 0 else None,
        "counted_days": len(of_days),
        "days": len(days),
    }


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)
