"""The nowcast against the final bill on simulated worlds, and the backtest that measures it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.analysis.nowcast.backtest import BacktestRow, backtest
from exporter.analysis.nowcast.estimate import Estimate
from exporter.analysis.nowcast.estimates import Estimates
from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO, CostCells
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells


def rows(**changes: int) -> list[BacktestRow]:
    days = changes.get("days", 16)
    bill = history(line_cells(COMPUTE, range(days * 24), lambda _: 2.0))
    return list(backtest(bill, PACIFIC, FIRST + days * 24))


@pytest.mark.slow
def test_every_hour_of_every_final_day_after_the_warm_up_is_judged_once() -> None:
    found = rows()
    assert len(found) == 3 * 24
    assert [row.hour for row in found[:24]] == list(range(24))
    assert (found[-1].day - found[0].day).days == 2


@pytest.mark.slow
def test_rows_say_what_was_estimated_and_what_became_of_it() -> None:
    found = rows()
    assert found
    for row in found:
        assert row.final_so_far_nano_usd == row.hour * 2 * NANO
        assert row.day_final_nano_usd == 48 * NANO
        assert row.nowcast_nano_usd == pytest.approx(row.final_so_far_nano_usd, rel=0.02)
        assert row.day_forecast_nano_usd == pytest.approx(row.day_final_nano_usd, rel=0.02)


def noisy(day_usd: list[int]) -> CostCells:
    """A bill whose days cost what is asked for; a part of each is late."""
    at_once = line_cells(COMPUTE, range(16 * 24), lambda at: 2.0 + day_usd[at // 24])
    late = line_cells(COMPUTE, range(16 * 24), lambda at: 0.1 * (at % 5), lambda at: 9 + at % 7)
    return history([*at_once, *late])


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
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


@pytest.mark.parametrize("hours", [80, 93, 120])
@pytest.mark.parametrize("since", [0, 5, 30])
def test_a_bill_of_a_few_days_is_not_judged_and_breaks_nothing(hours: int, since: int) -> None:
    """Replayed as of hours after the last one that the bill has."""
    bill = history(line_cells(COMPUTE, range(hours), lambda _: 2.0))
    assert list(backtest(bill, PACIFIC, FIRST + hours + since)) == []


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_plain_estimate_of_each_hour_stands_next_to_ours() -> None:
    last_day = rows(days=40)[-24:]
    assert len(last_day) == 24
    for row in last_day:
        assert row.plain_services == ()
        assert row.plain_day_forecast_nano_usd == pytest.approx(row.day_final_nano_usd, rel=0.05)


@pytest.mark.slow
def test_a_service_that_the_plain_estimate_told_better_for_weeks_is_estimated_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bill = history(line_cells(COMPUTE, range(50 * 24), lambda at: 2.0 + at % 5))
    honest = Replay.estimate

    def twice(replay: Replay, as_of: int, begin: int, end: int, *, live: bool = True) -> Estimate:
        found = honest(replay, as_of, begin, end, live=live)
        return dataclasses.replace(found, to_come=2.0 * found.to_come + 1.0)

    monkeypatch.setattr(Replay, "estimate", twice)
    found = list(backtest(bill, PACIFIC, FIRST + 50 * 24))
    assert found[0].plain_services == ()
    last = found[-24:]
    assert {row.plain_services for row in last} == {("Compute Engine",)}
    assert all(row.day_forecast_nano_usd == row.plain_day_forecast_nano_usd for row in last)
