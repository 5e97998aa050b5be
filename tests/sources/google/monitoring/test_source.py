"""The real client over a real socket: every point once, whatever service, network and process do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.errors import SourceError
from exporter.core.meters import USAGE_TABLE
from exporter.simulator.google.cloud_monitoring import Failure, Faults
from exporter.sources.google.monitoring.plan import Reach
from tests.support.live_world import (
    HOUR,
    MINUTE,
    NOW,
    REQUESTS,
    RUN_METERS,
    SERVICES,
    Reader,
    reading,
    true_amounts,
)

pytestmark = pytest.mark.slow

THIS_HOUR = NOW.replace(minute=0, second=0)
BEGAN = THIS_HOUR - 6 * HOUR
REACHED = timedelta(hours=24)
"""Longer than all that happens in a test: what lies further back is a gap."""
REQUEST_COUNT = "run.googleapis.com/request_count"


def failing(
    *failures: Failure, metric_type: str = REQUEST_COUNT, offset: int = 0
) -> Callable[[str, str, int], Failure | None]:
    """Fail the first calls for a metric and page, each in its way; then answer."""
    left = list(failures)

    def fail(_project: str, asked: str, first: int) -> Failure | None:
        return left.pop(0) if asked == metric_type and first == offset and left else None

    return fail


def requests_by_hour(reader: Reader) -> dict[tuple[str, str, datetime], float]:
    return reader.hours("cloud_run_requests", BEGAN, THIS_HOUR)


def test_usage_is_what_the_bill_will_be_made_of(tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        reader.refresh()
        for meter, skus, factor in (
            ("cloud_run_requests", ("run-requests",), 1.0),
            ("cloud_run_cpu_seconds", ("run-cpu", "run-cpu-2", "run-cpu-instance"), 1.0),
            ("cloud_run_memory_byte_seconds", ("run-ram", "run-ram-2", "run-ram-instance"), 2.0**30),
            ("cloud_run_job_cpu_seconds", ("run-jobs-cpu",), 1.0),
        ):
            expected = true_amounts(skus, BEGAN, THIS_HOUR)
            told = reader.hours(meter, BEGAN, THIS_HOUR)
            assert told == pytest.approx({key: value * factor for key, value in expected.items()}), meter


def test_pages_of_any_size_tell_the_same(tmp_path: Path) -> None:
    with (
        reading(tmp_path, meters=REQUESTS) as whole,
        reading(tmp_path, meters=REQUESTS, page_size=97) as paged,
    ):
        assert whole.refresh().meter.requests < paged.refresh().meter.requests
        assert requests_by_hour(whole) == requests_by_hour(paged) != {}
        assert whole.counters("cloud_run_requests") == paged.counters("cloud_run_requests")


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
    ],
)
def test_a_failure_in_the_middle_of_the_pages_loses_and_doubles_nothing(
    tmp_path: Path, code: grpc.StatusCode
) -> None:
    faults = Faults(fail=failing(Failure(code), Failure(code), offset=97 * 2))
    with reading(tmp_path, meters=REQUESTS, page_size=97, faults=faults) as reader:
        assert reader.refresh().unread == []
        assert len(reader.clock.slept) == 2
        assert requests_by_hour(reader) == true_amounts(("run-requests",), BEGAN, THIS_HOUR)


def test_a_refusal_that_says_when_to_come_back_is_obeyed(tmp_path: Path) -> None:
    refusal = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", retry_after_seconds=12.5)
    with reading(tmp_path, meters=REQUESTS, faults=Faults(fail=failing(refusal))) as reader:
        assert reader.refresh().unread == []
        assert reader.clock.slept == [12.5]


def test_a_refusal_for_longer_than_there_is_time_is_not_waited_for(tmp_path: Path) -> None:
    refusal = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", retry_after_seconds=3600)
    with reading(tmp_path, meters=REQUESTS, faults=Faults(fail=failing(refusal))) as reader:
        (unread,) = reader.refresh().unread
        assert unread.rejected.reason == "quota"
        assert reader.clock.slept == []


@pytest.mark.slow
def test_a_call_without_an_answer_is_given_up_in_time_and_the_other_metrics_are_read(tmp_path: Path) -> None:
    never = failing(*[Failure(grpc.StatusCode.DEADLINE_EXCEEDED)] * 1000)
    with reading(tmp_path, faults=Faults(fail=never), call_seconds=30.0) as reader:
        outcome = reader.refresh()
        assert {each.partition for each in outcome.unread} == {f"{p}/cloud_run_requests" for p in SERVICES}
        assert {each.rejected.reason for each in outcome.unread} == {"timeout"}
        assert reader.clock.monotonic() <= 30.0 * len(SERVICES)
        assert reader.hours("cloud_run_cpu_seconds", BEGAN, THIS_HOUR)
        reader.service.faults.fail = Faults().fail
        reader.refresh(MINUTE)
        assert requests_by_hour(reader) == true_amounts(("run-requests",), BEGAN, THIS_HOUR)


def test_one_project_that_denies_does_not_stop_the_others(tmp_path: Path) -> None:
    with reading(tmp_path, faults=Faults(denied_projects={"northwind-assistant"})) as reader:
        outcome = reader.refresh()
        (unread,) = outcome.unread
        assert unread.rejected.reason == "permission_denied"
        assert "roles/monitoring.viewer on the project northwind-assistant" in unread.rejected.detail
        assert {batch.reads[0].project_id for batch in outcome.batches} == {
            "northwind-prod",
            "northwind-eu-prod",
        }


def test_projects_that_all_deny_are_a_failed_refresh(tmp_path: Path) -> None:
    with (
        reading(tmp_path, faults=Faults(denied_projects=SERVICES)) as reader,
        pytest.raises(SourceError, match=r"roles/monitoring\.viewer"),
    ):
        reader.refresh()


def test_a_server_that_is_not_there_is_a_failed_refresh_that_ends_soon(tmp_path: Path) -> None:
    with socket.socket() as taken, reading(tmp_path) as reader:
        taken.bind(("127.0.0.1", 0))
        reader.endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        reader.restart(call_seconds=10.0)
        with pytest.raises(SourceError) as failed:
            reader.refresh()
        assert failed.value.reason == "unavailable"
        assert reader.clock.monotonic() <= 10.0


def test_a_metric_that_does_not_exist_is_reported_once(tmp_path: Path) -> None:
    missing = "run.googleapis.com/container/startup_latencies"
    with reading(tmp_path, faults=Faults(missing_metrics={missing})) as reader:
        first = reader.refresh()
        assert [each.reason for each in first.rejected] == ["unknown_metric"] * len(SERVICES)
        assert missing in first.rejected[0].detail
        assert reader.refresh(MINUTE).rejected == []
        assert requests_by_hour(reader)


def test_projects_with_none_of_the_metrics_are_reported_and_are_no_trouble(tmp_path: Path) -> None:
    missing = {meter.metric_type for meter in RUN_METERS}
    with reading(tmp_path, faults=Faults(missing_metrics=missing)) as reader:
        first = reader.refresh()
        assert first.batches == []
        assert {(each.partition, each.rejected.reason) for each in first.unread} == {
            (project, "unknown_metric") for project in SERVICES
        }
        assert reader.refresh(MINUTE).unread == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_points_out_of_order_and_twice_count_once(tmp_path: Path) -> None:
    faults = Faults(disorder=True, repeat=True)
    with reading(tmp_path, meters=REQUESTS, faults=faults, page_size=101) as reader:
        reader.refresh()
        reader.refresh(MINUTE)
        assert requests_by_hour(reader) == true_amounts(("run-requests",), BEGAN, THIS_HOUR)


@pytest.mark.slow
def test_late_points_are_counted_when_they_arrive(tmp_path: Path) -> None:
    faults = Faults(late_share=0.4, late_seconds=40 * 60)
    with reading(tmp_path, meters=REQUESTS, faults=faults) as reader:
        reader.refresh()
        early = reader.counters("cloud_run_requests")
        for _ in range(5):
            reader.refresh(20 * MINUTE)
        expected = true_amounts(("run-requests",), BEGAN, THIS_HOUR + HOUR)
        told = reader.hours("cloud_run_requests", BEGAN, THIS_HOUR + HOUR)
        assert told == expected
        assert all(early[key] < value for key, value in reader.counters("cloud_run_requests").items())


def test_nothing_is_asked_when_nothing_can_have_changed(tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        reader.refresh()
        asked = reader.service.calls
        assert reader.refresh(timedelta(seconds=20)).batches == []
        assert reader.service.calls == asked


def test_an_outage_longer_than_reading_reaches_back_is_reported_as_a_gap_once(tmp_path: Path) -> None:
    with reading(tmp_path, meters=REQUESTS) as reader:
        reader.refresh()
        gaps = [each for each in reader.refresh(9 * HOUR).rejected if each.reason == "usage_gap"]
        assert [each.place for each in gaps] == [f"{project}/cloud_run_requests" for project in SERVICES]
        assert "2026-11-20 16:34" in gaps[0].detail
        assert reader.refresh(MINUTE).rejected == []


def test_a_hole_in_what_is_always_sampled_is_reported_as_a_gap(tmp_path: Path) -> None:
    steady = tuple(meter for meter in USAGE_TABLE if meter.name == "cloud_sql_cpu_seconds")
    with reading(tmp_path, meters=steady, project_ids=["northwind-prod"]) as reader:
        assert reader.refresh().rejected == []
        unseen = reader.service._visible_at
        hidden = range(int(THIS_HOUR.timestamp()) // 60 + 5, int(THIS_HOUR.timestamp()) // 60 + 15)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                type(reader.service),
                "_visible_at",
                lambda _self, now: lambda *asked: [at for at in unseen(now)(*asked) if at not in hidden],
            )
            (gap,) = reader.refresh(5 * MINUTE).rejected
            assert (gap.reason, gap.place) == ("usage_gap", "northwind-prod/cloud_sql_cpu_seconds")
            assert "from 2026-11-20 16:05 to 2026-11-20 16:15" in gap.detail
            assert reader.refresh(5 * MINUTE).rejected == []


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 150),
            st.sampled_from(["go on", "restart", "die", "fail", "by service", "by revision"]),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_no_point_is_lost_or_doubled_whatever_happens_between_refreshes(
    tmp_path: Path, steps: list[tuple[int, str]]
) -> None:
    faults = Faults(late_share=0.2, late_seconds=10 * 60)
    settled: dict[str, Any] = {"meters": REQUESTS, "page_size": 211, "reach": Reach(backfill=REACHED)}
    with reading(tmp_path, faults=faults, **settled) as reader:
        reader.refresh()
        before = reader.counters("cloud_run_requests")
        for minutes, event in steps:
            faults.fail = failing(
                *[Failure(grpc.StatusCode.UNAVAILABLE)] * 500 * (event == "fail"), offset=211
            )
            if event in ("restart", "die"):
                reader.restart(**settled)
            elif event.startswith("by "):
                reader.restart(**settled, by_revision=event == "by revision")
            with suppress(SourceError):
                reader.refresh(minutes * MINUTE, store=lambda n, dies=event == "die": not (dies and n == 1))
            after = reader.counters("cloud_run_requests")
            assert all(after[key] >= value for key, value in before.items())
            before = after
        faults.fail = Faults().fail
        reader.refresh(2 * HOUR)
        end = reader.clock.now.replace(minute=0, second=0) - HOUR
        assert reader.hours("cloud_run_requests", BEGAN, end) == true_amounts(("run-requests",), BEGAN, end)
        held = reader.hours("cloud_run_requests", NOW - 2 * REACHED, end + 9 * HOUR)
        in_hours: dict[tuple[str, str], float] = {}
        for (project, name, _), amount in held.items():
            in_hours[project, name] = in_hours.get((project, name), 0.0) + amount
        assert reader.counters("cloud_run_requests") == in_hours


@pytest.mark.slow
def test_series_returned_grow_with_services_and_metrics_not_with_revisions(tmp_path: Path) -> None:
    with reading(tmp_path) as few, reading(tmp_path, parallel_revisions=30) as many:
        few.refresh()
        many.refresh()
        # The hour in which revisions turned out to be too many is still read by them.
        few_series = [few.refresh(HOUR).meter.series_returned for _ in range(3)][-1]
        many_series = [many.refresh(HOUR).meter.series_returned for _ in range(3)][-1]
        assert many_series <= few_series
        services = len(few.counters("cloud_run_cpu_seconds"))
        classes = 2
        assert few_series <= services * (len(RUN_METERS) + classes) * 2
        assert many.hours("cloud_run_requests", BEGAN, THIS_HOUR) == requests_by_hour(few)


@pytest.mark.slow
def test_revisions_can_be_switched_off(tmp_path: Path) -> None:
    with reading(tmp_path, parallel_revisions=30, by_revision=False) as reader:
        outcome = reader.refresh()
        assert outcome.meter.series_returned == reader.service.series_returned < 150
        with reader.usage.view() as view:
            assert {each.revision for each in view.totals(BEGAN)} == {""}


def test_a_first_run_reads_old_hours_by_the_hour_and_the_last_ones_by_the_minute(tmp_path: Path) -> None:
    with reading(tmp_path, meters=REQUESTS, reach=Reach(backfill=timedelta(days=3))) as reader:
        outcome = reader.refresh()
        series = reader.service.series_returned
        assert sum(batch.rows for batch in outcome.batches) < series * (3 * 24 + 3 * 60)
        assert requests_by_hour(reader) == true_amounts(("run-requests",), BEGAN, THIS_HOUR)


@pytest.mark.slow
def test_a_month_of_reading_is_predicted_from_what_was_read(tmp_path: Path) -> None:
    with reading(tmp_path, meters=REQUESTS) as reader:
        reader.refresh()
        hour = sum(reader.refresh(10 * MINUTE).meter.series_returned for _ in range(6))
        predicted = reader.source.series_per_month(10 * MINUTE)
        assert predicted == pytest.approx(hour * 24 * 30.4375, rel=0.25)
