"""Refreshing in the background: reads what changed at each source, stores it, and has a snapshot built.

Every source has its own thread, schedule and health, so that one that fails or hangs never affects others.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from exporter.core.in_parallel import results_of
from exporter.history.log import HistoryLog
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.withheld import WithheldRetractions
from exporter.metrics.collect import SnapshotCollector
from exporter.metrics.counters import ZERO_FOR
from exporter.metrics.families import FamilySamples
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.snapshot import Snapshot
from exporter.metrics.unusual_cost import Explain, explain_nothing
from exporter.refresh.builder import SnapshotBuilder
from exporter.refresh.building_loop import BuildingLoop
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.estimation_loop import EstimationLoop
from exporter.refresh.guard import RetractionRules
from exporter.refresh.health import Health
from exporter.refresh.lasting import lasting
from exporter.refresh.ledger_keeper import LedgerKeeper
from exporter.refresh.source_loop import SourceLoop
from exporter.refresh.source_refresh import SourceRefresh
from exporter.refresh.storage_health import StorageHealth
from exporter.refresh.timing import Wait
from exporter.refresh.turns import Turn, turns_of
from exporter.refresh.unit_counting import UnitCounting
from exporter.sources.base import Source, billing_zones
from exporter.sources.prometheus_units import UnitCounts
from exporter.sources.registry import HOURLY_BILLS

_COUNT_UNITS_EVERY = timedelta(minutes=15)
"""They are yesterday's numbers; read again because Prometheus may have been down or late."""


class Refresher:
    """Keeps the snapshot current. `snapshot` may be read at any time from any thread, without waiting."""

    def __init__(
        self,
        sources: Sequence[Source],
        ledger: Ledger,
        spool: Path,
        *,
        interval: timedelta,
        refresh_seconds: float = math.inf,
        keep: timedelta,
        max_series: int,
        settings: FigureSettings = FigureSettings(),  # noqa: B008 - frozen
        provider_budgets: Callable[[], Sequence[Budget]] = tuple,
        explain: Explain = explain_nothing,
        more_families: Callable[[], Sequence[FamilySamples]] = tuple,
        units: UnitCounts | None = None,
        log: HistoryLog | None = None,
        history_sender: HistorySender | None = None,
        estimator: Estimator | None = None,
        zero_for: timedelta = ZERO_FOR,
        retractions: RetractionRules = RetractionRules(),  # noqa: B008 - frozen
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        wait: Wait = threading.Event.wait,
    ) -> None:
        """`spool` is an existing folder of this process's own; `keep` is how long usage is kept.

        `interval` is for sources without their own, `refresh_seconds` for each refresh; `provider_budgets`
        returns budgets that sources read; `explain` says why services rose, for alerts; `more_families` are
        metrics of others; `zero_for` is how long, once started, counters that begin are exposed as zero.
        """
        self._sources = list(sources)
        self._history_sender = history_sender
        self._stopping = threading.Event()
        self._refresh = SourceRefresh(
            ledger,
            spool,
            sources,
            keep=keep,
            clock=clock,
            retractions=retractions,
            stopping=self._stopping,
            changed=self.wake,
        )
        whole = self._refresh.read_whole()
        self._healths = {
            source.name: Health(
                source,
                clock,
                interval=source.update_interval or interval,
                refresh_seconds=refresh_seconds,
                monotonic=monotonic,
                read_whole=source.name in whole,
            )
            for source in sources
        }
        self._estimator = estimator or Estimator(ledger, sources, spool)
        self._builder = SnapshotBuilder(
            ledger,
            SnapshotCollector(ledger, sources, settings, provider_budgets=provider_budgets, explain=explain),
            lambda: [health.status for health in self._healths.values()],
            StorageHealth(
                ledger,
                self._estimator,
                log,
                lambda: [health.status.failed_with for health in self._healths.values()],
            ),
            max_series=max_series,
            units=None if units is None else UnitCounting(ledger, units, keep),
            more_families=more_families,
            history_sender=history_sender,
            clock=clock,
        )
        self._zero_for = zero_for
        self._keeper = LedgerKeeper(
            ledger, self._healths, clock, self._builder.keep_until_read, self._wake_all
        )
        self._counts_units = units is not None
        self._estimating = EstimationLoop(self._estimator, self._builder, self._healths, clock, self.wake)
        self._building = BuildingLoop(
            self._builder,
            self._estimator,
            self._healths,
            log,
            clock=clock,
            wait=wait,
            stopping=self._stopping,
        )
        chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        withheld = WithheldRetractions(ledger.path)
        self._loops = {
            source.name: SourceLoop(
                self._healths[source.name],
                partial(self.refresh, source),
                withheld=withheld,
                interval=source.update_interval or interval,
                chance=chance,
                wait=wait,
                stopping=self._stopping,
            )
            for source in sources
        }
        self._threads: list[threading.Thread] = []

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot."""
        return self._builder.snapshot

    def show_first(self, show: Callable[[Snapshot], None]) -> None:
        """Have `show` get each snapshot before `snapshot` is it; it must return soon and not fail."""
        self._builder.before_showing = show

    @property
    def timezones(self) -> Mapping[str, str]:
        """Billing zone of each provider whose bill is read and has the hour of each cost."""
        return {name: zone for name, zone in billing_zones(self._sources).items() if name in HOURLY_BILLS}

    def start(self) -> None:
        """Show the data of the ledger, then refresh every source now and at its interval, until `stop`."""
        self._builder.counters.show_zero_first(self._zero_for)
        self._builder.rebuild(estimated=(), estimates_pending=True)
        self.wake()
        jobs: list[tuple[str, Callable[[], None]]] = [
            ("snapshot-builder", self._building.run),
            ("estimator", self._estimating.run),
            ("ledger-keeper", self._keeper.run),
        ]
        if self._counts_units:
            jobs.append(("business-units", self._keep_counting_units))
        if (sender := self._history_sender) is not None:
            jobs.append(("remote-write", lambda: sender.run(self.wake)))
        jobs += [(f"refresh-{name}", loop.run) for name, loop in self._loops.items()]
        self._threads = [
            threading.Thread(target=lasting(name, job, self._stopping), name=name, daemon=True)
            for name, job in jobs
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Build a new snapshot soon. Any thread may call it."""
        self._building.wake()

    def stop(self, timeout_seconds: float = 10.0) -> bool:
        """Stop the threads and return whether all have ended; a running refresh stops after its partition."""
        self._stopping.set()
        self._wake_all()
        self._keeper.stop()
        self._estimating.stop()
        if self._history_sender is not None:
            self._history_sender.stop()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def refresh_all(self, *, as_of: datetime | None = None, known_now: bool = False) -> Snapshot:
        """Refresh every source once, all at the same time, and return the snapshot that follows.

        With `as_of`, a whole hour, the snapshot is what was known then; with `known_now` as well, it is what
        is known now of the usage before that hour.
        """
        self.refresh_each()
        if as_of is None:
            self.count_units()
        self._builder.rebuild(as_of=as_of, known_now=known_now)
        return self.snapshot

    def refresh_each(self) -> tuple[str, ...]:
        """Refresh every source once, all at the same time, and return the names of those that failed.

        Of two that read the same account, the one configured first has it.
        """
        turns = turns_of([source.name for source in self._sources])
        succeeded = results_of(self._sources, lambda source: self.refresh(source, turns[source.name]))
        return tuple(source.name for source, well in zip(self._sources, succeeded, strict=True) if not well)

    def refresh(self, source: Source, turn: Turn | None = None) -> bool:
        """Refresh one source now, as SourceRefresh.run."""
        succeeded = self._refresh.run(source, self._healths[source.name], turn)
        self.wake()
        self._estimating.soon()
        return succeeded

    @contextmanager
    def state(self) -> Iterator[tuple[LedgerView, UsageView | None]]:
        """Yield one consistent state of the bill, and of live usage where a source reads it.

        Raises LedgerError.
        """
        with self._builder.state() as state:
            yield state

    def rebuild(self, *, as_of: datetime | None = None, estimated: Sequence[Outlook] | None = None) -> None:
        """Build a new snapshot, as SnapshotBuilder.rebuild."""
        self._builder.rebuild(as_of=as_of, estimated=estimated)

    def grade(self) -> None:
        """Grade past nowcasts by the bill, which takes a while, and show the grades from then on."""
        self._builder.grade(self.timezones)
        self.wake()

    def count_units(self) -> None:
        """Read yesterday's numbers of the user's units, and show their costs from then on."""
        self._builder.count_units()
        self.wake()

    def _keep_counting_units(self) -> None:
        while not self._stopping.is_set():
            self.count_units()
            self._stopping.wait(_COUNT_UNITS_EVERY.total_seconds())

    def _wake_all(self) -> None:
        for loop in self._loops.values():
            loop.wake()
        self.wake()
