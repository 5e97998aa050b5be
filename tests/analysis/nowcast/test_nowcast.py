"""The nowcast: exact sums, no look ahead, a smooth rate, and sense where there is little to go by."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO, CostCell, CostCells, Line
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells

DAY = 24
SQL = Line("account", "web", "Cloud SQL", "cpu")
NOW = FIRST + 15 * DAY + 17
"""17:00 of a Tuesday, two weeks after the first day."""


def cells(seed: int = 1, days: int = 20) -> list[CostCell]:
    random = Random(seed)
    hours = range(days * DAY)
    return [
        *line_cells(
            COMPUTE,
            hours,
            lambda at: (1.0 + (at % 24 > 8)) * random.lognormvariate(0.0, 0.1),
            lag=lambda at: random.randint(2, 7),
            credit=lambda at: -0.2,
        ),
        *line_cells(SQL, hours, lambda _: 3.0, lag=lambda at: random.randint(5, 30)),
    ]


def nowcast(history: CostCells, as_of: int = NOW) -> Nowcast:
    return Replay(history, PACIFIC, as_of).nowcast(as_of)


AMOUNTS = st.tuples(
    st.sampled_from([COMPUTE, SQL, Line("account", "web", "New", "sku")]),
    st.integers(FIRST - 2, NOW + 30),
    st.integers(FIRST, NOW + 200),
    st.integers(-5 * NANO, 20 * NANO),
    st.integers(-5 * NANO, 0),
)


@given(st.lists(AMOUNTS, max_size=12), st.floats(0.0, 23.9))
@settings(max_examples=8, deadline=None)
def test_parts_sum_exactly_whatever_is_billed(
    extra: list[tuple[Line, int, int, int, int]], passed: float
) -> None:
    every = [*cells(), *(CostCell(*values) for values in extra)]
    found = nowcast(history(every))
    now = NOW - 17 + passed
    begin, end = FIRST + 15 * DAY, FIRST + 16 * DAY
    so_far, whole = found.today_so_far(now), found.whole_day(now)
    services = {cell.line.service_name for cell in every if cell.export_hour < NOW}
    assert services
    for service in services:
        billed = sum(
            cell.gross_nano_usd + cell.credit_nano_usd
            for cell in every
            if cell.line.service_name == service and cell.export_hour < NOW and begin <= cell.usage_hour < end
        )
        assert so_far[service].billed_nano_usd == whole[service].billed_nano_usd == billed
        assert so_far[service].total_nano_usd == billed + so_far[service].estimated_nano_usd
        assert whole[service].total_nano_usd == sum(
            found.estimate[service][begin - found.begin : end - found.begin]
        )


@pytest.mark.slow
@given(st.lists(AMOUNTS, max_size=20), st.integers(0, 30))
@settings(max_examples=8, deadline=None)
def test_nothing_exported_later_changes_anything(
    later: list[tuple[Line, int, int, int, int]], scale: int
) -> None:
    before = [cell for cell in cells() if cell.export_hour < NOW]
    after = [
        cell._replace(gross_nano_usd=cell.gross_nano_usd * scale)
        for cell in cells()
        if cell.export_hour >= NOW
    ]
    after += [CostCell(line, hour, max(export, NOW), a, b) for line, hour, export, a, b in later]
    known, changed = nowcast(history(before)), nowcast(history(before, after))
    for service, estimate in known.estimate.items():
        assert changed.estimate[service] == estimate
        assert changed.billed[service] == known.billed[service]
        assert changed.flow[service] == pytest.approx(known.flow[service], rel=1e-12)
    assert set(changed.estimate) == set(known.estimate)


def test_what_has_not_arrived_is_expected_as_it_was_before() -> None:
    found = nowcast(history(cells()))
    day = {name: split.total_nano_usd / NANO for name, split in found.whole_day(NOW).items()}
    assert day["Cloud SQL"] == pytest.approx(72.0, rel=0.01)
    assert day["Compute Engine"] == pytest.approx(9 * 0.8 + 15 * 1.8, rel=0.05)


def test_a_day_unlike_all_others_is_over_once_the_next_one_has_begun_as_usual() -> None:
    day_off = range(14 * DAY, 15 * DAY)
    skus = [
        line_cells(
            COMPUTE._replace(sku_id=f"sku {number}"),
            range(20 * DAY),
            lambda at: (1.0 + (at % 24 > 8)) * (0.4 if at in day_off else 1.0 + 0.02 * (at * 7919 % 5 - 2)),
            lag=lambda at: 2 + at * 31 % 4,
        )
        for number in range(6)
    ]
    found = nowcast(history(*skus))
    usual = 6 * (9 * 1.0 + 15 * 2.0)
    assert found.whole_day(NOW)["Compute Engine"].total_nano_usd / NANO == pytest.approx(usual, rel=0.02)
    tomorrow = found.estimate["Compute Engine"][-DAY:]
    assert sum(tomorrow) / NANO == pytest.approx(usual, rel=0.02)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.25, 0.25, 0.25, 0.25)])
def test_an_hour_of_which_some_rows_have_come_is_completed_by_the_rows_that_are_missing(
    shares: tuple[float, ...],
) -> None:
    random = Random(3)
    rows = [
        line_cells(SQL, range(20 * DAY), lambda _, part=part: 3.0 * part, lag=lambda _: random.randint(2, 30))
        for part in shares
    ]
    found = nowcast(history(*rows))
    assert found.whole_day(NOW)["Cloud SQL"].total_nano_usd / NANO == pytest.approx(72.0, rel=0.02)


def test_the_burn_rate_has_no_steps_and_lies_between_the_hours() -> None:
    found = nowcast(history(cells()))
    rates = [
        found.burn_rate_usd_per_hour(NOW + second / 3600.0)["Compute Engine"] for second in range(0, 7200, 2)
    ]
    steps = [abs(b - a) for a, b in pairwise(rates)]
    assert max(steps) < 0.002
    assert min(found.flow["Compute Engine"]) <= min(rates) <= max(rates) <= max(found.flow["Compute Engine"])


def test_today_so_far_grows_continuously_with_time() -> None:
    found = nowcast(history(cells()))
    totals = [
        sum(split.total_nano_usd for split in found.today_so_far(NOW + second / 3600.0).values()) / NANO
        for second in range(-60, 60, 2)
    ]
    rises = [after - before for before, after in pairwise(totals)]
    assert 0.0 <= min(rises) <= max(rises) < 0.01


def test_a_fee_that_is_booked_once_a_day_burns_all_day() -> None:
    fee = Line("account", "web", "Support", "fee")
    booked = line_cells(fee, range(20 * DAY), lambda at: 48.0 if at % 24 == 1 else 0.0, lag=lambda _: 3)
    found = nowcast(history(booked))
    assert found.burn_rate_usd_per_hour(NOW)["Support"] == pytest.approx(2.0, rel=0.01)
    assert found.whole_day(NOW)["Support"].total_nano_usd == pytest.approx(48 * NANO, rel=1e-4)


def test_a_runaway_is_expected_to_go_on() -> None:
    def usd(at: int) -> float:
        return 2.0 * (10.0 if at >= 15 * DAY + 6 else 1.0)

    found = nowcast(history(line_cells(COMPUTE, range(20 * DAY), usd)))
    assert found.whole_day(NOW)["Compute Engine"].total_nano_usd / NANO == pytest.approx(
        6 * 2.0 + 18 * 20.0, rel=0.06
    )


def test_a_line_of_every_day_is_not_given_up_because_its_bill_is_late_for_once() -> None:
    random = Random(4)
    ram = Line("account", "web", "Compute Engine", "ram")
    late = range(40 * DAY, 40 * DAY + 9)
    core = line_cells(
        COMPUTE, range(41 * DAY), lambda _: 2.0, lag=lambda at: 20 if at in late else random.randint(1, 14)
    )
    other = line_cells(ram, range(41 * DAY), lambda _: 2.0, lag=lambda at: random.randint(1, 14))
    now = FIRST + 40 * DAY + 12
    found = nowcast(history(core, other), now).whole_day(now)["Compute Engine"]
    assert found.total_nano_usd / NANO == pytest.approx(96.0, rel=0.05)


def test_live_usage_shows_a_runaway_before_any_bill_does() -> None:
    def usd(at: int) -> float:
        return 2.0 * (10.0 if at >= 15 * DAY + 14 else 1.0)

    bill = history(line_cells(COMPUTE, range(20 * DAY), usd))
    live = {COMPUTE: {FIRST + at: 700.0 * usd(at) for at in range(20 * DAY)}}
    found = Replay(bill, PACIFIC, NOW, live).nowcast(NOW)
    assert found.today_so_far(NOW)["Compute Engine"].total_nano_usd / NANO == pytest.approx(88.0, rel=0.02)
    assert nowcast(bill).today_so_far(NOW)["Compute Engine"].total_nano_usd / NANO == pytest.approx(
        34.0, rel=0.02
    )


def test_without_a_past_the_nowcast_is_what_is_billed() -> None:
    first_hours = [cell for cell in cells(days=1) if cell.export_hour < FIRST + 7]
    found = nowcast(history(first_hours), FIRST + 7)
    for split in found.whole_day(FIRST + 7.0).values():
        assert (split.billed_nano_usd > 0, split.estimated_nano_usd) == (True, 0)
    assert nowcast(CostCells.of([]), FIRST).whole_day(FIRST) == {}


def test_a_time_that_the_nowcast_does_not_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="make a newer one"):
        nowcast(history(cells())).today_so_far(NOW + 100.0)


def test_a_replay_does_not_go_back() -> None:
    replay = Replay(history(cells()), PACIFIC, NOW)
    replay.nowcast(NOW)
    with pytest.raises(ValueError, match="cannot go back"):
        replay.nowcast(NOW - 1)
    with pytest.raises(ValueError, match="cannot go back"):
        replay.nowcast(NOW - 30)
