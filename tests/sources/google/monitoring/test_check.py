"""What `check` says of Cloud Monitoring: projects that answer, deny or use nothing, and a month's price."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.simulator.google.cloud_monitoring import Faults
from exporter.sources.base import Finding, RefreshContext, RefreshTally
from exporter.sources.google.monitoring.costs import reading_usd_per_month
from tests.support.live_world import NOW, RUN_METERS, SERVICES, reading


def found(folder: Path, faults: Faults) -> list[Finding]:
    context = RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + timedelta(days=1),
        oldest_kept=NOW - timedelta(days=300),
        spool=folder,
        tally=RefreshTally(),
    )
    with reading(folder, faults=faults) as reader:
        return list(reader.source.check(context))


@pytest.mark.slow
def test_a_project_that_denies_is_trouble_and_names_the_role(tmp_path: Path) -> None:
    *projects, month = found(tmp_path, Faults(denied_projects={SERVICES[1]}))
    assert {each.what: each.ok for each in projects} == {each: each != SERVICES[1] for each in SERVICES}
    assert "roles/monitoring.viewer" in next(each.detail for each in projects if not each.ok)
    assert month.what == "a month"
    assert "time series at a refresh every 2 minutes" in month.detail


def test_projects_that_use_none_of_it_are_a_warning_and_no_trouble(tmp_path: Path) -> None:
    findings = found(tmp_path, Faults(missing_metrics={meter.metric_type for meter in RUN_METERS}))
    assert all(each.ok and each.warning for each in findings)
    assert findings[-1].detail == "no project has any live usage"


def test_when_nothing_can_be_read_that_is_the_finding(tmp_path: Path) -> None:
    last = found(tmp_path, Faults(denied_projects=SERVICES))[-1]
    assert (last.ok, last.what) == (False, "reading")
    assert "permission" in last.detail.lower()


def test_a_million_series_a_month_are_free_and_the_next_costs_fifty_cents() -> None:
    assert reading_usd_per_month(999_999) == 0.0
    assert reading_usd_per_month(2_000_000) == pytest.approx(0.50)
