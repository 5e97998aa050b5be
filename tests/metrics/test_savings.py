"""What could be saved as metric families: from a real ledger, a real socket, and the demo world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.analysis.savings.idle_instances import CORES, UTILIZATION
from exporter.config.model import parse
from exporter.core.charges import UsagePoint
from exporter.core.meters import COMPUTE, USAGE_TABLE
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.exposition.exposition import render
from exporter.metrics.savings import LOOK_EVERY, Savings, recommended
from exporter.refresh.refresher import Refresher
from exporter.simulator.google.recommender_api import RecommenderApi
from exporter.simulator.json_server import serving_json
from exporter.sources.base import Change, HoursRead, RefreshContext
from exporter.sources.files.source import FilesSource
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.recommendations import Recommendation, Recommendations
from exporter.sources.spool import write_usage_csv
from exporter.wiring.sources import configured_sources
from tests.support import live_world
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge, put
from tests.support.exposed import by, samples
from tests.support.live_world import reading

NOW = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
NOON = NOW.replace(minute=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USD = "spend_recommendation_savings_usd_per_month"
INFO = "spend_recommendation_info"
IDLE = "spend_idle_instances"
IDLE_VM = "google.compute.instance.IdleResourceRecommender"
OUR_VM = ("gcp", "shop-prod", "spend_exporter/idle_instance", "legacy-1", "us-east1")

GOOGLES = Recommendation(
    "shop-prod", "us-east1-b", IDLE_VM, "instances", "legacy-1", "Stop it.", Decimal("99.5"), remove=True
)


@dataclass
class Recommends(TestedSource):
    """A source that has read recommendations."""

    findings: Recommendations
    name: str = "recommender"
    provider: str = "gcp"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        yield from ()

    def recommendations(self) -> Recommendations:
        return self.findings


def read(*active: Recommendation, at: datetime = NOW) -> Recommendations:
    return Recommendations(active, {"shop-prod": at})


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_bill(ledger: Ledger, folder: Path, days: int = 20) -> None:
    """Four cores for $4.80 a day and an unused address for $0.24, in the days before today."""
    rows = []
    for ago in range(1, days + 1):
        start = (NOON - ago * DAY).replace(hour=0)
        for sku, usd, quantity in (
            ("N1 Predefined Instance Core running in Americas", "4.80", 4 * 86400.0),
            ("Static Ip Charge", "0.24", 86400.0),
        ):
            rows.append(
                charge(
                    usd,
                    sku=sku,
                    sku_id=sku[:9],
                    service_id=COMPUTE,
                    region_id="us-east1",
                    charge_period_start=start,
                    export_hour=start + 5 * HOUR,
                    consumed_quantity=quantity,
                )
            )
    put(ledger, folder, "bill", *rows)


def put_usage(
    ledger: Ledger,
    folder: Path,
    until: datetime = NOON,
    hours: int = 100,
    names: tuple[str, str] = ("legacy-1", "web-1"),
) -> None:
    """An instance of four cores that does nothing, and one that works."""
    plain: dict[str, Any] = {
        "provider": "gcp",
        "project_id": "shop-prod",
        "region_id": "us-east1",
        "service_id": COMPUTE,
        "revision": "",
        "unit": "seconds",
    }
    points = [
        UsagePoint(
            **plain,
            resource=resource,
            meter=meter,
            dimension=name,
            start=until - ago * HOUR,
            end=until - (ago - 1) * HOUR,
            value=value * 3600,
        )
        for resource, name, level in (("42", names[0], 0.01), ("43", names[1], 0.4))
        for meter, value in ((UTILIZATION, level), (CORES, 4.0))
        for ago in range(1, hours + 1)
    ]
    since = until - hours * HOUR
    reads = [HoursRead("shop-prod", meter, since, until, until, "read") for meter in (UTILIZATION, CORES)]
    UsageLedger(ledger).put("cloud_monitoring", reads, write_usage_csv(folder / "usage.csv", points))


def shown(
    savings: Savings, ledger: Ledger, now: datetime = NOW, *, live: bool = True
) -> dict[str, dict[tuple[str, ...], float]]:
    with ledger.view(["files"]) as view:
        usage = UsageView(view.connection) if live else None
        families = savings.families(view, usage, now, None)
    render(families)
    return {one.family.name: dict(one.samples) for one in families}


def test_an_idle_instance_and_an_unused_address_are_reported_in_dollars_and_in_words(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path)
    found = shown(Savings([]), ledger)
    assert found[IDLE] == {("shop-prod", "us-east1"): 1.0}
    assert found[USD] == {
        OUR_VM: pytest.approx(4.80 * 30.4375),
        ("gcp", "shop-prod", "spend_exporter/unused_address", "", "us-east1"): pytest.approx(0.24 * 30.4375),
    }
    assert {labels[:5] for labels in found[INFO]} == set(found[USD])
    assert set(found[INFO].values()) == {1.0}
    [advice] = [labels[5] for labels in found[INFO] if labels[3] == "legacy-1"]
    assert "about $150 a month (its 4 cores at what shop-prod pays there" in advice


def test_what_google_names_as_well_is_counted_once_and_by_google(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path)
    found = shown(Savings([Recommends(read(GOOGLES))]), ledger)
    machines = {labels: usd for labels, usd in found[USD].items() if labels[3] == "legacy-1"}
    assert machines == {("gcp", "shop-prod", IDLE_VM, "legacy-1", "us-east1"): 99.5}
    assert found[IDLE] == {("shop-prod", "us-east1"): 1.0}
    advice = [labels[5] for labels in found[INFO] if labels[3] == "legacy-1"]
    assert advice == ["legacy-1 in us-east1-b of shop-prod: Google advises: Stop it."]


def test_the_ledgers_data_of_an_instance_is_of_the_given_hours(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path)
    with ledger.view(["files"]) as view:
        usage = UsageView(view.connection)
        idle, busy = usage.instances(NOON - 10 * HOUR, NOON - 2 * HOUR, UTILIZATION, CORES)
        assert usage.instances(NOON, NOON + HOUR, UTILIZATION, CORES) == []
    assert (idle.instance_id, idle.name, idle.hours, idle.cores) == ("42", "legacy-1", 8, 4.0)
    assert (idle.first_hour, idle.last_hour) == (NOON - 10 * HOUR, NOON - 3 * HOUR)
    assert idle.mean_utilization == pytest.approx(0.01)
    assert busy.highest_utilization == pytest.approx(0.4)


def test_an_instance_whose_name_became_known_later_is_one_instance(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path, NOON - 50 * HOUR, 50, names=("", ""))
    put_usage(ledger, tmp_path, NOON, 50)
    assert [labels[3] for labels in shown(Savings([]), ledger)[INFO]] == ["legacy-1"]


def test_without_live_usage_the_bill_alone_gives_its_findings(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path)
    found = shown(Savings([]), ledger, live=False)
    assert [labels[2] for labels in found[USD]] == ["spend_exporter/unused_address"]
    assert found[IDLE] == {}


def test_an_empty_ledger_gives_nothing_and_a_filled_one_is_looked_at_minutes_later(
    ledger: Ledger, tmp_path: Path
) -> None:
    savings = Savings([])
    assert not any(shown(savings, ledger).values())
    put_bill(ledger, tmp_path)
    assert not any(shown(savings, ledger, NOW + LOOK_EVERY / 2).values())
    assert len(shown(savings, ledger, NOW + LOOK_EVERY)[USD]) == 1


@pytest.mark.slow
def test_within_an_hour_that_brings_nothing_new_nothing_is_looked_for(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    savings = Savings([])
    first = shown(savings, ledger)[USD]
    assert len(first) == 1
    # The address is gone, and the newest hour of the bill is what it was.
    ledger.retract("files", "bill")
    put(ledger, tmp_path, "rest", charge("1.00", export_hour=(NOON - DAY).replace(hour=5)))
    assert shown(savings, ledger, NOW + 2 * LOOK_EVERY)[USD] == first
    assert shown(savings, ledger, NOW + HOUR)[USD] == {}


def test_a_clock_that_jumps_back_stops_nothing(ledger: Ledger, tmp_path: Path) -> None:
    savings = Savings([])
    shown(savings, ledger, NOW + 30 * DAY)
    put_bill(ledger, tmp_path)
    assert len(shown(savings, ledger, NOW)[USD]) == 1


@pytest.mark.parametrize(
    ("age", "advice"),
    [
        (timedelta(hours=23), "Stop it."),
        (timedelta(days=2), "Stop it. (as of 2026-11-18)"),
        (timedelta(days=8), None),
    ],
)
def test_old_recommendations_say_of_when_they_are_and_go_in_the_end(
    age: timedelta, advice: str | None
) -> None:
    found = recommended(read(GOOGLES, at=NOW - age), NOW)
    assert [each.advice.partition("advises: ")[2] for each in found] == ([advice] if advice else [])


def test_a_recommendation_of_no_region_has_an_empty_one() -> None:
    everywhere = replace(GOOGLES, location="global", collection="addresses", resource="old-ip")
    (saving,) = recommended(read(everywhere), NOW)
    assert (saving.region_id, saving.kind) == ("", "address")
    assert saving.advice.startswith("old-ip of shop-prod: ")


def test_machines_of_one_name_in_two_zones_are_summed(ledger: Ledger) -> None:
    twin = replace(GOOGLES, location="us-east1-c")
    found = shown(Savings([Recommends(read(GOOGLES, twin))]), ledger)
    assert found[USD] == {("gcp", "shop-prod", IDLE_VM, "legacy-1", "us-east1"): 199.0}
    assert len(found[INFO]) == 2


@pytest.mark.slow
def test_the_refresher_shows_what_its_sources_recommend(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    with serving_json(RecommenderApi()) as address:
        google = RecommenderSource(["northwind-prod"], endpoint=address, plaintext=True)
        refresher = Refresher(
            [FilesSource(["none/*.parquet"]), google],
            ledger,
            tmp_path,
            interval=timedelta(minutes=15),
            keep=timedelta(days=400),
            max_series=100,
            clock=lambda: NOW,
        )
        assert refresher.refresh(google)
        refresher.rebuild()
        text = samples(refresher.snapshot.exposition.text)
        past = samples(refresher.refresh_all(as_of=NOON).exposition.text)
    assert set(by(text[USD], "resource")) == {("legacy-search-1",), ("",)}
    assert by(text["spend_source_up"], "source")[("recommender",)] == 1.0
    assert not past[USD]


def test_a_recommender_is_queried_only_where_projects_are_named_and_it_is_not_switched_off() -> None:
    def names(gcp: str) -> list[str]:
        return [each.name for each in configured_sources(parse(f"gcp: {{{gcp}}}", Path("/")), {})]

    files = "billing_export: {files: [/x]}"
    assert names(files) == ["files"]
    assert names(f"{files}, project_ids: [a-b]") == ["files", "cloud_monitoring", "recommender"]
    off = "recommendations: {enabled: false}"
    assert names(f"{files}, project_ids: [a-b], {off}") == ["files", "cloud_monitoring"]
    daily = "recommendations: {update_interval_minutes: 1440}"
    document = parse(f"gcp: {{{files}, project_ids: [a-b], {daily}}}", Path("/"))
    [source] = [each for each in configured_sources(document, {}) if isinstance(each, RecommenderSource)]
    assert source.update_interval == DAY


@pytest.mark.slow
def test_the_demo_company_s_idle_machine_is_found_through_cloud_monitoring(tmp_path: Path) -> None:
    meters = tuple(meter for meter in USAGE_TABLE if meter.name in (UTILIZATION, CORES))
    now = live_world.NOW
    with reading(
        tmp_path, meters=meters, project_ids=["northwind-prod"], reach=Reach(backfill=timedelta(hours=80))
    ) as reader:
        reader.refresh()
        found = shown(Savings([]), reader.ledger, now)
    assert found[IDLE] == {
        ("northwind-prod", "us-central1"): 0.0,
        ("northwind-prod", "us-east1"): 1.0,
    }
    [(labels, _)] = found[INFO].items()
    assert labels[3] == "legacy-search-1"
    assert "used 2.0% of its CPU in the last 3 days and has no known cost in the bill yet" in labels[5]
