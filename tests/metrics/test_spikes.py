"""Spikes from a real ledger: which hour is judged, against which, and that the cause is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from exporter.analysis.bill.spikes import spike
from exporter.config.budgets import Alerts
from exporter.core import llm_meters
from exporter.core.charges import Charge, UsagePoint
from exporter.core.cost_cells import NANO, Line
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.llm import LlmView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.outlooks.nowcast import Nowcasting
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.spikes import Floors, Judged, billed_spikes, spike_families, usage_spikes
from exporter.simulator.google.usage import Incident
from exporter.simulator.google.world import World
from exporter.sources.base import HoursRead
from exporter.sources.spool import write_usage_csv
from tests.support.charge_rows import HOUR, charge, put
from tests.support.outlooks import DAY_BEGINS, outlook, steady
from tests.support.world_truth import true_cost

PACIFIC = "America/Los_Angeles"
ZONES = {"gcp": PACIFIC}
NOW = DAY_BEGINS + timedelta(hours=10, minutes=30)
FLOORS = Floors(Alerts().hourly_spike_usd, Alerts().spike_score)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_past(ledger: Ledger, folder: Path, *more: Charge, days: int = 20) -> None:
    """Two dollars an hour of two SKUs, each known three hours after its hour began."""
    hours = [NOW.replace(minute=0) - at * HOUR for at in range(4, days * 24)]
    charges = [
        charge("1", charge_period_start=hour, export_hour=hour + 3 * HOUR, sku_id=sku, sku=f"SKU {sku}")
        for hour in hours
        for sku in ("a", "b")
    ]
    put(ledger, folder, "past", *charges, *more)


def judged(ledger: Ledger, *estimates: Outlook, floors: Floors = FLOORS) -> list[Judged]:
    with ledger.view(["files"]) as view:
        found = estimates or tuple(Nowcasting().outlooks(view, None, NOW, ZONES))
        return billed_spikes(view, found, floors)


def extra(usd: str, hours_ago: int) -> Charge:
    hour = NOW.replace(minute=0) - hours_ago * HOUR
    return charge(usd, charge_period_start=hour, export_hour=hour + 3 * HOUR, sku_id="b", sku="SKU b")


@pytest.mark.slow
def test_the_newest_billed_hour_is_judged_and_the_sku_that_spikes_is_named(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_past(ledger, tmp_path, extra("38", 4))
    service, sku = judged(ledger)
    assert (service.service_name, service.sku) == ("Compute Engine", "")
    assert service.hour * 3600 == (NOW.replace(minute=0) - 4 * HOUR).timestamp()
    assert service.spike.above_usd == pytest.approx(38, rel=0.01)
    assert service.spike.normal_usd == 2.0
    assert (sku.sku, sku.spike.hour_usd, sku.spike.normal_usd) == ("SKU b", 39.0, 1.0)
    assert {each.family.name: len(list(each.samples)) for each in spike_families([service, sku])} == {
        "spend_spike_usd": 2,
        "spend_spike_hour_usd": 2,
        "spend_spike_normal_usd": 2,
        "spend_spike_score": 2,
        "spend_spike_hour_timestamp_seconds": 1,
    }


@pytest.mark.slow
def test_below_the_floor_no_sku_is_reported(ledger: Ledger, tmp_path: Path) -> None:
    put_past(ledger, tmp_path, extra("9", 4))
    [service] = judged(ledger)
    assert service.spike.above_usd == pytest.approx(9, rel=0.05)
    assert len(judged(ledger, floors=Floors(5.0, 6.0))) == 2


@pytest.mark.slow
def test_an_earlier_spike_is_not_normal_afterwards(ledger: Ledger, tmp_path: Path) -> None:
    put_past(ledger, tmp_path, extra("38", 28), extra("38", 4))
    assert judged(ledger)[0].spike.normal_usd == 2.0


def test_a_young_bill_says_nothing_of_what_is_normal(ledger: Ledger, tmp_path: Path) -> None:
    put_past(ledger, tmp_path, extra("38", 4), days=4)
    assert judged(ledger, outlook({"Compute Engine": steady(40.0)})) == []


@pytest.mark.slow
def test_in_the_first_hours_of_a_month_an_hour_of_the_last_one_is_judged(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_past(ledger, tmp_path, extra("38", 13))
    service, sku = judged(ledger, outlook({"Compute Engine": steady(2.0, billed_hours=0)}))
    assert service.hour * 3600 == (NOW.replace(minute=0) - 13 * HOUR).timestamp()
    assert (service.spike.hour_usd, sku.sku) == (40.0, "SKU b")


@pytest.mark.parametrize(("skus", "hours_ago"), [(("a", "b"), 1), (("a",), 1), (("elsewhere",), 4)])
def test_the_last_hour_is_judged_where_live_usage_explains_half_of_the_cost(
    ledger: Ledger, tmp_path: Path, skus: tuple[str, ...], hours_ago: int
) -> None:
    put_past(ledger, tmp_path)
    known = charge()
    lines = (Line(known.billing_account_id, known.project_id, known.service_name, sku) for sku in skus)
    estimate = outlook({"Compute Engine": (7, [2 * NANO] * 9 + [40 * NANO])})
    found = judged(ledger, replace(estimate, live_lines=frozenset(lines)))[0]
    assert found.hour * 3600 == (NOW.replace(minute=0) - hours_ago * HOUR).timestamp()
    assert found.spike.above_usd == (38.0 if hours_ago == 1 else 0.0)


def test_a_service_that_never_costs_anything_is_not_reported(ledger: Ledger, tmp_path: Path) -> None:
    put_past(ledger, tmp_path)
    free = outlook({"Free": steady(0.0), "Compute Engine": steady(2.0)})
    assert {each.service_name for each in judged(ledger, free)} == {"Compute Engine"}


def put_calls(ledger: Ledger, folder: Path, usd_last: float) -> None:
    """Ten days of a dollar an hour of one model; the other's last whole hour costs `usd_last`."""
    end = NOW.replace(minute=0)
    points = [
        UsagePoint("openai", "p", "", "", model, "", llm_meters.LIST_USD, "", at, at + HOUR, usd, "usd")
        for back in range(1, 240)
        for at in [end - back * HOUR]
        for model, usd in (("gpt-4o", 1.0), ("o3", usd_last if back == 1 else 0.5))
    ]
    spool = write_usage_csv(folder / "calls.csv", points)
    read = HoursRead("p", llm_meters.LIST_USD, end - 240 * HOUR, end, end, "read")
    UsageLedger(ledger).put("openai", [read], spool)


@pytest.mark.parametrize("billed", ["OpenAI API", "other"])
def test_live_usage_is_judged_where_the_bill_is_by_the_day(
    ledger: Ledger, tmp_path: Path, billed: str
) -> None:
    put_calls(ledger, tmp_path, 60.0)
    with ledger.view(["openai"]) as view:
        estimate = outlook({billed: steady(1.0)}, provider="openai")
        found = usage_spikes(view, LlmView(view.connection, ["openai"]), [estimate], FLOORS, NOW)
    assert [(each.service_name, each.sku) for each in found] == [
        ("OpenAI API" if billed == "OpenAI API" else "LLM API", ""),
        ("OpenAI API" if billed == "OpenAI API" else "LLM API", "o3"),
    ]
    assert found[0].spike.above_usd == pytest.approx(59.5)
    assert found[0].hour * 3600 == (NOW.replace(minute=0) - HOUR).timestamp()


def test_calls_as_on_any_day_are_no_spike(ledger: Ledger, tmp_path: Path) -> None:
    put_calls(ledger, tmp_path, 0.5)
    with ledger.view(["openai"]) as view:
        estimate = outlook({"OpenAI API": steady(1.0)}, provider="openai")
        [found] = usage_spikes(view, LlmView(view.connection, ["openai"]), [estimate], FLOORS, NOW)
    assert found.spike.above_usd == 0.0


BEGINS = datetime(2026, 10, 26, tzinfo=UTC)
RUNAWAY = BEGINS + timedelta(days=20, hours=15)


@cache
def costs(*, incident: bool) -> dict[str, dict[int, float]]:
    """Final cost by service and hour of four weeks of the demo world."""
    first = int(RUNAWAY.timestamp()) // 3600
    world = World(1, BEGINS, Incident(first, first + 24, 14.0) if incident else None)
    found: dict[str, dict[int, float]] = {}
    for each in true_cost(world, BEGINS, BEGINS + timedelta(days=28)):
        # Tax and rounding belong to no project, and to no hour.
        if each.project_id:
            service = found.setdefault(each.service_name, {})
            service[each.hour] = service.get(each.hour, 0.0) + float(each.cost_usd)
    return found


def spikes(hours: range, *, incident: bool) -> dict[str, float]:
    """Dollars above normal of services that spike in any of the hours: the most."""
    found: dict[str, float] = {}
    for service, usd in costs(incident=incident).items():
        for hour in hours:
            one = spike(usd.get(hour, 0.0), [usd.get(hour - 24 * back, 0.0) for back in range(1, 15)])
            if one is not None and FLOORS.passed(one):
                found[service] = max(found.get(service, 0.0), one.above_usd)
    return found


@pytest.mark.slow
def test_a_quiet_fortnight_of_the_demo_world_has_no_spike() -> None:
    first = int(BEGINS.timestamp()) // 3600 + 14 * 24
    assert spikes(range(first, first + 14 * 24), incident=False) == {}


@pytest.mark.slow
def test_the_incident_of_the_demo_world_is_one_spike_of_one_service() -> None:
    first = int(RUNAWAY.timestamp()) // 3600
    found = spikes(range(first, first + 24), incident=True)
    assert list(found) == ["Vertex AI"]
    quiet, runaway = (costs(incident=each)["Vertex AI"] for each in (False, True))
    most = max(runaway[hour] - quiet[hour] for hour in range(first, first + 24))
    assert found["Vertex AI"] == pytest.approx(most, rel=0.2)
