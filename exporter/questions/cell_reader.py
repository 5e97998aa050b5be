"""Reads the sums of one choice of charges, by the number of the group and of the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, FARTHEST_AHEAD
from exporter.ledger.charges.cost_sums import Amount, ChosenKind, CostSums, NumberedBy
from exporter.ledger.charges.windows import Window
from exporter.questions.choosing import Choice
from exporter.questions.cost_answer import Measure
from exporter.questions.times import Slot, Span, Step, slots_of

_DAY: Final = timedelta(days=1)
_NUMBERED: Final[Mapping[Step, NumberedBy]] = {
    "hour": "hour",
    "day": "day",
    "week": "day",
    "month": "day",
    "total": "whole",
}

Cells = dict[int, dict[int, Decimal]]
"""Amount by number of the group and of the period."""

_SUMMED: Final[Mapping[Measure, Amount]] = {"list": "listed", "usage": "quantity"}


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads sums of one choice of charges."""

    sums: CostSums
    choice: Choice
    now: datetime
    measure: Measure

    def cells(
        self,
        kinds: Sequence[ChosenKind],
        span: Span,
        step: Step,
        slots: Sequence[Slot],
        amount: Amount | None = None,
    ) -> Cells:
        """Return the sums of some kinds of charges by the slots in which they were used."""
        place = {
            number: index
            for index, slot in enumerate(slots)
            for number in range(slot.first_number, slot.end_number)
        }
        found: Cells = {}
        rows = self.sums.sums(
            kinds,
            _plausible(span, self.now),
            _NUMBERED[step],
            tags=self.choice.tags,
            units=self.choice.units,
            amount=amount or _SUMMED.get(self.measure, "billed"),
        )
        for group, number, summed in rows:
            # A quantity is a float in the ledger; rounded once, so that its sums are exact too.
            exact = summed if isinstance(summed, Decimal) else Decimal(f"{summed:.15g}")
            of_group = found.setdefault(group, {})
            index = place[number]
            of_group[index] = of_group.get(index, Decimal(0)) + exact
        return found

    def totals(self, span: Span, amount: Amount | None = None) -> dict[int, Decimal]:
        """Return the sum of each group over the whole span."""
        found = self.cells(self.choice.kinds, span, "total", slots_of(span, "total"), amount)
        return {group: cells[0] for group, cells in found.items()}

    def unlisted(self, span: Span) -> dict[int, Decimal]:
        """Return what was billed for charges without a list price, where list prices are asked for."""
        return self.totals(span, "unlisted") if self.measure == "list" else {}


def _plausible(span: Span, now: datetime) -> dict[str, Window]:
    """Return the windows without times in which there can be no charge."""
    return {
        zone: (begin, end)
        for zone, window in span.windows.items()
        if (begin := max(window[0], EARLIEST_PLAUSIBLE))
        < (end := min(window[1], now + FARTHEST_AHEAD + _DAY))
    }
