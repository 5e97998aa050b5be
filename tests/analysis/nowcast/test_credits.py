"""Credits: commitments cover an amount, discounts a share, allowances run out, some move with the month."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import Cell, KnownCosts
from exporter.analysis.nowcast.credits import RecentCredits, credit_pattern, find_allowances, spread_allowance
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells

CALENDAR = BillingCalendar(PACIFIC, FIRST, FIRST + 90 * 24)
DAY = 24


def known(cells: list[Cell], days: int = 60) -> KnownCosts:
    found = KnownCosts(history(cells), FIRST + days * DAY)
    found.advance(FIRST + days * DAY)
    return found


def gross(at: int) -> float:
    return 5.0 + at % 24 / 10.0


def test_a_commitment_covers_a_fixed_amount() -> None:
    costs = known(line_cells(COMPUTE, range(20 * DAY), gross, credit=lambda _: -3.0))
    pattern = credit_pattern(costs, 0, FIRST, FIRST + 20 * DAY)
    assert pattern.steps is None
    recent = RecentCredits(FIRST, 5.0, -3.0)
    assert pattern.credit(7.0, FIRST + 1, recent, CALENDAR) == pytest.approx(-3.0, abs=0.01)
    assert pattern.credit(1.0, FIRST + 1, recent, CALENDAR) == pytest.approx(-1.0)


def test_a_discount_gives_back_a_share() -> None:
    costs = known(line_cells(COMPUTE, range(20 * DAY), gross, credit=lambda at: -0.12 * gross(at)))
    pattern = credit_pattern(costs, 0, FIRST, FIRST + 20 * DAY)
    assert pattern.credit(7.0, FIRST + 1, RecentCredits(FIRST, 5.0, -0.6), CALENDAR) == pytest.approx(-0.84)


def test_a_discount_that_grows_over_the_month_falls_back_at_the_next() -> None:
    def share(at: int) -> float:
        begin, end = CALENDAR.month_hours(CALENDAR.month(FIRST + at))
        return -0.1 * ((FIRST + at - begin) * 4 // (end - begin))

    costs = known(line_cells(COMPUTE, range(48 * DAY), gross, credit=lambda at: share(at) * gross(at)))
    pattern = credit_pattern(costs, 0, FIRST, FIRST + 48 * DAY)
    start, _ = CALENDAR.month_hours(CALENDAR.month(FIRST + 60 * DAY))
    assert datetime.fromtimestamp(start * 3600, UTC).month == 7
    recent = RecentCredits(start - 1, 5.0, -1.5)
    assert pattern.credit(5.0, start + 5, recent, CALENDAR) == pytest.approx(0.0, abs=0.01)
    middle = RecentCredits(start + 5 * DAY, 5.0, 0.0)
    assert pattern.credit(5.0, start + 9 * DAY, middle, CALENDAR) == pytest.approx(-0.5, abs=0.01)


def test_an_allowance_is_worth_what_was_free_until_it_ran_out() -> None:
    june, _ = CALENDAR.month_hours(CALENDAR.month(FIRST + 40 * DAY))
    free = {june + n: -gross(june + n - FIRST) for n in range(9)} | {june + 9: -1.0}
    cells = line_cells(COMPUTE, range(40 * DAY), gross, credit=lambda at: free.get(FIRST + at, 0.0))
    (allowance,) = find_allowances(known(cells, 40), CALENDAR, FIRST + 40 * DAY, FIRST)
    assert allowance.lines == (0,)
    assert allowance.usd == pytest.approx(-sum(free.values()))


def test_credits_that_never_make_a_month_begin_free_are_no_allowance() -> None:
    cells = line_cells(COMPUTE, range(40 * DAY), gross, credit=lambda at: -0.5 * gross(at))
    assert find_allowances(known(cells, 40), CALENDAR, FIRST + 40 * DAY, FIRST) == ()


def test_what_is_left_of_an_allowance_covers_the_next_hours_in_order() -> None:
    hours = [(1, [2.0, 1.0]), (2, []), (3, [3.0]), (4, [3.0]), (5, [3.0])]
    assert spread_allowance(7.5, hours) == {1: 1.0, 3: 1.0, 4: 0.5, 5: 0.0}
