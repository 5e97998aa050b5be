"""Shape, level and growth of lines: found through noise, blind to runaways, honest about idle days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

import pytest

from exporter.analysis.nowcast.season import Season, fit_season
from exporter.analysis.nowcast.weekly_profile import DayCosts

MONDAY = date(2026, 5, 11).toordinal()


def fit(usd: Callable[[int, int], float], days: int = 56, start: int = MONDAY) -> Season:
    """A season of days that begin on a Monday; `usd` takes day and hour."""
    found = fit_season(
        [
            DayCosts(
                start + day,
                [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][date.fromordinal(start + day).month - 1],
                [date.fromordinal(start + day).weekday() * 24 + hour for hour in range(24)],
                [usd(day, hour) for hour in range(24)],
            )
            for day in range(days)
        ],
        start + days,
    )
    assert found is not None
    return found


def expected(season: Season, day: int, hour: int) -> float:
    weekday = date.fromordinal(MONDAY + day).weekday()
    return season.level(MONDAY + day, 30) * season.shape[weekday * 24 + hour]


def work(day: int, hour: int) -> float:
    return (10.0 if 8 <= hour < 18 else 1.0) * (0.2 if day % 7 >= 5 else 1.0)


def test_the_week_and_the_growth_are_found_through_noise() -> None:
    random = Random(4)
    season = fit(lambda day, hour: work(day, hour) * 1.01**day * random.lognormvariate(0.0, 0.1))
    for day, hour in ((56, 3), (58, 12), (61, 12), (62, 23)):
        assert expected(season, day, hour) == pytest.approx(work(day, hour) * 1.01**day, rel=0.06)
    assert season.growth_per_day == pytest.approx(0.01, rel=0.2)
    assert season.hour_noise == pytest.approx(0.1, rel=0.2)


def test_a_runaway_of_three_days_moves_neither_level_nor_shape_nor_growth() -> None:
    calm, wild = fit(work), fit(lambda day, hour: work(day, hour) * (14.0 if 50 <= day < 53 else 1.0))
    for hour in (3, 12):
        assert expected(wild, 57, hour) == pytest.approx(expected(calm, 57, hour), rel=0.02)


def test_a_weekday_with_a_habit_of_its_own_keeps_it() -> None:
    season = fit(lambda day, hour: 50.0 if day % 7 == 2 and hour == 3 else 1.0)
    assert expected(season, 58, 3) == pytest.approx(50.0, rel=0.1)
    assert expected(season, 59, 3) == pytest.approx(1.0, rel=0.3)


def test_days_without_any_use_are_a_likelihood_and_no_lower_level() -> None:
    season = fit(lambda day, hour: 2.0 if day % 2 else 0.0)
    assert season.level(MONDAY + 56, 30) == pytest.approx(48.0, rel=0.01)
    assert season.active_ratio[0] == pytest.approx(0.5, abs=0.05)


def test_storage_costs_more_a_day_in_a_short_month() -> None:
    season = fit(lambda day, _: 30.0 / (30 if 21 <= day < 51 else 31) / 24.0)
    assert season.by_the_month
    assert season.level(MONDAY + 60, 31) == pytest.approx(30.0 / 31, rel=0.001)
    assert season.level(MONDAY + 60, 28) == pytest.approx(30.0 / 28, rel=0.001)


def test_what_is_booked_once_a_month_is_expected_on_its_day_alone() -> None:
    start = date(2026, 5, 1).toordinal()
    season = fit(lambda day, hour: 90.0 if day in (2, 33) and hour == 1 else 0.0, days=50, start=start)
    assert season.month_day == 3
    assert season.active_on(date(2026, 7, 3).toordinal(), False) > 0.9
    assert season.active_on(date(2026, 7, 4).toordinal(), True) < 0.01
    assert season.level(start + 63, 31) * max(season.shape) == pytest.approx(90.0, rel=0.01)


def test_a_fee_booked_once_a_day_is_lumped() -> None:
    assert fit(lambda _, hour: 5.0 if hour == 2 else 0.0).lumped
    assert not fit(work).lumped


def test_nothing_used_has_no_season() -> None:
    assert fit_season([DayCosts(MONDAY, 31, range(24), [0.0] * 24)], MONDAY + 1) is None
    assert fit_season([], MONDAY) is None


def test_a_few_hours_make_a_flat_season() -> None:
    hours: list[float | None] = [3.0, 3.0, *[None] * 22]
    season = fit_season([DayCosts(MONDAY, 31, range(24), hours)], MONDAY + 1)
    assert season is not None
    assert season.level(MONDAY + 1, 31) * season.shape[30] == pytest.approx(3.0)
