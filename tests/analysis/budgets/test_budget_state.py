"""How a budget stands: its parts sum to its total, its plan follows the season, its end is foreseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.budgets.budget_state import BudgetSpending, Period, budget_period, budget_state
from exporter.analysis.budgets.spending_season import SpendingSeason

PACIFIC = "America/Los_Angeles"
NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
"""A Wednesday."""
NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
FLAT = SpendingSeason([1.0] * 168, "UTC")


def spending(
    billed: float = 200.0, estimated: float = 52.0, rate: float = 1.0, season: SpendingSeason = FLAT
) -> BudgetSpending:
    return BudgetSpending(Decimal(str(billed)), Decimal(str(estimated)), rate, season, [(24.0, 24.0)] * 10)


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        ("day", "2026-11-11T00:00-08:00", "2026-11-12T00:00-08:00"),
        ("week", "2026-11-09T00:00-08:00", "2026-11-16T00:00-08:00"),
        ("month", "2026-11-01T00:00-07:00", "2026-12-01T00:00-08:00"),
        ("quarter", "2026-10-01T00:00-07:00", "2027-01-01T00:00-08:00"),
        ("year", "2026-01-01T00:00-08:00", "2027-01-01T00:00-08:00"),
    ],
)
def test_a_period_is_one_of_the_billing_zone(period: Period, begin: str, end: str) -> None:
    assert budget_period(NOW, period, PACIFIC) == (datetime.fromisoformat(begin), datetime.fromisoformat(end))


def test_the_first_moment_of_a_month_is_in_the_new_month() -> None:
    rollover = datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert budget_period(rollover, "month", PACIFIC)[0] == rollover
    assert budget_period(rollover - timedelta(microseconds=1), "month", PACIFIC)[1] == rollover


def test_a_budget_on_plan_ends_at_its_limit() -> None:
    state = budget_state(Decimal("720.0"), NOVEMBER, NOW, spending())
    assert state.used_ratio == pytest.approx(state.expected_ratio) == pytest.approx(252 / 720)
    assert state.forecast_usd[0.5] == pytest.approx(720.0)
    assert state.forecast_usd[0.1] < state.forecast_usd[0.5] < state.forecast_usd[0.9]


def test_the_moment_of_exhaustion_is_reported_at_todays_pace() -> None:
    state = budget_state(Decimal("300.0"), NOVEMBER, NOW, spending(rate=2.0))
    assert state.exhausted_at == NOW + timedelta(hours=24)


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.01])
def test_a_budget_that_lasts_has_no_moment_of_exhaustion(rate: float) -> None:
    assert budget_state(Decimal("300.0"), NOVEMBER, NOW, spending(rate=rate)).exhausted_at is None


def test_a_budget_that_is_gone_is_negative_and_its_moment_has_passed() -> None:
    hour = int(NOW.timestamp()) // 3600
    known = replace(spending(), hourly_usd={hour - back: 1.0 for back in range(1, 40)})
    state = budget_state(Decimal("250.5"), NOVEMBER, NOW, known)
    assert state.remaining_usd == Decimal("-1.5")
    assert state.exhausted_at == NOW - timedelta(hours=1)


def test_when_a_limit_was_reached_before_the_hours_that_are_known_is_not_reported() -> None:
    hour = int(NOW.timestamp()) // 3600
    state = budget_state(Decimal("200.0"), NOVEMBER, NOW, replace(spending(), hourly_usd={hour: 1.0}))
    assert state.used_ratio > 1.0
    assert state.exhausted_at is None


def test_a_period_that_changes_the_clock_is_as_long_as_the_time_that_passes() -> None:
    begin, end = budget_period(datetime(2026, 11, 1, 12, tzinfo=UTC), "day", PACIFIC)
    assert end - begin == timedelta(hours=25)
    assert budget_state(Decimal("10.0"), (begin, end), end, spending()).expected_ratio == 1.0


def test_credits_that_outweigh_cost_leave_more_than_the_limit() -> None:
    state = budget_state(Decimal("100.0"), NOVEMBER, NOW, spending(billed=-20.0, estimated=0.0))
    assert state.remaining_usd == 120.0
    assert state.used_ratio == pytest.approx(-0.2)


def test_twice_the_usual_pace_is_forecast_above_the_usual() -> None:
    usual = budget_state(Decimal("720.0"), NOVEMBER, NOW, spending()).forecast_usd[0.5]
    faster = budget_state(Decimal("720.0"), NOVEMBER, NOW, spending(rate=2.0)).forecast_usd[0.5]
    assert usual < faster < usual + 468.0


@pytest.mark.parametrize(("times", "level"), [(1000.0, 4.0), (0.001, 0.25)])
def test_the_rest_is_forecast_at_no_more_than_four_times_the_usual_and_no_less_than_a_quarter(
    times: float, level: float
) -> None:
    extreme = BudgetSpending(Decimal(200), Decimal(52), times, FLAT, [(24.0 * times, 24.0)] * 10)
    state = budget_state(Decimal("720.0"), NOVEMBER, NOW, extreme)
    assert state.forecast_usd[0.5] == pytest.approx(252 + level * 468)


def test_without_a_past_the_rest_is_forecast_at_the_pace_of_now() -> None:
    new = BudgetSpending(Decimal(10), Decimal(0), 0.5, SpendingSeason([0.0] * 168, "UTC"), [])
    state = budget_state(Decimal("720.0"), NOVEMBER, NOW, new)
    assert state.forecast_usd[0.5] == pytest.approx(10 + 0.5 * 468)
    assert state.expected_ratio == pytest.approx(252 / 720)


def test_a_forecast_of_the_rest_takes_the_place_of_the_season() -> None:
    known = replace(spending(), rest_usd={0.1: 400.0, 0.5: 500.0, 0.9: 700.0})
    state = budget_state(Decimal("720.0"), NOVEMBER, NOW, known)
    assert state.forecast_usd == {0.1: 652.0, 0.5: 752.0, 0.9: 952.0}


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_not_above_zero_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        budget_state(Decimal(limit), NOVEMBER, NOW, spending())


money = st.decimals(-1000, 100_000, places=9)


@pytest.mark.slow
@given(
    limit=st.decimals("0.01", "1e6", places=2),
    billed=money,
    estimated=st.decimals(-100, 100_000, places=9),
    rate=st.floats(-10, 1e4),
    hours=st.floats(0, 719.99),
    usual=st.lists(st.floats(0, 100), min_size=168, max_size=168),
)
def test_parts_sum_to_the_total_whatever_is_spent(
    limit: Decimal, billed: Decimal, estimated: Decimal, rate: float, hours: float, usual: list[float]
) -> None:
    now = NOVEMBER[0] + timedelta(hours=hours)
    spent = BudgetSpending(billed, estimated, rate, SpendingSeason(usual, "UTC"), [])
    state = budget_state(limit, NOVEMBER, now, spent)
    assert state.billed_usd + state.estimated_usd == state.used_usd
    assert state.used_usd + state.remaining_usd == limit
    assert 0.0 <= state.expected_ratio <= 1.0 + 1e-9
    assert state.forecast_usd[0.1] <= state.forecast_usd[0.5] + 1e-9 <= state.forecast_usd[0.9] + 2e-9
    if state.exhausted_at is not None:
        assert state.used_ratio < 1.0
        assert now <= state.exhausted_at <= NOVEMBER[1] + timedelta(seconds=1)
