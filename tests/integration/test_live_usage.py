"""Bill and live usage together: a world's export in files, and its Cloud Monitoring over a real socket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.cloud_monitoring import CloudMonitoring, Faults, serving
from exporter.simulator.google.live_metrics import METRICS
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.simulator.google.world import World
from exporter.sources.base import RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from tests.support.exposed import Samples, by, samples
from tests.support.live_world import RUN_METERS, SERVICES

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ENDED = datetime(2026, 11, 20, 16, tzinfo=UTC)
"""End of the last hour that is known in full."""
NOW = ENDED + timedelta(seconds=METRICS["run.googleapis.com/request_count"].ingest_delay_seconds)
REACHED = 9 * DAY
REQUESTS = "spend_cloud_run_requests_total"
DOLLARS = "spend_cloud_run_estimated_usd_total"


@dataclass
class Company:
    """A world, its export on disk, and what Cloud Monitoring says of it at the time of the clock."""

    world: World
    export: Path
    now: datetime = NOW
    faults: Faults = field(default_factory=Faults)

    def true_requests(self, since: datetime, until: datetime) -> dict[tuple[str, ...], float]:
        """By project and service."""
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for hour in range(int(since.timestamp()) // 3600, int(until.timestamp()) // 3600):
            for meter, use in self.world.uses(hour):
                if meter.line.sku == "run-requests" and meter.project.id in SERVICES:
                    found[meter.project.id, meter.line.resource.partition("/")[2]] += use.amount
        return {key: amount for key, amount in found.items() if amount}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    folder = tmp_path_factory.mktemp("export")
    world = World.ending_at(NOW, past=12 * DAY, incident_lasts=timedelta(0))
    write_export(world, folder, NOW)
    return world, folder


@pytest.fixture
def company(export: tuple[World, Path]) -> Company:
    return Company(*export)


@contextmanager
def running(company: Company, folder: Path, **changes: Any) -> Iterator[Callable[[], Samples]]:
    """One process's life: what it gives refreshes everything and returns what is then exposed."""
    ledger = Ledger(folder / "spend.duckdb")
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    service = CloudMonitoring(SimulatedUsage(company.world), lambda: company.now, company.faults)
    try:
        with serving(service) as endpoint:
            refresher = Refresher(
                [FilesSource([str(company.export / "*.parquet")]), monitoring(endpoint, **changes)],
                ledger,
                spool,
                interval=HOUR,
                keep=400 * DAY,
                max_series=50_000,
                clock=lambda: company.now,
            )
            yield lambda: samples(refresher.refresh_all().exposition.text)
            assert list(spool.iterdir()) == []
    finally:
        ledger.close()


def monitoring(endpoint: str, **changes: Any) -> CloudMonitoringSource:
    settings: dict[str, Any] = {
        "meters": RUN_METERS,
        "reach": Reach(backfill=REACHED),
        # Revisions that are long gone are not shown, and their requests would be missing from the sum.
        "by_revision": False,
        **changes,
    }
    return CloudMonitoringSource(SERVICES, endpoint=endpoint, plaintext=True, **settings)


def requests(found: Samples) -> dict[tuple[str, ...], float]:
    return by(found[REQUESTS], "project_id", "run_service")


def test_requests_are_the_worlds_own_and_the_estimate_meets_the_bill(
    company: Company, tmp_path: Path
) -> None:
    with running(company, tmp_path) as refresh:
        found = refresh()
    assert requests(found) == company.true_requests(ENDED - REACHED, ENDED)
    assert len(found[REQUESTS]) > 5
    ratio = by(found["spend_estimate_to_billed_ratio"], "provider", "service_name")["gcp", "Cloud Run"]
    assert ratio == pytest.approx(1.0, abs=0.02)
    assert {dict(labels)["basis"] for labels in found["spend_cloud_run_rate_usd"]} >= {"billed"}
    assert all(value > 0 for value in found["spend_cloud_run_cost_per_request_usd"].values())
    assert set(by(found["spend_source_up"], "source").values()) == {1.0}
    assert found["spend_monitoring_series_returned_total"][()] > 0


def test_one_project_of_three_that_denies_is_counted_and_the_others_are_reported(
    company: Company, tmp_path: Path
) -> None:
    company.faults.denied_projects = {SERVICES[0]}
    with running(company, tmp_path, reach=Reach(backfill=DAY)) as refresh:
        found = refresh()
        errors = by(found["spend_source_errors_total"], "source", "reason")
        assert errors == {("cloud_monitoring", "permission_denied"): 1.0}
        assert by(refresh()["spend_source_errors_total"], "reason") == {("permission_denied",): 2.0}
    assert requests(found) == {
        key: amount
        for key, amount in company.true_requests(ENDED - DAY, ENDED).items()
        if key[0] != SERVICES[0]
    }
    assert by(found["spend_source_up"], "source")["cloud_monitoring",] == 1.0


def test_counters_go_on_after_a_restart(company: Company, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"reach": Reach(backfill=DAY), "by_revision": True}
    with running(company, tmp_path, **settings) as refresh:
        first = refresh()
    company.now += 90 * timedelta(minutes=1)
    with running(company, tmp_path, **settings) as refresh:
        between = refresh()
    company.now = NOW + 3 * HOUR
    with running(company, tmp_path, **settings) as refresh:
        last = refresh()
    for before, after in ((first, between), (between, last)):
        for name in (REQUESTS, DOLLARS):
            assert all(after[name][labels] >= value for labels, value in before[name].items())
            assert sum(after[name].values()) > sum(before[name].values())
    assert requests(first) == company.true_requests(ENDED - DAY, ENDED)
    assert requests(last) == company.true_requests(ENDED - DAY, ENDED + 3 * HOUR)


def test_check_finds_the_projects_and_says_what_a_month_of_reading_returns(
    company: Company, tmp_path: Path
) -> None:
    company.faults.denied_projects = {SERVICES[2]}
    context = RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + DAY,
        oldest_kept=NOW - 400 * DAY,
        spool=tmp_path,
        tally=RefreshTally(),
    )
    with serving(CloudMonitoring(SimulatedUsage(company.world), lambda: NOW, company.faults)) as endpoint:
        source = monitoring(endpoint, reach=Reach(backfill=DAY))
        *projects, month = source.check(context)
    assert [(each.what, each.ok) for each in projects] == [
        (SERVICES[0], True),
        (SERVICES[1], True),
        (SERVICES[2], False),
    ]
    assert "roles/monitoring.viewer" in projects[2].detail
    predicted = source.series_per_month(source.update_interval)
    assert predicted > 10_000
    assert (month.ok, month.what) == (True, "a month")
    assert f"about {predicted:,.0f} time series at a refresh every 2 minutes" in month.detail
    assert list(tmp_path.iterdir()) == []
