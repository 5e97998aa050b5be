"""The demo world's live usage: true to the bill by the hour, and alive within it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.meters import USAGE_TABLE, UsageMeter
from exporter.simulator.google.live_metrics import EMISSIONS, METRICS
from exporter.simulator.google.live_usage import Samples, SimulatedUsage
from exporter.simulator.google.time_series import BadRequestError, conditions_of
from tests.support.live_world import NOW, world

RUN = "run.googleapis.com/"
REVISION = "cloud_run_revision"
NOW_HOUR = int(NOW.timestamp()) // 3600


def samples(
    metric: str, hour: int, project: str = "northwind-prod", resource: str = REVISION
) -> list[Samples]:
    return list(SimulatedUsage(world()).samples(project, metric, resource, hour))


def by_service(found: list[Samples]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for each in found:
        sums[each.resource_labels["service_name"]] += sum(each.minutes)
    return dict(sums)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90))
def test_the_samples_of_an_hour_sum_to_what_is_billed_for_it(back: int) -> None:
    hour = NOW_HOUR - back
    requests, cpu = {}, {}
    for meter, use in world().uses(hour):
        if meter.project.id == "northwind-prod" and meter.line.resource.startswith("service/"):
            name = meter.line.resource.partition("/")[2]
            if meter.line.sku == "run-requests":
                requests[name] = use.amount
            elif meter.line.sku in ("run-cpu", "run-cpu-instance"):
                cpu[name] = use.amount
    assert by_service(samples(RUN + "request_count", hour)) == requests
    assert by_service(samples(RUN + "container/cpu/allocation_time", hour)) == pytest.approx(cpu)


def test_the_same_is_reported_however_it_is_read() -> None:
    one, other = SimulatedUsage(world()), SimulatedUsage(world())
    list(other.samples("northwind-prod", RUN + "request_count", REVISION, NOW_HOUR - 5))
    assert list(one.samples("northwind-prod", RUN + "request_count", REVISION, NOW_HOUR)) == list(
        other.samples("northwind-prod", RUN + "request_count", REVISION, NOW_HOUR)
    )


def test_traffic_follows_the_day() -> None:
    day = int(datetime(2026, 11, 18, tzinfo=UTC).timestamp()) // 3600
    hours = [by_service(samples(RUN + "request_count", hour))["checkout"] for hour in range(day, day + 24)]
    assert max(hours) > 3 * min(hours)
    # The company lives on Pacific time, where 10:00 UTC is night.
    assert hours.index(min(hours)) in range(8, 14)


def test_a_deployment_moves_traffic_from_one_revision_to_the_next() -> None:
    seen: dict[int, list[str]] = {}
    for hour in range(NOW_HOUR - 90, NOW_HOUR):
        found = samples(RUN + "container/cpu/allocation_time", hour)
        seen[hour] = [
            each.resource_labels["revision_name"]
            for each in found
            if each.resource_labels["service_name"] == "checkout" and sum(each.minutes) > 0
        ]
    moving = [names for names in seen.values() if len(names) == 2]
    assert moving
    assert all(len(names) in (1, 2) for names in seen.values())
    for new, old in moving:
        assert new > old


def test_the_support_agent_has_a_storm_of_cold_starts_each_day_and_the_others_have_none() -> None:
    live = SimulatedUsage(world())
    day = NOW_HOUR // 24 - 1
    stormy = day * 24 + live.storm_hour(day)

    def ratio(hour: int, project: str) -> float:
        metric = RUN + "container/startup_latencies"
        starts = sum(by_service(samples(metric, hour, project)).values())
        return starts / sum(by_service(samples(RUN + "request_count", hour, project)).values())

    assert ratio(stormy, "northwind-assistant") > 0.05
    assert ratio(stormy - 4, "northwind-assistant") < 0.01
    assert ratio(stormy, "northwind-prod") < 0.01


@pytest.mark.parametrize("emission", EMISSIONS, ids=lambda each: f"{each.metric.type} {each.skus[0]}")
def test_every_metric_is_reported_by_someone_within_a_day(emission: object) -> None:
    live = SimulatedUsage(world())
    metric, resource = emission.metric.type, emission.resource_type  # type: ignore[attr-defined]
    projects = {meter.project.id for meter, _ in world().uses(NOW_HOUR)}
    assert any(
        sum(each.minutes) > 0
        for hour in range(NOW_HOUR - 26, NOW_HOUR)
        for project in projects
        for each in live.samples(project, metric, resource, hour)
    )
    assert METRICS[metric].ingest_delay_seconds > 0


_EMITTED = {(each.metric.type, each.resource_type) for each in EMISSIONS}
REPORTED = [meter for meter in USAGE_TABLE if (meter.metric_type, meter.resource_type) in _EMITTED]


@pytest.mark.parametrize("meter", REPORTED, ids=lambda each: each.name)
def test_every_field_that_a_meter_groups_by_is_a_label_of_its_metric(meter: UsageMeter) -> None:
    live = SimulatedUsage(world())
    projects = sorted({each.project.id for each, _ in world().uses(NOW_HOUR)})
    found = next(
        each
        for hour in range(NOW_HOUR - 26, NOW_HOUR)
        for project in projects
        for each in live.samples(project, meter.metric_type, meter.resource_type, hour)
    )
    labels = {f"resource.label.{name}" for name in found.resource_labels}
    labels |= {f"metric.label.{name}" for name in found.metric_labels}
    fields = {meter.region, meter.resource, meter.revision, meter.dimension, meter.project_label} - {""}
    assert fields
    assert fields <= labels


def test_filters_of_other_forms_are_refused() -> None:
    assert conditions_of('metric.type = "a/b" AND metric.label.method = one_of("x", "y")') == (
        ("metric.type", frozenset({"a/b"})),
        ("metric.label.method", frozenset({"x", "y"})),
    )
    for text in ("", 'metric.type = "a" OR resource.type = "b"', 'metric.type : "a"', 'metric.type != "a"'):
        with pytest.raises(BadRequestError):
            conditions_of(text)
