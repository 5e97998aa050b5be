"""A day's factor: from a line's own hours, and from those of its project as far as they move together."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from exporter.analysis.nowcast.day_factors import Observed, common_ratio, day_factors
from exporter.analysis.nowcast.season import Season

SEASON = Season(
    shape=(1.0 / 24.0,) * 168,
    active_ratio=(1.0, 1.0),
    month_day=None,
    reference_day=0,
    level_usd=24.0,
    growth_per_day=0.0,
    by_the_month=False,
    level_noise=0.01,
    day_noise=0.2,
    residual_noise=0.2,
    hour_noise=0.1,
    idle_ratio=0.001,
    day_residuals={},
)


def seasons(shared: float) -> dict[int, Season]:
    random = Random(3)
    days = {day: random.gauss(0.0, 0.2) for day in range(56)}
    return {
        line: replace(
            SEASON,
            day_residuals={
                day: shared**0.5 * z + (1.0 - shared) ** 0.5 * random.gauss(0.0, 0.2)
                for day, z in days.items()
            },
        )
        for line in range(6)
    }


@pytest.mark.parametrize(("shared", "low", "high"), [(0.0, 0.0, 0.15), (0.6, 0.4, 0.8), (1.0, 0.8, 0.95)])
def test_how_far_lines_move_together_is_measured(shared: float, low: float, high: float) -> None:
    assert low <= common_ratio(seasons(shared).values()) <= high


def test_one_line_alone_has_nothing_in_common() -> None:
    assert common_ratio([seasons(1.0)[0]]) == 0.0


def test_a_late_line_borrows_from_the_early_ones_of_its_project() -> None:
    observed = {line: Observed(13.0, 10.0, 0.03) for line in range(5)}
    together = day_factors(seasons(1.0), observed, 0.95)[5]
    apart = day_factors(seasons(0.0), observed, 0.0)[5]
    assert together.factor == pytest.approx(1.3, abs=0.05)
    assert apart.factor == pytest.approx(1.0, abs=0.01)
    assert together.noise < apart.noise


def test_a_line_believes_its_own_hours_the_more_of_them_there_are() -> None:
    season = {0: SEASON}
    few = day_factors(season, {0: Observed(1.5, 1.0, 0.3)}, 0.0)[0]
    many = day_factors(season, {0: Observed(15.0, 10.0, 0.02)}, 0.0)[0]
    assert 1.0 < few.factor < 1.25 < many.factor < 1.52


def test_without_anything_known_a_day_is_as_expected() -> None:
    assert day_factors({0: SEASON}, {}, 0.5)[0].factor == pytest.approx(1.0, abs=0.001)
