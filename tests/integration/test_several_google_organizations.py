"""Live usage of two organizations, each by a Cloud Monitoring of its own on a socket, in one exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator.google.cloud_monitoring import CloudMonitoring, Faults, serving
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.sources.base import Source
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from tests.integration.google_organizations import exposed
from tests.support.exposed import Samples, by
from tests.support.live_world import NOW, REQUESTS, SERVICES, world

pytestmark = pytest.mark.integration

HERE, THERE = SERVICES[:2]
TOTAL = "spend_cloud_run_requests_total"


class Estate:
    """Two organizations' Cloud Monitoring, and a ledger that stays from one exporter to the next."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.faults = [Faults(), Faults()]
        self.endpoints = [
            stack.enter_context(serving(CloudMonitoring(SimulatedUsage(world()), lambda: NOW, faults)))
            for faults in self.faults
        ]

    def exposed(self, **gcp: Any) -> Samples:
        gcp = {"recommendations": {"enabled": False}, "billing_export": {"files": ["none/*.csv"]}, **gcp}
        shown, self.errors = exposed(gcp, self.folder, self._connect, NOW)
        return shown

    def _connect(self, source: Source) -> None:
        if isinstance(source, CloudMonitoringSource):
            source.endpoint = self.endpoints["/" in source.name]
            source.plaintext, source.meters = True, REQUESTS
            source.reach = Reach(backfill=timedelta(hours=6))
            source.sleep = lambda _seconds: None


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        yield Estate(tmp_path, stack)


def requests(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown.get(TOTAL, {}), "project_id")


def up(shown: Samples) -> dict[tuple[str, ...], float]:
    return {name: each for name, each in by(shown["spend_source_up"], "source").items() if name != ("files",)}


def test_a_project_that_moves_to_an_organization_of_its_own_is_counted_once_and_goes_on(
    estate: Estate,
) -> None:
    together = estate.exposed(project_ids=[HERE, THERE])
    assert requests(together).keys() == {(HERE,), (THERE,)}
    apart = estate.exposed(project_ids=[HERE], organizations={"name": "there", "project_ids": [THERE]})
    assert requests(apart) == requests(together)
    assert up(apart) == {("cloud_monitoring",): 1.0, ("cloud_monitoring/there",): 1.0}
    renamed = estate.exposed(project_ids=[HERE], organizations={"name": "other", "project_ids": [THERE]})
    assert requests(renamed) == requests(together)
    assert requests(estate.exposed(project_ids=[HERE, THERE])) == requests(together)


def test_an_organization_that_denies_costs_the_others_nothing_and_the_error_names_its_own_key(
    estate: Estate,
) -> None:
    organizations = {"name": "there", "project_ids": [THERE]}
    estate.faults[1].denied_projects = {THERE}
    shown = estate.exposed(project_ids=[HERE], organizations=organizations)
    assert requests(shown).keys() == {(HERE,)}
    assert up(shown) == {("cloud_monitoring",): 1.0, ("cloud_monitoring/there",): 0.0}
    assert "gcp.organizations.project_ids" in estate.errors["cloud_monitoring/there"]
