"""What share of a day's cost is still to come, learnt from how this account's charges have arrived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.settlement import (
    LEAST_USAGE_HOURS,
    ArrivalCurve,
    arrival_curve,
    settled_through,
    unsettled_ratio,
)

DAY = datetime(2026, 11, 10, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def learnt(*arrivals: tuple[int, float]) -> ArrivalCurve:
    curve = arrival_curve(arrivals, LEAST_USAGE_HOURS)
    assert curve is not None
    return curve


def test_the_curve_is_the_share_of_dollars_known_at_each_age() -> None:
    curve = learnt((3, 60.0), (5, 30.0), (3, 10.0))
    assert [curve.arrived_ratio(age) for age in (-1, 0, 3, 4, 5, 6, 100)] == pytest.approx(
        [0, 0, 0, 0.7, 0.7, 1, 1]
    )


@pytest.mark.parametrize("arrivals", [[], [(3, 0.0)]])
def test_nothing_is_claimed_without_dollars(arrivals: list[tuple[int, float]]) -> None:
    assert arrival_curve(arrivals, LEAST_USAGE_HOURS) is None


def test_nothing_is_claimed_from_less_than_three_days() -> None:
    assert arrival_curve([(3, 1.0)], LEAST_USAGE_HOURS - 1) is None


def test_a_day_is_unsettled_by_the_hours_that_have_not_arrived() -> None:
    curve = learnt((3, 1.0))
    day = (DAY, DAY + 24 * HOUR)
    ratios = [unsettled_ratio(curve, day, DAY + n * HOUR, DAY + n * HOUR) for n in (0, 1, 8, 24, 26, 27, 28)]
    assert ratios == [None, 1.0, pytest.approx(3 / 8), pytest.approx(3 / 24), pytest.approx(1 / 24), 0.0, 0.0]


def test_a_bill_that_has_stopped_growing_settles_nothing_more() -> None:
    curve = learnt((3, 1.0))
    day = (DAY, DAY + 24 * HOUR)
    stale = unsettled_ratio(curve, day, now=DAY + 72 * HOUR, known_until=DAY + 12 * HOUR)
    assert stale == pytest.approx(15 / 24)
    assert settled_through(curve, DAY + 12 * HOUR + timedelta(minutes=59)) == DAY + 8 * HOUR


def test_settled_means_that_half_a_percent_at_most_is_to_come() -> None:
    assert learnt((3, 99.5), (40, 0.5)).settled_age_hours() == 4
    assert learnt((3, 99.4), (40, 0.6)).settled_age_hours() == 41


@given(
    arrivals=st.lists(st.tuples(st.integers(-2, 200), st.floats(0, 1e6)), min_size=1),
    hours=st.integers(0, 400),
)
def test_a_ratio_is_a_ratio_and_time_only_settles(arrivals: list[tuple[int, float]], hours: int) -> None:
    curve = arrival_curve(arrivals, LEAST_USAGE_HOURS)
    if curve is None:
        assert sum(usd for _, usd in arrivals) == 0
        return
    day = (DAY, DAY + 24 * HOUR)
    now, later = DAY + (24 + hours) * HOUR, DAY + (25 + hours) * HOUR
    first, second = unsettled_ratio(curve, day, now, now), unsettled_ratio(curve, day, later, later)
    assert first is not None
    assert second is not None
    assert -1e-9 <= second <= first + 1e-9 <= 1 + 2e-9
    assert curve.arrived_ratio(10_000) == 1.0
