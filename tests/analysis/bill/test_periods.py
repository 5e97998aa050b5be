"""Periods and groups: no day is in two periods or in none, and no dollar is lost in `other`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.periods import OTHER, By, cost_periods, periods, periods_before, start_of

BYS = st.sampled_from(["day", "week", "month"])
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(first=DAYS, length=st.integers(1, 400), by=BYS)
def test_periods_follow_each_other_without_a_gap(first: date, length: int, by: By) -> None:
    end = first + timedelta(days=length)
    found = periods(first, end, by)
    assert found[0].first == first
    assert found[-1].end == end
    assert all(one.end == other.first for one, other in pairwise(found))
    starts: dict[By, Callable[[date], bool]] = {
        "day": lambda day: True,
        "week": lambda day: day.weekday() == 0,
        "month": lambda day: day.day == 1,
    }
    assert all(starts[by](period.first) for period in found[1:])


@pytest.mark.parametrize(
    ("by", "first", "end", "before"),
    [
        ("day", "2026-11-10", "2026-11-12", ("2026-11-08", "2026-11-10")),
        ("week", "2026-11-09", "2026-11-23", ("2026-10-26", "2026-11-09")),
        ("month", "2026-03-01", "2026-04-01", ("2026-02-01", "2026-03-01")),
        ("month", "2026-01-01", "2026-03-01", ("2025-11-01", "2026-01-01")),
        ("month", "2026-03-01", "2026-03-11", ("2026-02-19", "2026-03-01")),
    ],
)
def test_the_time_before_is_as_many_months_or_days(
    by: By, first: str, end: str, before: tuple[str, str]
) -> None:
    found = periods_before(date.fromisoformat(first), date.fromisoformat(end), by)
    assert (str(found[0].first), str(found[-1].end)) == before


@pytest.mark.parametrize(
    ("by", "expected"), [("day", "2026-11-17"), ("week", "2026-11-02"), ("month", "2026-09-01")]
)
def test_the_default_begins_with_a_whole_period(by: By, expected: str) -> None:
    assert str(start_of(date(2026, 11, 19), by, 3)) == expected


COSTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", OTHER]),
        st.integers(0, 2),
        st.decimals(-100, 100, places=6, allow_nan=False),
    ),
    max_size=40,
)


@given(costs=COSTS, earlier=COSTS, top=st.integers(1, 5), compared=st.booleans())
def test_totals_stay_exact_whatever_is_folded(
    costs: list[tuple[str, int, Decimal]], earlier: list[tuple[str, int, Decimal]], top: int, compared: bool
) -> None:
    shown = periods(date(2026, 11, 1), date(2026, 11, 4), "day")
    before = periods_before(date(2026, 11, 1), date(2026, 11, 4), "day") if compared else []
    table = cost_periods(shown, before, costs, earlier if compared else [], top)
    assert (table.total_usd or 0) == sum(usd for _, _, usd in costs)
    assert (table.before_usd or 0) == sum(usd for _, _, usd in earlier if compared)
    for number in range(3):
        assert (table.period_usd(number) or 0) == sum(usd for _, at, usd in costs if at == number)
    assert len([group for group in table.groups if group.name != OTHER]) <= top
    assert len({group.name for group in table.groups}) == len(table.groups)


def test_what_moved_most_comes_first_where_two_times_are_compared() -> None:
    before, shown = (periods(date(2026, 11, day), date(2026, 11, day + 1), "day") for day in (1, 2))
    now = [("large", 0, Decimal(100)), ("new", 0, Decimal(7))]
    then = [("large", 0, Decimal(101)), ("gone", 0, Decimal(30))]
    table = cost_periods(shown, before, now, then, 8)
    assert [(group.name, group.change_usd) for group in table.groups] == [
        ("gone", Decimal(-30)),
        ("new", Decimal(7)),
        ("large", Decimal(-1)),
    ]
    assert [group.name for group in cost_periods(shown, [], now, [], 8).groups] == ["large", "new"]
