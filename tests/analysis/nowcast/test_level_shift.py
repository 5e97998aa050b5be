"""Shifts: a runaway is carried forward, a late hour is not mistaken for a stop."""

from __future__ import annotations

import pytest

from exporter.analysis.nowcast.level_shift import KnownHour, Shift, find_shift


def shift(*ratios: float, noise: float = 0.1, late: float = 0.001) -> Shift | None:
    """Of hours that cost so many times what was expected, oldest first."""
    hours = [KnownHour(at, 2.0 * ratio, 2.0, noise, late) for at, ratio in enumerate(ratios)]
    return find_shift(iter(reversed(hours)))


def test_ordinary_hours_show_none() -> None:
    assert shift(1.0, 1.2, 0.8, 1.1) is None
    assert shift() is None


def test_a_ramp_is_carried_on_at_its_latest_height() -> None:
    found = shift(1.0, 1.0, 5.0, 9.0, 14.0, 14.0)
    assert found is not None
    assert (found.begin, found.last) == (2, 5)
    assert found.factor == pytest.approx(14.0)
    assert 0.8 < found.trust_at(6) < 0.9
    assert found.trust_at(6 + 48) == pytest.approx(found.trust_at(6) / 2)
    assert found.trust_at(1) == 0.0


def test_one_strange_hour_is_half_believed_and_many_are_believed() -> None:
    once, often = shift(1.0, 3.0), shift(1.0, *[3.0] * 8)
    assert once is not None
    assert often is not None
    assert once.trust < 0.5 < 0.95 < often.trust


def test_a_runaway_that_is_over_is_no_shift() -> None:
    assert shift(14.0, 14.0, 14.0, 1.0) is None


def test_an_hour_that_is_likely_late_is_passed_over() -> None:
    hours = [KnownHour(at, 28.0, 2.0, 0.1, 0.001) for at in range(5)]
    hours.append(KnownHour(5, 0.0, 2.0, 0.1, 0.1))
    found = find_shift(iter(reversed(hours)))
    assert found is not None
    assert found.factor == pytest.approx(14.0)
    assert shift(1.0, 1.0, 0.0, late=0.1) is None


def test_a_line_that_stays_away_has_stopped() -> None:
    found = shift(1.0, 1.0, *[0.0] * 6, late=0.1)
    assert found is not None
    assert found.factor == 0.0
    assert found.trust > 0.9


def test_a_line_whose_last_hours_are_all_a_little_late_has_not_stopped() -> None:
    assert shift(1.0, 1.0, 0.0, 0.0, 0.0, late=0.1) is None
