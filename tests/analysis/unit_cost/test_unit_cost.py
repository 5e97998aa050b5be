"""Unit costs equal a calculation by hand from the same usage; a ratio without a divisor is absent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.analysis.unit_cost.unit_cost import (
    TRAILING_METERS,
    cloud_run_costs,
    cloud_run_hour,
    meter_costs,
    unpriced,
)
from exporter.core.meters import GIBIBYTE, RUN
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.queries import sku_days
from exporter.simulator.google.billing_export import write_export
from exporter.sources.base import Batch, RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource
from exporter.sources.google.monitoring.plan import Reach
from tests.support.live_world import NOW, reading, true_amounts, world

UNTIL = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
CARD = RateCard(
    request_usd=0.000024, cpu_second_usd=0.000009, memory_gb_second_usd=0.0000025, transferred_gb_usd=0.12
)
SETTLED = date(2026, 11, 19)


@dataclass(frozen=True)
class Used:
    meter: str
    amount: float
    project_id: str = "shop-prod"
    region_id: str = "us-central1"
    resource: str = "checkout"
    dimension: str = ""
    until: datetime = UNTIL


HOUR_OF_CHECKOUT = [
    Used("cloud_run_requests", 9000.0, dimension="2xx"),
    Used("cloud_run_requests", 1000.0, dimension="5xx"),
    Used("cloud_run_cpu_seconds", 4000.0),
    Used("cloud_run_memory_byte_seconds", 8000.0 * GIBIBYTE),
    Used("cloud_run_egress_bytes", 3.0 * GIBIBYTE),
    Used("cloud_run_cold_starts", 25.0),
]


def test_a_rate_card_prices_requests_cpu_memory_and_transfer() -> None:
    (found,) = cloud_run_costs(HOUR_OF_CHECKOUT, learn_rates([], [], SETTLED, card=CARD))
    requests, cpu, memory, egress = 10_000 * 0.000024, 4000 * 0.000009, 8000 * 0.0000025, 3 * 0.12
    assert found.usd_by_component == pytest.approx(
        {"requests": requests, "cpu": cpu, "memory": memory, "egress": egress}
    )
    whole = requests + cpu + memory + egress
    assert found.usd == pytest.approx(whole)
    assert found.cost_per_request_usd == pytest.approx(whole / 10_000)
    assert found.cpu_seconds_per_request == pytest.approx(0.4)
    assert found.cost_per_cpu_second_usd == pytest.approx(whole / 4000)
    assert found.cold_start_ratio == pytest.approx(0.0025)


def test_all_services_together_are_the_sum_of_each() -> None:
    rates = learn_rates([], [], SETTLED, card=CARD)
    other = [
        Used("cloud_run_requests", 500.0, resource="search"),
        Used("cloud_run_cpu_seconds", 100.0, resource="search"),
    ]
    found = cloud_run_hour([*HOUR_OF_CHECKOUT, *other], rates)
    assert found is not None
    assert found.requests == 10_500
    whole = sum(each.usd or 0.0 for each in cloud_run_costs([*HOUR_OF_CHECKOUT, *other], rates))
    assert found.usd == pytest.approx(whole)
    assert found.cost_per_request_usd == pytest.approx(whole / 10_500)


def test_all_services_together_are_unknown_where_nothing_was_seen_or_one_has_no_rate() -> None:
    without_rates = learn_rates([], [], SETTLED)
    without_rates.list_prices = {}
    assert cloud_run_hour([Used("sql_cpu_core_seconds", 1.0)], without_rates) is None
    unpriced_hour = cloud_run_hour(HOUR_OF_CHECKOUT, without_rates)
    assert unpriced_hour is not None
    assert (unpriced_hour.usd, unpriced_hour.cost_per_request_usd) == (None, None)
    assert unpriced_hour.requests == 10_000
    idle = cloud_run_hour([Used("cloud_run_cpu_seconds", 9.0)], learn_rates([], [], SETTLED, card=CARD))
    assert idle is not None
    assert (idle.requests, idle.cost_per_request_usd) == (0.0, None)


def test_a_service_without_requests_has_no_ratio_but_its_cost() -> None:
    idle = [Used("cloud_run_cpu_seconds", 100.0), Used("cloud_run_memory_byte_seconds", 50.0 * GIBIBYTE)]
    (found,) = cloud_run_costs(idle, learn_rates([], [], SETTLED, card=CARD))
    assert found.usd == pytest.approx(100 * 0.000009 + 50 * 0.0000025)
    assert (found.cost_per_request_usd, found.cpu_seconds_per_request, found.cold_start_ratio) == (None,) * 3
    assert found.cost_per_cpu_second_usd is not None


def test_a_service_that_used_nothing_has_neither() -> None:
    (found,) = cloud_run_costs([Used("cloud_run_requests", 0.0)], learn_rates([], [], SETTLED))
    assert (found.cost_per_request_usd, found.cost_per_cpu_second_usd, found.cold_start_ratio) == (None,) * 3


def test_cost_is_unknown_where_a_component_has_no_rate() -> None:
    book = learn_rates([], [], SETTLED)
    book.list_prices = {}
    (found,) = cloud_run_costs(HOUR_OF_CHECKOUT, book)
    assert (found.usd, found.cost_per_request_usd) == (None, None)
    assert found.cpu_seconds_per_request == pytest.approx(0.4)
    assert [each.meter for each in unpriced(HOUR_OF_CHECKOUT, book)] == [
        "cloud_run_cpu_seconds",
        "cloud_run_egress_bytes",
        "cloud_run_memory_byte_seconds",
        "cloud_run_requests",
    ]


def test_instances_that_idle_for_nothing_are_free_and_not_unpriced() -> None:
    idle = [*HOUR_OF_CHECKOUT, Used("cloud_run_idle_instance_seconds", 3600.0)]
    book = learn_rates([], [], SETTLED, card=CARD)
    assert unpriced(idle, book) == []
    assert "min_instance" not in cloud_run_costs(idle, book)[0].usd_by_component


@pytest.mark.slow
def test_estimates_equal_the_bill_of_the_same_hours(tmp_path: Path) -> None:
    """The demo world's own bill prices its own live usage, and both come to the same."""
    ledger = Ledger(None)
    write_export(world(), tmp_path, NOW, since=world().start)
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), NOW - timedelta(days=300), tmp_path, RefreshTally()
    )
    for change in FilesSource([str(tmp_path / "*.parquet")]).refresh(context):
        assert isinstance(change, Batch)
        ledger.put("files", change.partition, change.cursor, change.charges, change.rows)
    with ledger.view(["files"]) as view:
        billed = sku_days(view, world().start, NOW, [RUN])
    ledger.close()
    with reading(tmp_path, reach=Reach(backfill=timedelta(hours=80))) as reader:
        reader.refresh()
        with reader.usage.view() as usage:
            trailing = usage.trailing_hour(TRAILING_METERS)
            rates = learn_rates(billed, usage.daily(world().start, NOW), SETTLED)
            day = datetime(2026, 11, 18, tzinfo=UTC)
            used = [
                each
                for each in usage.daily(day, day + timedelta(days=1))
                if each.meter.startswith("cloud_run_")
            ]
    estimated: dict[str, float] = {}
    for each in used:
        rate = rates.rate(each.meter, each.project_id, each.region_id, each.resource)
        if rate is not None:
            assert rate.basis == "billed"
            estimated[each.project_id] = estimated.get(each.project_id, 0.0) + each.amount * rate.usd_per_unit
    final = {
        project: sum(row.usd for row in billed if row.day == day.date() and row.project_id == project)
        for project in estimated
    }
    assert estimated == pytest.approx(final, rel=0.002)
    prod = ("northwind-prod", "us-central1")
    modes = {
        name: rates.modes.instance_share(*prod, name)
        for name in ("suggestions", "storefront-api", "checkout")
    }
    assert modes == {"suggestions": 1.0, "storefront-api": 0.0, "checkout": 0.0}
    by_service = {each.run_service: each for each in cloud_run_costs(trailing, rates)}
    instance_based = by_service.pop("suggestions").usd_by_component
    assert instance_based == pytest.approx({"cpu": 0.47, "memory": 0.12, "min_instance": 0.0}, rel=0.2)
    assert set(by_service) == {"storefront-api", "checkout", "image-resizer", "support-agent", "orders-eu"}
    assert by_service["checkout"].usd_by_component.keys() == {"requests", "cpu", "memory", "min_instance"}
    wasteful = by_service.pop("image-resizer").cpu_seconds_per_request or 0.0
    assert all(wasteful > 5 * (each.cpu_seconds_per_request or 0.0) for each in by_service.values())


def test_other_services_cost_is_reported_in_the_unit_people_count_in() -> None:
    @dataclass(frozen=True)
    class Billed:
        project_id: str = "shop-prod"
        region_id: str = "us-central1"
        service_id: str = "9662-B51E-5089"
        service_name: str = "Cloud SQL"
        sku_id: str = "x"
        sku: str = "Cloud SQL for PostgreSQL: Zonal - vCPU in Americas"
        day: date = SETTLED
        usd: float = 0.0413 * 24
        quantity: float = 24 * 3600.0

    used = [Used("cloud_sql_cpu_seconds", 4 * 3600.0, resource="orders-db")]
    (found,) = meter_costs(used, learn_rates([Billed()], [], SETTLED))
    assert (found.resource, found.people_unit, found.basis) == ("orders-db", "database vCPU hour", "billed")
    assert found.usd_per_people_unit == pytest.approx(0.0413)
    assert found.usd_per_hour == pytest.approx(4 * 0.0413)


@pytest.mark.slow
def test_trailing_usage_of_the_ledger_is_what_the_world_used(tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        reader.clock.now = NOW.replace(minute=3, second=30)
        reader.refresh()
        with reader.usage.view() as view:
            found = view.trailing_hour(["cloud_run_requests"])
        hour = NOW.replace(minute=0, second=0) - timedelta(hours=1)
        expected = true_amounts(("run-requests",), hour, hour + timedelta(hours=1))
        reported: dict[tuple[str, str, datetime], float] = {}
        for each in found:
            key = (each.project_id, each.resource, each.until - timedelta(hours=1))
            reported[key] = reported.get(key, 0.0) + each.amount
        assert reported == expected
