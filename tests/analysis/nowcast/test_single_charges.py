"""A charge that comes once is no hourly rate, whatever it is beside."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.analysis.nowcast.month_forecast import forecast_month
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.single_charges import without_single_charges
from exporter.analysis.nowcast.track_record import TrackRecord, track_record
from exporter.core.cost_cells import NANO, CostCell, CostCells, Line
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells

VENDOR = Line("account", "web", "Vendor X", "monthly plan")
JUNE = FIRST + 21 * 24
"""2026-06-01 00:00 in the billing zone, 21 days after FIRST."""
DAYS_OF_JUNE = 30


def steady(days: int, first: int = 0) -> list[CostCell]:
    return line_cells(COMPUTE, range(first, days * 24), lambda _: 10.0 / 24.0, lag=lambda _: 5)


def fee(hour: int, usd: float = 100.0, span: int = 720, line: Line = VENDOR) -> CostCell:
    return CostCell(line, hour, hour + 5, round(usd * NANO), 0, span)


def month_end(cells: CostCells, as_of: int) -> float:
    found = forecast_month(Replay(cells, PACIFIC, as_of), as_of, TrackRecord())
    assert found is not None
    return found.quantile_usd[0.5]


def burn_rate(cells: CostCells, as_of: int) -> float:
    return sum(Replay(cells, PACIFIC, as_of).nowcast(as_of).burn_rate_usd_per_hour(as_of + 0.5).values())


@pytest.mark.parametrize("days", [4, 8, 30])
@pytest.mark.parametrize("later", [6, 30, 100, 400])
def test_a_first_fee_counts_once_in_the_month_from_the_hour_it_is_known(days: int, later: int) -> None:
    as_of = JUNE + later
    known = [cell._replace(usage_hour=cell.usage_hour + JUNE - FIRST - days * 24) for cell in steady(50)]
    moved = [cell._replace(export_hour=cell.usage_hour + 5) for cell in known]
    bill = CostCells.of([*moved, fee(JUNE)])
    assert month_end(bill, as_of) == pytest.approx(100.0 + 10.0 * DAYS_OF_JUNE, rel=0.01)
    assert burn_rate(bill, as_of) == pytest.approx(10.0 / 24.0, rel=0.01)


def test_support_at_the_end_of_one_month_is_no_rate_of_the_next() -> None:
    support = Line("account", "", "Support", "Enhanced Support")
    bill = history(steady(30), [fee(JUNE - 24, 500.0, 24, support)])
    assert month_end(bill, JUNE + 60) == pytest.approx(10.0 * DAYS_OF_JUNE, rel=0.01)


def test_a_fee_that_came_in_two_months_is_forecast_once_on_its_day() -> None:
    april, may = JUNE - 61 * 24 + 14 * 24, JUNE - 31 * 24 + 14 * 24
    base = steady(90, first=-45 * 24)
    bill = history(base, [fee(april), fee(may)])
    before, after = JUNE + 5 * 24, JUNE + 25 * 24
    assert month_end(bill, before) == pytest.approx(100.0 + 300.0, rel=0.01)
    found = Replay(bill, PACIFIC, before).nowcast(before, JUNE, JUNE + 30 * 24).estimate["Vendor X"]
    assert [hour // 24 for hour, usd in enumerate(found) if usd] == [14]
    assert month_end(bill, after) == pytest.approx(300.0, rel=0.01)
    assert month_end(history(base, [fee(april), fee(may), fee(JUNE + 14 * 24)]), after) == pytest.approx(
        400.0, rel=0.01
    )


def test_a_yearly_or_prepaid_charge_is_not_forecast_again() -> None:
    bill = history(steady(60), [fee(JUNE - 9 * 24, 5000.0, 8760)])
    assert month_end(bill, JUNE + 40) == pytest.approx(300.0, rel=0.01)


def test_several_seats_bought_within_days_are_no_running_cost() -> None:
    seats = [fee(JUNE + 3 * number, 30.0) for number in range(12)]
    bill = history(steady(60), seats)
    assert month_end(bill, JUNE + 60) == pytest.approx(300.0 + 360.0, rel=0.01)


def test_a_charge_by_the_day_goes_on_by_the_day_and_burns_all_day() -> None:
    storage = Line("account", "web", "Storage", "by the day")
    booked = [
        CostCell(storage, FIRST + day * 24, FIRST + day * 24 + 30, 24 * NANO, 0, 24) for day in range(40)
    ]
    bill = history(booked)
    assert month_end(bill, JUNE + 5 * 24 + 10) == pytest.approx(24.0 * 30, rel=0.02)
    assert burn_rate(bill, JUNE + 5 * 24 + 10) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("usd", [-80.0, 300.0, 50_000.0])
def test_a_large_single_charge_on_a_metered_line_leaves_its_rate(usd: float) -> None:
    at = JUNE + 30
    extra = CostCell(COMPUTE, at, at + 5, round(usd * NANO), 0)
    as_of = at + 8
    with_it, without = history(steady(60), [extra]), history(steady(60))
    assert burn_rate(with_it, as_of) == pytest.approx(burn_rate(without, as_of), rel=0.01)
    assert month_end(with_it, as_of) - month_end(without, as_of) == pytest.approx(usd, rel=0.05)


@pytest.mark.slow
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    seed=st.integers(0, 10_000),
    days=st.integers(3, 45),
    usd=st.floats(0.5, 1e6),
    span=st.sampled_from([1, 24, 720, 8760]),
    age=st.integers(2, 300),
    later=st.integers(3, 700),
)
def test_one_more_charge_raises_the_months_end_by_itself_and_the_burn_rate_not_at_all(
    seed: int, days: int, usd: float, span: int, age: int, later: int
) -> None:
    random = Random(seed)
    first = 21 * 24 - days * 24
    as_of = JUNE + later
    level = {SKU: random.uniform(0.1, 20.0) for SKU in ("a", "b", "c")}
    base = [
        cell
        for sku, cost in level.items()
        for cell in line_cells(
            COMPUTE._replace(sku_id=sku),
            range(first, 55 * 24),
            lambda at, cost=cost: cost * (1.0 + (at % 24 > 8)) * (0.8 + 0.4 * (at * 7919 % 1000) / 1000),
            lag=lambda _: random.randint(2, 12),
        )
    ]
    at = max(as_of - age, JUNE)
    more = fee(at, usd, span)._replace(export_hour=min(at + 5, as_of - 1))
    plain, with_it = CostCells.of(base), CostCells.of([*base, more])
    raised = month_end(with_it, as_of) - month_end(plain, as_of)
    assert raised == pytest.approx(usd, rel=0.05)
    assert burn_rate(with_it, as_of) == pytest.approx(burn_rate(plain, as_of), rel=1e-6)


@pytest.mark.slow
def test_quantiles_stay_near_where_fees_came_on_the_first_of_each_month() -> None:
    april, may = JUNE - 61 * 24, JUNE - 31 * 24
    bill = history(steady(90, first=-45 * 24), [fee(april), fee(may), fee(JUNE)])
    as_of = JUNE + 3 * 24
    found = forecast_month(Replay(bill, PACIFIC, as_of), as_of, track_record(bill, PACIFIC, as_of))
    assert found is not None
    low, middle, high = (found.quantile_usd[each] for each in (0.1, 0.5, 0.9))
    assert middle == pytest.approx(400.0, rel=0.01)
    assert 360.0 < low < middle < high < 450.0


def test_hours_that_cost_as_others_do_are_kept_and_a_fee_among_them_is_not() -> None:
    hourly = {hour: 1.0 + hour % 3 for hour in range(200)} | {77: 500.0}
    assert without_single_charges(hourly) == {hour: usd for hour, usd in hourly.items() if hour != 77}
    assert without_single_charges({}) == {}
