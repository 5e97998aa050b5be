"""Whatever the history: one more charge that comes once raises the month's end by itself, and no rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.analysis.nowcast.kinds_of_charges import split_lines
from exporter.core.cost_cells import NANO, CostCell, CostCells, Line
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, line_cells
from tests.analysis.nowcast.test_single_charges import JUNE, VENDOR, burn_rate, fee, month_end


@dataclass(frozen=True)
class Place:
    """Where the one more charge may go: in a bill of some hourly lines, as of an hour in June."""

    chance: Random
    hourly: list[CostCell]
    as_of: int

    def usd(self) -> float:
        return self.chance.choice([0.5, 10.0, 300.0, 5_000.0, 100_000.0])

    def hour(self) -> int:
        first = min(cell.usage_hour for cell in self.hourly)
        return self.chance.randint(max(JUNE, first), self.as_of - 2)

    def fee(self, usd: float, span: int = 720, line: Line = VENDOR) -> CostCell:
        at = self.hour()
        return fee(at, usd, span, line)._replace(export_hour=self.chance.randint(at + 1, self.as_of - 1))

    def metered(self) -> Line:
        return self.chance.choice(self.hourly).line

    def most(self, line: Line) -> float:
        return max(cell.gross_nano_usd for cell in self.hourly if cell.line == line) / NANO


Case = Callable[[Place], tuple[list[CostCell], CostCell]]
"""Earlier charges of the kind, and the one more."""


def on_a_line_of_its_own(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(place.usd(), place.chance.choice([1, 24, 720, 8760]))


def in_a_service_with_hourly_use(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(place.usd(), line=VENDOR._replace(service_name=COMPUTE.service_name))


def for_a_month_or_a_year_on_a_metered_sku(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(place.usd(), place.chance.choice([24, 720, 8760]), place.metered())


def a_refund(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(-place.usd())


def a_refund_on_a_metered_sku(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(-place.usd(), 1, place.metered())


def after_two_fees_in_different_months(place: Place) -> tuple[list[CostCell], CostCell]:
    usd = place.usd()
    return [fee(JUNE - 47 * 24, usd), fee(JUNE - 20 * 24, usd)], place.fee(usd)


def beside_a_monthly_fee(place: Place) -> tuple[list[CostCell], CostCell]:
    usd, chance = place.usd(), place.chance
    return [fee(JUNE - days * 24, usd) for days in (61, 31)], place.fee(usd * chance.choice([0.3, 3.0]))


def beside_a_weekly_charge(place: Place) -> tuple[list[CostCell], CostCell]:
    usd = place.usd()
    weekly = [fee(JUNE - 7 * 24 * week - 100, usd, 1) for week in (1, 2, 3)]
    return weekly, place.fee(usd * 3.0, 1)


def on_a_line_seen_in_a_few_hours(place: Place) -> tuple[list[CostCell], CostCell]:
    few = [fee(JUNE - place.chance.randint(24, 400), place.usd(), 1) for _ in range(2)]
    return few, place.fee(place.usd(), 1)


def in_the_very_first_hour(place: Place) -> tuple[list[CostCell], CostCell]:
    first = min(cell.usage_hour for cell in place.hourly)
    at = first if first >= JUNE else JUNE
    return [], fee(at, place.usd())._replace(export_hour=at + 1)


def in_the_last_known_hour(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], fee(place.as_of - 2, place.usd())._replace(export_hour=place.as_of - 1)


def that_arrives_late(place: Place) -> tuple[list[CostCell], CostCell]:
    return [], place.fee(place.usd())._replace(export_hour=place.as_of - 1)


def of_another_kind_in_an_hour_of_a_metered_sku(place: Place) -> tuple[list[CostCell], CostCell]:
    line = place.metered()
    usd = place.most(line) * place.chance.choice([0.5, 1.0, 3.0, 100.0])
    return [], place.fee(usd, 1, line)._replace(apart=True)


CASES: list[Case] = [
    on_a_line_of_its_own,
    in_a_service_with_hourly_use,
    for_a_month_or_a_year_on_a_metered_sku,
    a_refund,
    a_refund_on_a_metered_sku,
    after_two_fees_in_different_months,
    beside_a_monthly_fee,
    beside_a_weekly_charge,
    on_a_line_seen_in_a_few_hours,
    in_the_very_first_hour,
    in_the_last_known_hour,
    that_arrives_late,
    of_another_kind_in_an_hour_of_a_metered_sku,
]


def place(seed: int, days: int, later: int) -> Place:
    chance = Random(seed)
    cells: list[CostCell] = []
    for number in range(chance.randint(1, 3)):
        line = COMPUTE._replace(sku_id=f"metered {number}")
        level, noise = chance.choice([0.05, 1.0, 20.0]), chance.choice([0.0, 0.1, 0.3])
        lag, working = chance.choice([1, 4, 12]), chance.choice([0.5, 1.0])
        for at in range((21 - days) * 24, 52 * 24):
            usd = (
                level * (working if at % 24 < 9 or at // 24 % 7 > 4 else 1.0) * exp(chance.gauss(0.0, noise))
            )
            late = max(1, round(lag * exp(chance.gauss(0.0, 0.4))))
            cells.append(CostCell(line, FIRST + at, FIRST + at + late, round(usd * NANO), 0))
    return Place(chance, cells, JUNE + later)


HISTORIES = {
    "seed": st.integers(0, 10**6),
    "days": st.sampled_from([3, 5, 10, 21, 45, 70]),
    "later": st.integers(4, 718),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(**HISTORIES)
def test_one_more_charge(case: Case, seed: int, days: int, later: int) -> None:
    of = place(seed, days, later)
    earlier, more = case(of)
    without, with_it = CostCells.of([*of.hourly, *earlier]), CostCells.of([*of.hourly, *earlier, more])
    raised = month_end(with_it, of.as_of) - month_end(without, of.as_of)
    assert raised == pytest.approx(more.gross_nano_usd / NANO, rel=0.05)
    assert burn_rate(with_it, of.as_of) == pytest.approx(burn_rate(without, of.as_of), rel=1e-6)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    seed=st.integers(0, 10**6),
    days=st.integers(10, 60),
    later=st.integers(4, 718),
    back=st.integers(2, 240),
    times=st.floats(2.0, 100.0),
)
def test_a_second_row_for_an_hour_of_a_metered_sku_is_known_by_its_size(
    seed: int, days: int, later: int, back: int, times: float
) -> None:
    """Nothing but its size tells which of the two rows is the hour's use."""
    of = place(seed, days, later)
    line = of.metered()
    hours = [cell for cell in of.hourly if cell.line == line and cell.export_hour < of.as_of]
    hour = hours[max(len(hours) - back, 0)]
    more = hour._replace(gross_nano_usd=round(times * of.most(line) * NANO), export_hour=of.as_of - 1)
    without, with_it = CostCells.of(of.hourly), CostCells.of([*of.hourly, more])
    raised = month_end(with_it, of.as_of) - month_end(without, of.as_of)
    usd = more.gross_nano_usd / NANO if more.usage_hour >= JUNE else 0.0
    assert raised == pytest.approx(usd, rel=0.05, abs=1e-6)
    assert burn_rate(with_it, of.as_of) == pytest.approx(burn_rate(without, of.as_of), rel=1e-6)


def test_a_row_that_completes_its_hour_is_a_part_of_it() -> None:
    hours = line_cells(COMPUTE, range(30 * 24), lambda _: 2.0)
    parts = [hours[700]._replace(gross_nano_usd=NANO), hours[700]._replace(gross_nano_usd=NANO)]
    assert not any("apart" in line.sku_id for line in split_lines(CostCells.of([*hours[:700], *parts])).lines)


def test_a_later_row_changes_nothing_of_what_was_known_of_its_hour() -> None:
    hours = line_cells(COMPUTE, range(30 * 24), lambda _: 2.0)
    odd = hours[500]._replace(gross_nano_usd=9 * NANO)
    later = odd._replace(export_hour=odd.export_hour + 300, gross_nano_usd=2 * NANO)
    found = split_lines(CostCells.of([*hours[:500], odd, *hours[501:], later]))
    known = found.export < later.export_hour
    assert {found.lines[line].sku_id for line in found.line[known]} == {COMPUTE.sku_id}
