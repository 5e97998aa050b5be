"""The usual spending of a week: what a span has of it, and what is learnt from the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.budgets.spending_season import SpendingSeason, learn_season

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKING = SpendingSeason(
    [2.0 if day < 5 and 9 <= at < 17 else 0.0 for day in range(7) for at in range(24)], "UTC"
)
UNTIL = int(MONDAY.timestamp()) // 3600


def test_a_span_costs_the_sum_of_its_hours_and_of_parts_of_hours() -> None:
    assert WORKING.between(MONDAY, MONDAY + timedelta(days=7)) == 80.0
    assert WORKING.between(MONDAY + 9.5 * HOUR, MONDAY + 11.25 * HOUR) == pytest.approx(3.5)
    assert WORKING.between(MONDAY + timedelta(days=5), MONDAY + timedelta(days=7)) == 0.0


def test_a_plan_rests_over_the_weekend() -> None:
    month_end = MONDAY + timedelta(days=14)
    saturday, sunday = MONDAY + timedelta(days=5), MONDAY + timedelta(days=6)
    assert WORKING.share(MONDAY, saturday, month_end) == WORKING.share(MONDAY, sunday, month_end) == 0.5


def test_where_nothing_is_known_a_plan_is_a_straight_line() -> None:
    unknown = learn_season({}, UNTIL, "UTC")
    assert unknown.share(MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)) == 0.25
    assert unknown.between(MONDAY, MONDAY + timedelta(days=4)) == 0.0


def test_the_season_is_learnt_with_all_that_was_spent_in_it() -> None:
    past = {
        hour: WORKING.usd[(hour - UNTIL) % 168] * (1.5 if hour % 3 else 0.5)
        for hour in range(UNTIL - 672, UNTIL)
    }
    season = learn_season(past, UNTIL, "UTC")
    assert sum(season.usd) == pytest.approx(sum(past.values()) / 4)
    assert season.usd[3 * 24 + 3] == 0.0
    assert season.usd[3 * 24 + 12] > 0.9


def test_one_bad_night_is_not_the_plan_for_the_next() -> None:
    past = dict.fromkeys(range(UNTIL - 672, UNTIL), 1.0)
    past[UNTIL - 100] = 500.0
    season = learn_season(past, UNTIL, "UTC")
    assert max(season.usd) == pytest.approx(min(season.usd))


def test_a_bill_by_the_day_belongs_to_all_its_hours() -> None:
    past = dict.fromkeys(range(UNTIL - 672, UNTIL, 24), 24.0)
    season = learn_season(past, UNTIL, "UTC", daily=True)
    assert season.usd == pytest.approx([1.0] * 168)


def test_hours_are_those_of_the_billing_zone() -> None:
    summer = int(datetime(2026, 8, 3, tzinfo=UTC).timestamp()) // 3600
    past = {hour: 1.0 if (hour - summer) % 24 == 7 else 0.0 for hour in range(summer - 672, summer)}
    season = learn_season(past, summer, "America/Los_Angeles")
    assert [at for at, usd in enumerate(season.usd) if usd] == [24 * day for day in range(7)]
    assert sum(season.usd) == pytest.approx(7.0)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@given(times=st.tuples(moments, moments, moments).map(sorted))
def test_parts_of_a_span_sum_to_the_span(times: list[datetime]) -> None:
    begin, now, end = times
    season = SpendingSeason([float(at % 7) for at in range(168)], "America/Los_Angeles")
    # Whole weeks are taken as one, so that a change of the clock within moves two hours at most.
    parts = season.between(begin, now) + season.between(now, end)
    assert parts == pytest.approx(season.between(begin, end), abs=2 * max(season.usd))
    if begin < end:
        assert 0.0 <= season.share(begin, now, end) <= 1.0
