"""Priced live usage, its agreement with the settled bill, and what reading it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from exporter.analysis.unit_cost.agreement import agreements
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.core.meters import RUN
from exporter.sources.google.monitoring.costs import reading_usd_per_month

DAY = date(2026, 11, 16)
SETTLED = DAY + timedelta(days=2)


@dataclass(frozen=True)
class Used:
    meter: str
    amount: float
    day: date = DAY
    project_id: str = "shop-prod"
    region_id: str = "us-central1"
    resource: str = "checkout"
    dimension: str = ""


@dataclass(frozen=True)
class Billed:
    usd: float
    day: date = DAY
    sku_id: str = "2DA5-55D3-E679"
    sku: str = "Requests"
    quantity: float = 1000.0
    project_id: str = "shop-prod"
    region_id: str = "us-central1"
    service_id: str = RUN
    service_name: str = "Cloud Run"


def test_estimates_are_compared_over_settled_days_that_both_sides_know_in_full() -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    used = [Used("cloud_run_requests", 1000.0 + (day == days[1]) * 200, day) for day in days]
    billed = [Billed(1.0, day) for day in days] + [Billed(3.0, days[1], "unexplained", "Something else")]
    (found,) = agreements(billed, used, learn_rates(billed, [], SETTLED), SETTLED)
    # The first day may be a part of one, and the last one is not settled.
    assert found.estimate_to_billed_ratio == pytest.approx(2200 / 2000)
    assert found.explained_ratio == pytest.approx(2 / 5)
    assert found.service_name == "Cloud Run"


def test_nothing_billed_gives_no_ratio() -> None:
    used = [Used("cloud_run_requests", 1.0, DAY), Used("cloud_run_requests", 1.0, SETTLED)]
    billed = [Billed(0.0, DAY), Billed(0.0, SETTLED)]
    (found,) = agreements(billed, used, learn_rates(billed, [], SETTLED), SETTLED)
    assert found.estimate_to_billed_ratio is None


def test_the_first_million_series_a_month_is_free() -> None:
    assert reading_usd_per_month(1_000_000) == 0.0
    assert reading_usd_per_month(800 * 60 * 24 * 30.4375) == pytest.approx(17.03, abs=0.01)
