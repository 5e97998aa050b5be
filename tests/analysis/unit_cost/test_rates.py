"""Rates come from the nearest settled bill, else from the list, else there is none; each says which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.unit_cost.list_prices import LIST_PRICES
from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.core.meters import GIBIBYTE, RUN, describes
from exporter.core.meters.meter import Skus, UsageMeter, check_meters

SETTLED = date(2026, 11, 17)
GIB = GIBIBYTE


@dataclass(frozen=True)
class Billed:
    project_id: str = "shop-prod"
    region_id: str = "us-central1"
    service_id: str = RUN
    service_name: str = "Cloud Run"
    sku_id: str = "4856-B847-F1EB"
    sku: str = "Services CPU (Request-based billing)"
    day: date = SETTLED
    usd: float = 24.0
    quantity: float = 1_000_000.0


@dataclass(frozen=True)
class Used:
    project_id: str = "shop-prod"
    region_id: str = "us-central1"
    meter: str = "cloud_run_idle_instance_seconds"
    resource: str = "checkout"
    dimension: str = ""
    day: date = SETTLED
    amount: float = 1000.0


MIN_INSTANCE = Billed(
    sku_id="7EBB-8579-2C98", sku="Services Min Instance CPU (Request-based billing)", usd=5.0
)
CPU = ("cloud_run_cpu_seconds", "shop-prod", "us-central1")


def test_a_rate_is_cost_with_credits_by_billed_quantity() -> None:
    found = learn_rates([Billed(usd=18.0)], [], SETTLED).rate(*CPU)
    assert found is not None
    assert (found.usd_per_unit, found.basis, found.newest_day) == (pytest.approx(18e-6), "billed", SETTLED)


def test_a_day_that_is_not_settled_teaches_nothing() -> None:
    unsettled = Billed(day=SETTLED + timedelta(days=1), usd=1.0)
    found = learn_rates([Billed(), unsettled], [], SETTLED).rate(*CPU)
    assert found is not None
    assert found.usd_per_unit == pytest.approx(24e-6)


def test_a_sku_that_two_meters_match_is_priced_by_neither() -> None:
    """Which of them the cost belongs to cannot be known, whatever their order in the table."""
    one = UsageMeter(
        "one", RUN, "run/one", "revision", "delta", "s", skus=Skus("cpu", pattern="Services CPU")
    )
    other = replace(one, name="other", skus=Skus("cpu", pattern=r"CPU \(Request"))
    check_meters((one, other))
    bill = [Billed(sku_id="0000-0000-0000")]
    for table in ((one, other), (other, one)):
        found = learn_rates(bill, [], SETTLED, table=table)
        assert found.explained_skus == frozenset()
        assert {name: found.rate(name, *CPU[1:]) for name in ("one", "other")} == {"one": None, "other": None}
    alone = learn_rates(bill, [], SETTLED, table=(one,)).rate("one", *CPU[1:])
    assert alone is not None
    assert alone.usd_per_unit == pytest.approx(24e-6)


def test_a_newer_day_weighs_more() -> None:
    old = Billed(day=SETTLED - timedelta(days=7), usd=48.0)
    found = learn_rates([old, Billed()], [], SETTLED, half_life_days=7.0).rate(*CPU)
    assert found is not None
    assert found.usd_per_unit == pytest.approx((0.5 * 48e-6 + 24e-6) / 1.5)


def test_skus_of_one_component_are_priced_as_the_mix_that_the_project_uses() -> None:
    instance_based = Billed(
        sku_id="new", sku="Services CPU  (Instance-based billing) in us-central1", usd=6.0
    )
    found = learn_rates([Billed(), instance_based], [], SETTLED).rate(*CPU)
    assert found is not None
    assert found.usd_per_unit == pytest.approx(15e-6)


def test_the_nearest_bill_counts() -> None:
    ours = Billed(usd=10.0)
    other_region = Billed(usd=20.0, region_id="europe-west2")
    other_project = Billed(usd=30.0, project_id="other", region_id="asia-east1")
    book = learn_rates([ours, other_region, other_project], [], SETTLED)
    rates = [
        book.rate("cloud_run_cpu_seconds", project, region)
        for project, region in (
            ("shop-prod", "us-central1"),
            ("shop-prod", "europe-west2"),
            ("shop-prod", "asia-east1"),
            ("elsewhere", "us-central1"),
        )
    ]
    assert [round(rate.usd_per_unit * 1e6, 9) for rate in rates if rate] == [10.0, 20.0, 30.0, 10.0]
    assert {rate.basis for rate in rates if rate} == {"billed"}


def test_a_bill_without_a_region_counts_for_every_region() -> None:
    book = learn_rates([Billed(sku_id="2DA5-55D3-E679", sku="Requests", region_id="global")], [], SETTLED)
    found = book.rate("cloud_run_requests", "shop-prod", "us-central1")
    assert found is not None
    assert (found.usd_per_unit, found.basis) == (pytest.approx(24e-6), "billed")


@pytest.mark.parametrize(("region", "usd"), [("us-central1", 0.000024), ("europe-west2", 0.0000336)])
def test_without_a_bill_the_list_price_of_the_regions_tier_counts(region: str, usd: float) -> None:
    book = learn_rates([], [], SETTLED, used_this_month=lambda _meter: 180_000.0)
    found = book.rate("cloud_run_cpu_seconds", "shop-prod", region)
    assert found is not None
    assert (found.usd_per_unit, found.basis) == (usd, "list")


def test_the_free_allowance_of_the_list_is_free_until_it_is_used_up() -> None:
    used = {"cloud_run_requests": 1_999_999.0}
    book = learn_rates([], [], SETTLED, used_this_month=lambda meter: used.get(meter, 0.0))
    found = book.rate("cloud_run_requests", "shop-prod", "us-central1")
    assert found is not None
    assert found.usd_per_unit == 0.0


@given(st.lists(st.floats(0, 400_000), min_size=1, max_size=8))
def test_the_allowance_is_the_same_however_usage_is_cut(amounts: list[float]) -> None:
    price = LIST_PRICES["cloud_run_cpu_seconds"]
    used, cost = 0.0, 0.0
    for amount in amounts:
        cost += price.cost_usd("us-central1", used, amount)
        used += amount
    assert cost == pytest.approx(max(0.0, sum(amounts) - 180_000) * 0.000024, abs=1e-9)


def test_a_rate_card_takes_the_place_of_bill_and_list_for_cloud_run_alone() -> None:
    card = RateCard(0.000024, 0.000009, 0.0000025, 0.12)
    sql = Billed(
        service_id="9662-B51E-5089", sku_id="x", sku="Cloud SQL for PostgreSQL: Zonal - vCPU in Americas"
    )
    book = learn_rates([Billed(), sql], [], SETTLED, card=card)
    memory = book.rate("cloud_run_memory_byte_seconds", "shop-prod", "us-central1")
    assert memory is not None
    assert (memory.usd_per_unit * GIB, memory.basis) == (pytest.approx(0.0000025), "rate_card")
    database = book.rate("cloud_sql_cpu_seconds", "shop-prod", "us-central1")
    assert database is not None
    assert database.basis == "billed"


def test_what_counts_in_units_of_its_own_is_priced_by_what_was_seen_live_on_the_same_days() -> None:
    days = [SETTLED - timedelta(days=back) for back in (0, 1, 2)]
    billed = [replace(MIN_INSTANCE, day=day, quantity=2000.0) for day in days]
    used = [Used(day=day) for day in days[:2]] + [Used(day=days[2], amount=1.0)]
    found = learn_rates(billed, used, SETTLED).rate("cloud_run_idle_instance_seconds", *CPU[1:])
    assert found is not None
    # The day on which reading began is left out: it was read in part only.
    assert (found.usd_per_unit, found.billed_per_unit) == (pytest.approx(0.005), pytest.approx(2.0))


def test_minimum_instances_are_no_ordinary_cpu() -> None:
    book = learn_rates([MIN_INSTANCE], [], SETTLED, used_this_month=lambda _meter: 1e12)
    found = book.rate(*CPU)
    assert found is not None
    assert found.basis == "list"


def test_usage_that_nothing_prices_has_no_rate() -> None:
    book = learn_rates([Billed()], [], SETTLED)
    assert book.rate("cloud_sql_cpu_seconds", "shop-prod", "us-central1") is None
    assert book.rate("cloud_run_cold_starts", "shop-prod", "us-central1") is None
    assert book.rate("no such meter", "shop-prod", "us-central1") is None


@pytest.mark.parametrize(
    ("description", "model", "kind", "expected"),
    [
        ("Gemini 2.5 Flash GA Text Input - Predictions", "gemini-2.5-flash", "input", True),
        ("Gemini 2.5 Flash GA Text Output - Predictions", "gemini-2.5-flash", "input", False),
        ("Gemini 2.5 Flash GA Input Text Caching", "gemini-2.5-flash", "input", False),
        ("Gemini 2.5 Flash Lite GA Text Input - Predictions", "gemini-2.5-flash", "input", False),
        ("Gemini 2.5 Flash Lite GA Text Input - Predictions", "gemini-2.5-flash-lite", "input", True),
        ("Gemini 3.0 Pro Text Input - Predictions", "gemini-2.5-flash", "input", False),
        ("", "", "", False),
    ],
)
def test_a_sku_is_a_models_when_it_names_it(description: str, model: str, kind: str, expected: bool) -> None:
    assert describes(description, model, kind) is expected
