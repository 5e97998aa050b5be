"""Development patterns: learnt from settled hours, borrowed where thin, blind to what was backfilled."""

from __future__ import annotations

import pytest

from exporter.analysis.nowcast.cost_history import Cell, Line
from exporter.analysis.nowcast.development import Curves, Development
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, history, line_cells

DAYS_30 = range(30 * 24)
AS_OF = FIRST + 45 * 24


def curves(*cells: list[Cell], as_of: int = AS_OF) -> dict[str, Curves]:
    development = Development(history(*cells))
    development.advance(as_of)
    return development.curves()


def test_a_service_opens_with_the_delays_it_had() -> None:
    found = curves(line_cells(COMPUTE, DAYS_30, lambda _: 1.0, lag=lambda at: 4 if at % 4 else 8))
    opened = found[COMPUTE.service_name].unopened
    assert [opened[age] for age in (0, 4, 5, 8, 9)] == pytest.approx([1, 1, 0.25, 0.25, 0], abs=0.01)


def test_parts_are_counted_by_how_long_they_come_after_the_first() -> None:
    first = line_cells(COMPUTE, DAYS_30, lambda _: 0.6)
    second = line_cells(COMPUTE, DAYS_30, lambda at: 0.4 * (at % 2), lag=lambda _: 7)
    found = curves(first, second)[COMPUTE.service_name]
    assert found.complete[1] == pytest.approx(0.5 * 0.6 + 0.5, abs=0.01)
    assert found.partial[1] == found.partial[4] == pytest.approx(0.5, abs=0.01)
    assert found.part_known[4] == pytest.approx(0.6, abs=0.01)
    assert found.part_noise[4] == pytest.approx(0.02)
    assert found.complete[5] == pytest.approx(1.0)


def test_one_line_in_ten_that_comes_later_than_the_rest_is_seen_as_following() -> None:
    other = COMPUTE._replace(sku_id="memory")
    found = curves(
        line_cells(COMPUTE, DAYS_30, lambda _: 1.0),
        line_cells(other, DAYS_30, lambda _: 1.0, lag=lambda at: 3 if at % 10 else 33),
    )
    assert found[COMPUTE.service_name].following[5] == pytest.approx(0.05, abs=0.01)
    assert found[COMPUTE.service_name].share_to_come(9, 5) == pytest.approx(0.05, abs=0.01)


def test_credits_that_come_after_the_cost_have_a_pattern_of_their_own() -> None:
    cost = line_cells(COMPUTE, DAYS_30, lambda _: 1.0)
    later = [
        cell._replace(export_hour=cell.export_hour + 6, gross_nano_usd=0, credit_nano_usd=-10)
        for cell in cost
    ]
    found = curves(cost, later)[COMPUTE.service_name]
    assert [found.credited_ratio(age) for age in (3, 6, 7)] == pytest.approx([0, 0, 1], abs=0.01)


def test_a_new_service_is_taken_to_be_like_the_others() -> None:
    rare = Line("account", "web", "Rare", "sku")
    found = curves(
        line_cells(COMPUTE, DAYS_30, lambda _: 1.0, lag=lambda _: 9),
        line_cells(rare, range(30 * 24 - 2, 30 * 24), lambda _: 1.0, lag=lambda _: 2),
    )
    assert found["Rare"].unopened[5] > 0.9


def test_hours_from_before_the_export_was_set_up_say_nothing_of_lateness() -> None:
    backfilled = line_cells(COMPUTE, range(20 * 24), lambda _: 1.0, lag=lambda at: 20 * 24 - at)
    live = line_cells(COMPUTE, range(20 * 24, 30 * 24), lambda _: 1.0)
    assert curves(backfilled, live)[COMPUTE.service_name].unopened[4] == pytest.approx(0.0, abs=0.01)


def test_hours_that_have_not_settled_are_not_looked_at() -> None:
    cells = line_cells(COMPUTE, DAYS_30, lambda _: 1.0, lag=lambda at: 3 if at < 480 else 60)
    early = curves(cells, as_of=FIRST + 480 + 168)[COMPUTE.service_name]
    assert early.unopened[4] == pytest.approx(0.0, abs=0.01)


def test_that_a_bill_is_later_than_ever_is_never_ruled_out() -> None:
    found = curves(line_cells(COMPUTE, DAYS_30, lambda _: 1.0))[COMPUTE.service_name]
    assert 0.001 < found.share_to_come(60, None) < found.share_to_come(30, None) < 0.05
