"""Days of invented companies are estimated within bounds, better than by the plain method, and unbiased."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from math import comb

import numpy as np
import pytest

from tests.analysis.nowcast.judged_worlds import covered, judge, mean_size, worst
from tests.support.bill_worlds.kinds import AUTUMN, SPRING, SUMMER, Kind, plain_kinds, unusual_kinds

pytestmark = pytest.mark.slow

STARTS = (SUMMER, AUTUMN, SPRING)
PLAIN = {kind.name: kind for kind in plain_kinds()}
UNUSUAL = {kind.name: kind for kind in unusual_kinds()}


@pytest.mark.parametrize("number", range(5))
def test_a_plain_companys_day_is_told_at_eight_wherever_it_works(number: int) -> None:
    kind = replace(list(PLAIN.values())[number], start=STARTS[number % 3])
    errors = judge(kind, 40 + number, (20,), 12)
    assert mean_size(errors.own[20]) < 0.007
    assert worst(errors.own[20]) < 0.025
    assert mean_size(errors.own[20]) < mean_size(errors.plain[20])


@pytest.mark.parametrize("number", range(2))
def test_live_usage_makes_it_better(number: int) -> None:
    errors = judge(list(PLAIN.values())[number], 60 + number, (20,), 10, with_live=True)
    assert mean_size(errors.live[20]) < 0.005
    assert worst(errors.live[20]) < 0.018


@pytest.mark.parametrize("name", ["weekday holiday", "free allowances", "in batches", "new service"])
def test_an_unusual_companys_day_is_told_better_than_by_the_plain_method(name: str) -> None:
    errors = judge(UNUSUAL[name], 70, (20,), 12)
    assert mean_size(errors.own[20]) < mean_size(errors.plain[20])


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_over_eight_worlds_of_a_plain_kind_errors_fall_through_the_day_without_bias(name: str) -> None:
    hours = range(0, 24, 2)
    found = [judge(replace(PLAIN[name], start=STARTS[seed % 3]), 100 + seed, hours) for seed in range(8)]
    for errors in found:
        assert mean_size(errors.own[20]) < 0.007
        assert worst(errors.own[20]) < 0.025
        assert mean_size(errors.own[20]) <= mean_size(errors.plain[20])
    sizes = {hour: np.concatenate([np.abs(errors.own[hour]) for errors in found]) for hour in hours}
    for earlier, later in pairwise(hours):
        noise = float(np.std(sizes[later] - sizes[earlier]) / np.sqrt(len(sizes[later])))
        assert np.mean(sizes[later]) <= np.mean(sizes[earlier]) + 2.0 * noise
    for hour in hours:
        assert abs(np.mean(np.concatenate([errors.own[hour] for errors in found]))) < 0.003


@pytest.mark.slow
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_worlds_are_told_better_than_by_the_plain_method(name: str) -> None:
    found = [judge(UNUSUAL[name], 200 + seed, (12, 20)) for seed in range(4)]
    for hour in (12, 20):
        own = np.mean([mean_size(errors.own[hour]) for errors in found])
        plain = np.mean([mean_size(errors.plain[hour]) for errors in found])
        assert own < plain * 1.05


@pytest.mark.parametrize(("days", "bound"), [(3, 0.08), (7, 0.05), (14, 0.02)])
def test_few_days_of_a_bill_are_enough_for_a_rough_estimate(days: int, bound: float) -> None:
    kind = Kind("young", start=SUMMER, days=40)
    errors = judge(kind, 5, (20,), 4, keep_days=days)
    assert mean_size(errors.own[20]) < bound


@pytest.mark.slow
def test_four_in_five_days_and_months_end_between_the_outer_quantiles() -> None:
    kinds = list(PLAIN.values())
    found = [
        each
        for seed in range(300, 312)
        for each in covered(replace(kinds[seed % 5], start=STARTS[seed % 3]), seed)
    ]
    months = [each.month for each in found if each.month is not None]
    assert len(months) > 30
    for hits in ([each.day for each in found], months):
        # As many as would surprise nobody if 74 to 86 in a hundred were so.
        low, high = surprising(len(hits), 0.74)[0], surprising(len(hits), 0.86)[1]
        assert low <= sum(hits) <= high


def surprising(count: int, chance: float) -> tuple[int, int]:
    """Between these there are 99 in 100 of the sums of so many draws."""
    below = list(accumulate(comb(count, n) * chance**n * (1 - chance) ** (count - n) for n in range(count)))
    return sum(each < 0.005 for each in below), sum(each < 0.995 for each in below)
