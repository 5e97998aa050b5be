"""Findings of waste: each threshold at its edge, the dollars by hand, and nothing counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.savings.cloud_run import RUN_COLD_STARTS, RUN_CPU, RUN_MIN_INSTANCES, cloud_run_waste
from exporter.analysis.savings.idle_instances import idle_instances
from exporter.analysis.savings.saving import MONTH_DAYS, Saving, counted_once, dollars
from exporter.analysis.savings.unused_resources import KUBERNETES, unused_resources
from exporter.analysis.unit_cost.rate_book import RateBook, RateCard
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.core.meters import COMPUTE, RUN

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLED = date(2026, 11, 16)
DAY = timedelta(days=1)
CORE_SKU, RAM_SKU = "N1 Predefined Instance Core running in Americas", "N1 Predefined Instance Ram running"


@dataclass(frozen=True)
class Used:
    meter: str
    amount: float
    hour: datetime = NOON
    resource: str = "42"
    dimension: str = "legacy-1"
    project_id: str = "shop-prod"
    region_id: str = "us-east1"

    @property
    def day(self) -> date:
        return self.hour.date()


@dataclass(frozen=True)
class Billed:
    usd: float
    sku: str
    quantity: float = 86400.0
    day: date = SETTLED
    project_id: str = "shop-prod"
    region_id: str = "us-east1"
    service_id: str = COMPUTE
    service_name: str = "Compute Engine"
    sku_id: str = "X"
    unit: str = "seconds"


@dataclass(frozen=True)
class Instance:
    hours: int
    mean_utilization: float
    highest_utilization: float
    first_hour: datetime
    last_hour: datetime
    cores: float | None = 4.0
    instance_id: str = "42"
    name: str = "legacy-1"
    project_id: str = "shop-prod"
    region_id: str = "us-east1"


def running(levels: Sequence[float], last_hour: datetime = NOON - HOUR, **changes: Any) -> Instance:
    """An instance that ran through with these mean utilisations by the hour."""
    first_hour = last_hour - (len(levels) - 1) * HOUR
    return replace(
        Instance(len(levels), sum(levels) / len(levels), max(levels), first_hour, last_hour), **changes
    )


BUSY = running([0.4] * 168, instance_id="43", name="web-1")

MACHINES = [
    # Two machines of four cores: 4 cores cost $4.80 a day, their memory $2.40.
    Billed(9.6, CORE_SKU, quantity=8 * 86400.0),
    Billed(4.8, RAM_SKU, quantity=30e9 * 86400.0),
    Billed(99.0, "Storage PD Capacity", quantity=1e15),
    Billed(50.0, "Commitment v1: N1 Instance Core in Americas for 1 Year"),
]


def test_an_idle_instance_is_reported_with_what_its_cores_cost() -> None:
    found = idle_instances([running([0.02] * 168), BUSY], MACHINES)
    (saving,) = found.savings
    assert (saving.resource, saving.kind, saving.remedy) == ("legacy-1", "instance", "remove")
    assert saving.usd_per_month == pytest.approx(7.2 * MONTH_DAYS)
    assert saving.evidence == {
        "mean_utilization_ratio": pytest.approx(0.02),
        "known_hours": 168.0,
        "cores": pytest.approx(4.0),
    }
    assert "legacy-1 in us-east1 of shop-prod used 2.0% of its CPU in the last 7 days" in saving.advice
    assert (
        "about $220 a month (its 4 cores at what shop-prod pays there for cores and memory)" in saving.advice
    )
    assert found.counts == {("shop-prod", "us-east1"): 1}


@pytest.mark.parametrize(
    ("levels", "idle"),
    [
        ([0.0299] * 72, True),
        ([0.0301] * 72, False),
        # Two hours less than three days.
        ([0.0] * 70, False),
        # A nightly job of one hour.
        ([0.01] * 100 + [0.11] + [0.01] * 20, False),
        ([0.01] * 100 + [0.09] + [0.01] * 20, True),
    ],
)
def test_the_thresholds_of_idleness_hold_at_their_edges(levels: list[float], idle: bool) -> None:
    assert len(idle_instances([running(levels)], MACHINES).savings) == idle


@pytest.mark.parametrize(("hours", "idle"), [(152, True), (150, False)])
def test_an_instance_that_starts_and_stops_is_there_for_jobs(hours: int, idle: bool) -> None:
    found = idle_instances([running([0.01] * 168, hours=hours)], MACHINES)
    assert len(found.savings) == idle
    assert found.counts == {("shop-prod", "us-east1"): idle}


def test_an_instance_that_was_stopped_can_be_stopped_no_more() -> None:
    gone = running([0.01] * 100, NOON - 8 * HOUR)
    found = idle_instances([gone, BUSY], MACHINES)
    assert found.savings == []
    assert found.counts == {("shop-prod", "us-east1"): 0}


def test_too_little_known_usage_counts_no_instance_at_all() -> None:
    assert idle_instances([running([0.01] * 71)], MACHINES).counts == {}


def test_an_instance_without_a_name_goes_by_its_id() -> None:
    assert idle_instances([running([0.02] * 168, name="")], MACHINES).savings[0].resource == "42"


def test_without_cores_an_instance_costs_an_equal_share_of_the_machines() -> None:
    found = idle_instances([running([0.02] * 100, cores=None), replace(BUSY, cores=None)], MACHINES)
    assert found.savings[0].usd_per_month == pytest.approx(14.4 / 2 * MONTH_DAYS)
    assert "an equal share of what shop-prod pays for machines there" in found.savings[0].advice


def test_without_a_bill_of_its_own_the_rate_of_others_in_the_region_counts() -> None:
    elsewhere = [replace(each, project_id="other") for each in MACHINES]
    (saving,) = idle_instances([running([0.02] * 100)], elsewhere).savings
    assert saving.usd_per_month == pytest.approx(7.2 * MONTH_DAYS)
    assert "what others pay there" in saving.advice


def test_without_any_bill_the_dollars_are_unknown_and_not_zero() -> None:
    found = idle_instances([running([0.02] * 100)], [])
    assert [each.usd_per_month for each in found.savings] == [None]
    assert found.counts == {("shop-prod", "us-east1"): 1}


# Cloud Run.

CARD = RateCard(0.0000004, 0.000024, 0.0000025, 0.12)
DAYS = [NOON - number * DAY for number in range(1, 6)]
FIRST, LAST = DAYS[-1].date(), DAYS[0].date()


def service(name: str, cpu: float, requests: float, starts: float = 0.0, days: int = 5) -> list[Used]:
    """Daily amounts of a service."""
    amounts = {
        "cloud_run_cpu_seconds": cpu,
        "cloud_run_requests": requests,
        "cloud_run_cold_starts": starts,
    }
    return [
        Used(meter, amount, day, name, "")
        for meter, amount in amounts.items()
        for day in DAYS[:days]
        if amount
    ]


ORDINARY = [*service("api", 100.0, 1000.0), *service("shop", 200.0, 1000.0), *service("web", 300.0, 1000.0)]


def rates() -> RateBook:
    return learn_rates([], [], SETTLED, card=CARD)


def test_a_service_that_takes_far_more_cpu_than_the_others_is_reported_with_what_is_too_much() -> None:
    found = cloud_run_waste([*ORDINARY, *service("resizer", 80_000.0, 10_000.0)], rates(), FIRST, LAST)
    (saving,) = found
    assert (saving.recommender, saving.resource, saving.kind) == (RUN_CPU, "resizer", "run_service")
    # Eight seconds a request, of which one is granted: five times the median of 0.2.
    assert saving.usd_per_month == pytest.approx(70_000 * 0.000024 * MONTH_DAYS)
    assert "uses 8.0 CPU seconds per request; the median of your other services is 0.20" in saving.advice
    assert "CPU time above 1.0 s costs about $51 a month" in saving.advice


@pytest.mark.parametrize(
    ("others", "cpu_per_request", "wasteful"),
    [
        (ORDINARY, 0.99, False),
        (ORDINARY, 1.2, True),
        # Where the others take half a second, 2.5 are allowed.
        ([*service("a", 500.0, 1000.0), *service("b", 500.0, 1000.0)], 2.4, False),
        ([*service("a", 500.0, 1000.0), *service("b", 500.0, 1000.0)], 2.6, True),
        # One other is no comparison.
        (service("a", 100.0, 1000.0), 4.9, False),
        ([], 5.2, True),
    ],
)
def test_the_limit_of_cpu_per_request_is_absolute_and_relative(
    others: list[Used], cpu_per_request: float, wasteful: bool
) -> None:
    one = service("one", cpu_per_request * 100_000, 100_000.0)
    found = cloud_run_waste([*others, *one], rates(), FIRST, LAST)
    assert [each.resource for each in found] == (["one"] if wasteful else [])


def test_few_requests_few_days_and_little_money_make_no_finding() -> None:
    rare = service("rare", 5000.0, 99.0, starts=50.0)
    new = service("new", 80_000.0, 10_000.0, days=2)
    cheap = service("cheap", 300.0, 150.0)
    assert cloud_run_waste([*ORDINARY, *rare, *new, *cheap], rates(), FIRST, LAST) == []


def test_days_outside_of_the_window_are_not_looked_at() -> None:
    wasteful = service("resizer", 80_000.0, 10_000.0)
    assert cloud_run_waste([*ORDINARY, *wasteful], rates(), LAST, LAST) == []


@pytest.mark.parametrize(("starts", "reported"), [(10.0, False), (11.0, True)])
def test_starts_for_more_than_one_request_in_a_hundred_are_reported_without_dollars(
    starts: float, reported: bool
) -> None:
    found = cloud_run_waste(service("api", 100.0, 1000.0, starts), rates(), FIRST, LAST)
    assert [(each.recommender, each.usd_per_month) for each in found] == [(RUN_COLD_STARTS, None)] * reported


MIN_SKU = "Services Min Instance CPU (Request-based billing)"


def waiting(idle: float, active: float) -> list[Used]:
    return [
        Used(meter, amount, day, "checkout", "")
        for meter, amount in (
            ("cloud_run_idle_instance_seconds", idle),
            ("cloud_run_active_instance_seconds", active),
        )
        for day in DAYS
    ]


@pytest.mark.parametrize(("active", "reported"), [(172_800.0, False), (86_400.0, True)])
def test_minimum_instances_that_mostly_wait_are_reported_with_what_the_bill_charges_for_them(
    active: float, reported: bool
) -> None:
    used = waiting(172_800.0, active)
    billed = [
        Billed(
            3.0, MIN_SKU, day=day.date(), service_id=RUN, service_name="Cloud Run", sku_id="7EBB-8579-2C98"
        )
        for day in DAYS
    ]
    found = cloud_run_waste(used, learn_rates(billed, used, LAST), FIRST, LAST)
    assert [each.recommender for each in found] == [RUN_MIN_INSTANCES] * reported
    for saving in found:
        assert saving.usd_per_month == pytest.approx(3.0 * MONTH_DAYS)
        assert "keeps 2.0 instances waiting on average, 67% of all its instance time" in saving.advice


def test_instances_that_wait_for_nothing_are_no_waste() -> None:
    assert cloud_run_waste(waiting(172_800.0, 1.0), learn_rates([], [], LAST), FIRST, LAST) == []


# The bill's own.


def days_of(sku: str, usd: float, days: int = 14, **same: Any) -> list[Billed]:
    return [Billed(usd, sku, day=SETTLED - number * DAY, **same) for number in range(days)]


def test_unused_addresses_are_counted_by_the_hours_that_are_billed() -> None:
    (saving,) = unused_resources(days_of("Static Ip Charge", 0.72, quantity=3 * 86400.0), SETTLED)
    assert (saving.kind, saving.resource, saving.evidence) == ("address", "", {"addresses": 3.0})
    assert saving.usd_per_month == pytest.approx(0.72 * MONTH_DAYS)
    assert "about $22 a month for 3 static addresses in us-east1 that nothing uses" in saving.advice


def test_addresses_in_use_and_addresses_that_were_released_are_no_finding() -> None:
    used = days_of("External IP Charge on a Standard VM", 0.1) + days_of("Static Ip Charge on a VM", 0.1)
    released = [row for row in days_of("Static Ip Charge", 0.24) if row.day < SETTLED]
    assert unused_resources(used + released, SETTLED) == []


def test_disks_where_no_machine_was_billed_for_two_weeks_are_reported() -> None:
    (saving,) = unused_resources(days_of("Storage PD Capacity", 2.0), SETTLED)
    assert saving.kind == "disk"
    assert saving.usd_per_month == pytest.approx(2.0 * MONTH_DAYS)
    assert "attached to stopped machines" in saving.advice


@pytest.mark.parametrize(
    "others",
    [
        [Billed(1.0, CORE_SKU, day=SETTLED - 13 * DAY)],
        [Billed(1.0, "Nvidia L4 GPU running in Americas", day=SETTLED - 5 * DAY)],
        # Its nodes may be billed by the pod.
        [Billed(1.0, "Autopilot Pod Requests", service_id=KUBERNETES, region_id="europe-west1")],
    ],
)
def test_disks_next_to_machines_and_clusters_are_not_judged(others: list[Billed]) -> None:
    assert unused_resources([*days_of("SSD backed PD Capacity", 2.0), *others], SETTLED) == []


def test_disks_of_a_young_bill_and_snapshots_are_not_judged() -> None:
    assert unused_resources(days_of("Storage PD Capacity", 2.0, days=12), SETTLED) == []
    assert unused_resources(days_of("Storage PD Snapshot", 2.0), SETTLED) == []


def test_what_costs_less_than_reading_about_it_is_not_reported() -> None:
    assert unused_resources(days_of("Static Ip Charge", 0.03), SETTLED) == []
    assert unused_resources(days_of("Storage PD Capacity", 0.03), SETTLED) == []


# Counted once.

IDLE = Saving(
    "shop-prod", "us-east1", "instance", "legacy-1", "spend_exporter/idle_instance", "", 100.0, "remove"
)
GOOGLES = replace(IDLE, recommender="google.compute.instance.IdleResourceRecommender", usd_per_month=130.0)
RESIZE = replace(
    IDLE, recommender="google.compute.instance.MachineTypeRecommender", usd_per_month=60.0, remedy="change"
)
DISKS = Saving("shop-prod", "us-east1", "disk", "", "spend_exporter/unattached_disk", "", 40.0, "remove")
DISK = replace(DISKS, resource="data-1", recommender="google.compute.disk.IdleResourceRecommender")


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([IDLE, GOOGLES], [GOOGLES]),
        ([IDLE, RESIZE], [IDLE]),
        ([RESIZE, GOOGLES, IDLE], [GOOGLES]),
        ([RESIZE], [RESIZE]),
        ([DISKS, DISK], [DISK]),
        ([DISKS], [DISKS]),
        # Of another region, another project, another kind, another name.
        ([DISKS, replace(DISK, region_id="us-west1")], [DISKS, replace(DISK, region_id="us-west1")]),
        ([IDLE, replace(GOOGLES, resource="web-1")], [IDLE, replace(GOOGLES, resource="web-1")]),
        # Without dollars nothing is counted.
        ([replace(IDLE, usd_per_month=None), GOOGLES], [replace(IDLE, usd_per_month=None), GOOGLES]),
    ],
)
def test_one_thing_is_counted_once(found: list[Saving], kept: list[Saving]) -> None:
    assert sorted(map(repr, counted_once(found))) == sorted(map(repr, kept))


def test_two_findings_about_different_waste_of_one_service_both_count() -> None:
    cpu = replace(IDLE, kind="run_service", recommender=RUN_CPU, remedy="change")
    waits = replace(cpu, recommender=RUN_MIN_INSTANCES)
    assert len(counted_once([cpu, waits])) == 2


some_findings = st.lists(
    st.builds(
        Saving,
        project_id=st.sampled_from(["a", "b"]),
        region_id=st.sampled_from(["x", "y"]),
        kind=st.sampled_from(["instance", "disk"]),
        resource=st.sampled_from(["", "one", "two"]),
        recommender=st.sampled_from(["spend_exporter/x", "google.x", "google.y"]),
        advice=st.just(""),
        usd_per_month=st.none() | st.floats(0.0, 1e6),
        remedy=st.sampled_from(["remove", "change"]),
    ),
    max_size=8,
)


@given(some_findings)
def test_counting_once_adds_nothing_and_does_it_once(found: list[Saving]) -> None:
    kept = counted_once(found)
    assert all(each in found for each in kept)
    assert counted_once(kept) == kept
    assert bool(kept) == bool(found)
    for each in kept:
        rivals = [o for o in kept if (o.project_id, o.region_id, o.kind, o.resource)
                  == (each.project_id, each.region_id, each.kind, each.resource)]  # fmt: skip
        if each.own and each.usd_per_month is not None:
            assert all(o.own or o.usd_per_month is None for o in rivals)


@pytest.mark.parametrize(
    ("usd", "text"), [(0.5, "$0.50"), (3.21, "$3.20"), (11.6, "$12"), (219.15, "$220"), (1064.0, "$1,100")]
)
def test_dollars_in_sentences_have_two_digits_that_say_something(usd: float, text: str) -> None:
    assert dollars(usd) == text
