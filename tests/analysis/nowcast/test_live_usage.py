"""Rates of live usage, learnt from the settled bill."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from exporter.analysis.nowcast.known_costs import KnownCosts
from exporter.analysis.nowcast.live_usage import price_usage, usage_matrix
from tests.analysis.nowcast.small_histories import COMPUTE, FIRST, history, line_cells

AS_OF = FIRST + 20 * 24


def learn(live: dict[int, float], lag: int = 3) -> tuple[float, float] | None:
    random = Random(1)
    bill = history(line_cells(COMPUTE, range(20 * 24), lambda _: random.uniform(1.0, 3.0), lag=lambda _: lag))
    billed = dict(zip(bill.usage.tolist(), bill.gross.tolist(), strict=True))
    known = KnownCosts(bill, AS_OF)
    known.advance(AS_OF)
    used = usage_matrix({COMPUTE: {h: amount * billed[h] / 1e9 for h, amount in live.items()}}, known)
    priced = price_usage(known, used)
    rates = priced.usd[0] / used[0]
    known_rates = rates[np.isfinite(rates)]
    return None if not len(known_rates) else (float(np.median(known_rates)), float(priced.noise[0]))


def test_the_unit_does_not_matter() -> None:
    found = learn({FIRST + at: 1000.0 for at in range(20 * 24)})
    assert found == pytest.approx((0.001, 0.005))


def test_noise_is_measured() -> None:
    random = Random(2)
    found = learn({FIRST + at: random.lognormvariate(0.0, 0.1) for at in range(20 * 24)})
    assert found == pytest.approx((1.0, 0.1), rel=0.12)


def test_a_day_of_overlap_is_needed() -> None:
    assert learn({FIRST + at: 1.0 for at in range(19 * 24, 19 * 24 + 9)}) is None


def test_hours_whose_bill_has_just_come_are_not_compared() -> None:
    assert learn({FIRST + at: 1.0 for at in range(20 * 24 - 40, 20 * 24)}, lag=30) is None
