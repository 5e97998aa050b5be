"""The month's end: centred, wider the earlier it is made, and as wide as past errors say."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from exporter.analysis.nowcast.forecast import MonthForecast
from exporter.analysis.nowcast.month_forecast import forecast_month
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.track_record import TrackRecord, track_record
from exporter.core.cost_cells import CostCells
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, PACIFIC, history, line_cells

DAY = 24
JUNE_30_DAYS = 30


def noisy(seed: int, noise: float) -> CostCells:
    random = Random(seed)
    days = [random.lognormvariate(0.0, noise) for _ in range(60)]
    return history(
        *(
            line_cells(
                COMPUTE._replace(sku_id=sku),
                range(60 * DAY),
                lambda at: days[at // DAY] * (2.0 + at % 24 / 12.0),
                lag=lambda at: 4,
            )
            for sku in ("a", "b")
        )
    )


@cache
def forecast(seed: int, noise: float, day: int) -> MonthForecast:
    bill = noisy(seed, noise)
    as_of = FIRST + day * DAY
    found = forecast_month(Replay(bill, PACIFIC, as_of), as_of, track_record(bill, PACIFIC, as_of))
    assert found is not None
    return found


def june(seed: int, noise: float) -> float:
    """2026-06-01 is the 21st day after the first, and the simulated bill ends after June."""
    bill = noisy(seed, noise)
    begin = FIRST + 21 * DAY
    return (
        sum(
            gross
            for hour, gross in zip(bill.usage, bill.gross, strict=True)
            if begin <= hour < begin + JUNE_30_DAYS * DAY
        )
        / 1e9
    )


@pytest.mark.slow
def test_quantiles_are_in_order_and_close_in_as_the_month_passes() -> None:
    early, late = forecast(1, 0.1, 26), forecast(1, 0.1, 46)
    widths = []
    for found in (early, late):
        low, middle, high = (found.quantile_usd[quantile] for quantile in (0.1, 0.5, 0.9))
        assert low < middle < high
        assert found.billed_nano_usd / 1e9 < low
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]


@pytest.mark.slow
def test_about_four_in_five_months_end_between_the_outer_quantiles() -> None:
    inside = [
        forecast(seed, 0.15, day).quantile_usd[0.1]
        <= june(seed, 0.15)
        <= forecast(seed, 0.15, day).quantile_usd[0.9]
        for seed in range(8)
        for day in (31, 41)
    ]
    assert 0.55 <= sum(inside) / len(inside) <= 1.0


@pytest.mark.slow
def test_a_steady_bill_is_forecast_closely() -> None:
    found = forecast(1, 0.0, 36)
    assert found.quantile_usd[0.5] == pytest.approx(june(1, 0.0), rel=0.01)
    assert found.quantile_usd[0.9] - found.quantile_usd[0.1] < 0.05 * found.quantile_usd[0.5]


def test_untested_forecasts_are_wide_and_more_tests_of_the_same_error_narrow_them() -> None:
    assert TrackRecord().noise(10.0) >= 0.2
    test = tuple((float(day), 0.02) for day in range(31))
    few, many = TrackRecord(ahead=(test,) * 2), TrackRecord(ahead=(test,) * 12)
    assert many.noise(10.0) < few.noise(10.0) < 0.1


def test_nothing_known_has_no_forecast() -> None:
    assert forecast_month(Replay(CostCells.of([]), PACIFIC, FIRST), FIRST, TrackRecord()) is None
