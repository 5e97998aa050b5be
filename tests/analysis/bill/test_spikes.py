"""Whether an hour cost more than is normal: by median and MAD, on smooth bills and on bills in steps."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.analysis.bill.spikes import LEAST_DAYS, spike


def test_an_hour_is_judged_by_the_same_hour_of_earlier_days() -> None:
    found = spike(8.5, [5.0, 4.0, 6.0, 5.0, 5.5, 4.5])
    assert found is not None
    assert found.normal_usd == 5.0
    assert found.above_usd == 3.5
    assert found.score == pytest.approx(3.5 / (1.4826 * 0.5))


def test_a_bill_in_steps_has_a_deviation_all_the_same() -> None:
    found = spike(11.0, [10.0] * 10)
    assert found is not None
    assert found.score == pytest.approx(1.0 / 0.5)


def test_one_bad_day_does_not_hide_the_next() -> None:
    calm = spike(50.0, [5.0, 5.2, 4.8, 5.1, 4.9, 5.0])
    after = spike(50.0, [5.0, 5.2, 4.8, 5.1, 4.9, 50.0])
    assert calm is not None
    assert after is not None
    assert after.score > 0.5 * calm.score
    assert after.above_usd == pytest.approx(calm.above_usd, abs=0.2)


def test_a_job_that_runs_on_some_days_is_no_spike_on_the_next() -> None:
    quiet, busy = [10.0, 10.1, 9.9, 10.0, 9.8, 10.2, 10.0, 10.1], [30.0, 34.0, 38.0]
    again, runaway = spike(36.0, quiet + busy), spike(140.0, quiet + busy)
    assert again is not None
    assert runaway is not None
    assert again.normal_usd == pytest.approx(10.1)
    assert again.score < 3.0 < 6.0 < runaway.score


def test_cents_of_noise_on_something_that_costs_nothing_are_no_spike() -> None:
    found = spike(0.02, [0.0] * 8)
    assert found is not None
    assert found.score == pytest.approx(2.0)


def test_nothing_is_called_normal_after_a_few_days() -> None:
    assert spike(100.0, [1.0] * (LEAST_DAYS - 1)) is None


dollars = st.floats(-1e6, 1e6)


@given(hour=dollars, days=st.lists(dollars, min_size=LEAST_DAYS, max_size=14), more=st.floats(0, 1e6))
def test_a_more_expensive_hour_scores_higher_and_the_order_of_days_does_not_matter(
    hour: float, days: list[float], more: float
) -> None:
    found, dearer, turned = spike(hour, days), spike(hour + more, days), spike(hour, days[::-1])
    assert found is not None
    assert dearer is not None
    assert dearer.score >= found.score
    assert turned == found
    assert found.normal_usd + found.above_usd == pytest.approx(hour, abs=1e-6)


@given(days=st.lists(dollars, min_size=LEAST_DAYS, max_size=14))
def test_the_normal_hour_is_no_spike(days: list[float]) -> None:
    found = spike(0.0, days)
    assert found is not None
    assume(abs(found.normal_usd) < 1e5)
    again = spike(found.normal_usd, days)
    assert again is not None
    assert again.score == 0.0
