"""The nowcast against the final bill on simulated worlds, and the backtest that measures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.nowcast.gradual_bill import gradual_bill
from tests.analysis.nowcast.plain_bill import plain_bill

from exporter.analysis.nowcast.backtest import BacktestRow, Estimates, backtest
from exporter.analysis.nowcast.grading import ErrorRatios, error_ratios
from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO, CostCells, Line
from exporter.simulator.variation import Variation
from tests.analysis.nowcast.simulated_bill import START, TIMEZONE, simulated_bill
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells

JUDGED_DAYS = 21
FIRST_HOUR = int(START.timestamp()) // 3600


class Bill(Protocol):
    """A bill whose final cost is known."""

    @property
    def history(self) -> CostCells: ...
    @property
    def end_hour(self) -> int: ...
    @property
    def settled_usd(self) -> Mapping[int, float]: ...
    @property
    def live(self) -> Mapping[Line, Mapping[int, float]]: ...


def judge(bill: Bill) -> tuple[dict[int, ErrorRatios], dict[int, ErrorRatios]]:
    """Errors of the estimates of the last whole days at noon and at eight: without, and with live usage."""
    replay = Replay(bill.history, TIMEZONE, bill.end_hour, bill.live)
    calendar = replay.calendar
    last = calendar.day(bill.end_hour) - 1
    without: list[tuple[int, int, int]] = []
    with_live: list[tuple[int, int, int]] = []
    for day in range(last - JUDGED_DAYS, last):
        low, high = calendar.day_hours(day)
        final = round(sum(bill.settled_usd[hour] for hour in range(low, high)) * NANO)
        for now in range(low, high):
            clock = calendar.week_hour(now) % 24
            if clock not in (12, 20):
                continue
            for graded, live in ((without, False), (with_live, True)):
                found = replay.nowcast(now, low, high, live=live).whole_day(now).values()
                graded.append((clock, sum(split.total_nano_usd for split in found), final))
    return error_ratios(without), error_ratios(with_live)


def check_bounds(bill: Bill) -> None:
    without, with_live = judge(bill)
    assert without[12].absolute < 0.02
    assert without[20].absolute < 0.01
    assert abs(without[20].worst) < 0.03
    assert with_live[20].absolute < 0.007
    assert abs(with_live[20].worst) < 0.02


@pytest.mark.parametrize("seed", [2, 7])
def test_a_simulated_companys_day_is_told_at_noon_and_better_at_eight_and_with_live_usage(seed: int) -> None:
    check_bounds(simulated_bill(seed))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_day_of_plain_services_is_told_at_noon_and_better_at_eight_and_with_live_usage(seed: int) -> None:
    check_bounds(plain_bill(seed))


def test_a_service_that_is_two_days_late_spoils_little() -> None:
    late, _ = judge(simulated_bill(2, variation=Variation(late_service="bigquery")))
    assert late[20].absolute < 0.013


def test_a_bill_that_trickles_in_piece_by_piece_is_completed_as_well() -> None:
    first = FIRST_HOUR - 100 * 24
    bill, final = gradual_bill(2, first, 60, lumps=True)
    replay = Replay(bill, TIMEZONE, first + 60 * 24)
    graded: list[tuple[int, int, int]] = []
    for day in range(38, 59):
        low, high = first + day * 24, first + day * 24 + 24
        found = replay.nowcast(low + 20, low, high).whole_day(low + 20).values()
        total = round(sum(final[hour] for hour in range(low, high)) * NANO)
        graded.append((20, sum(split.total_nano_usd for split in found), total))
    assert error_ratios(graded)[20].absolute < 0.01


def rows(**changes: int) -> list[BacktestRow]:
    days = changes.get("days", 16)
    bill = history(line_cells(COMPUTE, range(days * 24), lambda _: 2.0))
    return list(backtest(bill, PACIFIC, FIRST + days * 24))


def test_every_hour_of_every_final_day_after_the_warm_up_is_judged_once() -> None:
    found = rows()
    assert len(found) == 3 * 24
    assert [row.hour for row in found[:24]] == list(range(24))
    assert (found[-1].day - found[0].day).days == 2


def test_rows_say_what_was_estimated_and_what_became_of_it() -> None:
    for row in rows():
        assert row.final_so_far_nano_usd == row.hour * 2 * NANO
        assert row.day_final_nano_usd == 48 * NANO
        assert row.nowcast_nano_usd == pytest.approx(row.final_so_far_nano_usd, rel=0.02)
        assert row.day_forecast_nano_usd == pytest.approx(row.day_final_nano_usd, rel=0.02)


def noisy(day_usd: list[int]) -> CostCells:
    """A bill whose days cost what is asked for; a part of each is late."""
    at_once = line_cells(COMPUTE, range(16 * 24), lambda at: 2.0 + day_usd[at // 24])
    late = line_cells(COMPUTE, range(16 * 24), lambda at: 0.1 * (at % 5), lambda at: 9 + at % 7)
    return history([*at_once, *late])


@settings(max_examples=10, deadline=None)
@given(day_usd=st.lists(st.integers(0, 9), min_size=16, max_size=16), kept=st.sets(st.integers(0, 71)))
def test_what_was_kept_grades_as_the_replay_does_where_it_says_the_same(
    day_usd: list[int], kept: set[int]
) -> None:
    bill, as_of = noisy(day_usd), FIRST + 16 * 24
    replayed = list(backtest(bill, PACIFIC, as_of))
    low = FIRST + 8 * 24
    said = {
        low + number: Estimates(row.nowcast_nano_usd, row.day_forecast_nano_usd)
        for number, row in enumerate(replayed)
        if number in kept
    }
    assert len(replayed) == 72
    assert list(backtest(bill, PACIFIC, as_of, said=said)) == replayed


def test_what_was_said_takes_the_place_of_the_replay_and_the_bill_stays_the_judge() -> None:
    bill = history(line_cells(COMPUTE, range(16 * 24), lambda _: 2.0))
    at = FIRST + 8 * 24 + 20
    found = list(backtest(bill, PACIFIC, FIRST + 16 * 24, said={at: Estimates(7, 8)}))
    row = found[20]
    assert (row.hour, row.nowcast_nano_usd, row.day_forecast_nano_usd) == (20, 7, 8)
    assert (row.final_so_far_nano_usd, row.day_final_nano_usd) == (40 * NANO, 48 * NANO)
    assert [row for row in found if row.day_forecast_nano_usd == 8] == [row]


def test_too_short_a_history_has_no_rows() -> None:
    assert rows(days=8) == []
    assert list(backtest(CostCells.of([]), PACIFIC, FIRST)) == []


def test_a_day_of_twenty_five_hours_has_each_clock_hour_once() -> None:
    first = 498_079  # 2026-10-27 07:00 UTC, five days before the clocks go back
    bill = history(
        [
            cell._replace(
                usage_hour=cell.usage_hour - FIRST + first, export_hour=cell.export_hour - FIRST + first
            )
            for cell in line_cells(COMPUTE, range(-5 * 24, 16 * 24), lambda _: 2.0)
        ]
    )
    found = [row for row in backtest(bill, PACIFIC, first + 16 * 24) if row.day_final_nano_usd == 50 * NANO]
    assert [row.hour for row in found] == list(range(24))
    assert found[-1].final_so_far_nano_usd == 48 * NANO
