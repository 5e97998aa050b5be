"""Errors of past estimates by horizon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.nowcast.grading import error_ratios


def test_errors_are_signed_averaged_and_worst_by_horizon() -> None:
    found = error_ratios([(20, 101, 100), (20, 294, 300), (12, 90, 100)])
    assert set(found) == {12, 20}
    assert found[20].signed == pytest.approx(-5 / 400)
    assert found[20].absolute == pytest.approx(0.015)
    assert found[20].worst == pytest.approx(-0.02)
    assert found[20].count == 2


def test_days_that_cost_nothing_have_no_ratio() -> None:
    assert error_ratios([(20, 5, 0), (20, 5, -3)]) == {}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**15), st.integers(1, 10**15)), min_size=1))
def test_the_worst_error_is_no_smaller_than_the_mean(graded: list[tuple[int, int, int]]) -> None:
    for found in error_ratios(graded).values():
        # The mean of equal errors may be a rounding step above them, however large they are.
        assert abs(found.worst) >= found.absolute * (1 - 1e-12)
