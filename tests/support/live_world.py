"""A small past of the demo world, its Cloud Monitoring on a real socket, and a ledger that reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from exporter.core.meters import USAGE_TABLE
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.store import UsageLedger
from exporter.simulator.google.cloud_monitoring import CloudMonitoring, Faults, serving
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.simulator.google.world import World
from exporter.sources.base import RefreshContext, RefreshTally, Rejected, Unreadable, UsageBatch
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.monitoring.source import CloudMonitoringSource

NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SERVICES = ("northwind-prod", "northwind-assistant", "northwind-eu-prod")
RUN_METERS = tuple(meter for meter in USAGE_TABLE if meter.name.startswith("cloud_run_"))
REQUESTS = tuple(meter for meter in USAGE_TABLE if meter.name == "cloud_run_requests")


@cache
def world() -> World:
    return World.ending_at(NOW, past=timedelta(days=4), incident_lasts=timedelta(0))


@dataclass
class Clock:
    """Time that passes when a test says so; sleeping is the one way to tell it within the source."""

    now: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)


@dataclass
class Outcome:
    """What one refresh did."""

    meter: RefreshTally
    unread: list[Unreadable] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    batches: list[UsageBatch] = field(default_factory=list)


@dataclass
class Reader:
    """A source, the ledger it fills, and the server it asks."""

    service: CloudMonitoring
    endpoint: str
    clock: Clock
    ledger: Ledger
    folder: Path
    source: CloudMonitoringSource

    @property
    def usage(self) -> UsageLedger:
        return UsageLedger(self.ledger)

    def refresh(
        self, after: timedelta = timedelta(0), store: Callable[[int], bool] = lambda _n: True
    ) -> Outcome:
        """Let time pass and refresh. A batch that `store` refuses is lost, as if the process had died."""
        self.clock.now += after
        outcome = Outcome(RefreshTally())
        context = RefreshContext(
            known=self.usage.cursors(self.source.name),
            now=self.clock.now,
            latest_plausible=self.clock.now + timedelta(days=1),
            oldest_kept=self.clock.now - timedelta(days=300),
            spool=self.folder,
            tally=outcome.meter,
        )
        for change in self.source.refresh(context):
            if isinstance(change, Unreadable):
                outcome.unread.append(change)
                continue
            if store(len(outcome.batches)):
                self.usage.put(self.source.name, change.reads, change.points)
            outcome.batches.append(change)
            outcome.rejected += change.rejected
            change.points.unlink()
        return outcome

    def restart(self, **changes: Any) -> None:
        """Go on with a new source, which knows only what the ledger knows."""
        self.source = new_source(self.endpoint, self.clock, **changes)

    def hours(self, meter: str, since: datetime, until: datetime) -> dict[tuple[str, str, datetime], float]:
        """Usage by project, resource and hour."""
        sums: dict[tuple[str, str, datetime], float] = defaultdict(float)
        with self.usage.view() as view:
            for each in view.hourly(since, until, [meter]):
                sums[each.project_id, each.resource, each.hour] += each.amount
        return dict(sums)

    def counters(self, meter: str) -> dict[tuple[str, str], float]:
        """Counters by project and resource."""
        sums: dict[tuple[str, str], float] = defaultdict(float)
        with self.usage.view() as view:
            for each in view.totals(datetime(2026, 1, 1, tzinfo=UTC)):
                if each.meter == meter:
                    sums[each.project_id, each.resource] += each.total
        return dict(sums)


def new_source(endpoint: str, clock: Clock, **changes: Any) -> CloudMonitoringSource:
    settings: dict[str, Any] = {
        "project_ids": SERVICES,
        "meters": RUN_METERS,
        "reach": Reach(backfill=timedelta(hours=6)),
        "attempt_seconds": 10.0,
        **changes,
    }
    return CloudMonitoringSource(
        endpoint=endpoint,
        plaintext=True,
        sleep=clock.sleep,
        jitter=lambda: 0.0,
        monotonic=clock.monotonic,
        **settings,
    )


@contextmanager
def reading(
    folder: Path, *, faults: Faults | None = None, parallel_revisions: int = 1, **changes: Any
) -> Iterator[Reader]:
    """A reader of the world at NOW, with an empty ledger in memory."""
    clock = Clock()
    usage = SimulatedUsage(world(), parallel_revisions=parallel_revisions)
    service = CloudMonitoring(usage, clock, faults or Faults())
    ledger = Ledger(None)
    try:
        with serving(service) as endpoint:
            yield Reader(service, endpoint, clock, ledger, folder, new_source(endpoint, clock, **changes))
    finally:
        ledger.close()


def true_amounts(
    skus: tuple[str, ...], since: datetime, until: datetime
) -> dict[tuple[str, str, datetime], float]:
    """What the world used of some SKUs, by project, resource and whole hour, in pricing units."""
    found: dict[tuple[str, str, datetime], float] = defaultdict(float)
    hour = since
    while hour < until:
        for meter, use in world().uses(int(hour.timestamp()) // 3600):
            if meter.line.sku in skus and meter.project.id in SERVICES:
                name = meter.line.resource.partition("/")[2]
                found[meter.project.id, name, hour] += use.amount
        hour += HOUR
    return dict(found)
