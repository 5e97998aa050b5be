"""Refreshing in the background: reads what changed at each source, stores it, and has a snapshot built.

Every source has its own thread, schedule and health, so that one that fails or hangs never affects others.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from exporter.core.disk_space import DISK_FULL
from exporter.core.errors import SourceError, WithheldError
from exporter.history.log import HistoryLog
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.opening import LedgerError
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.withheld import WithheldRetractions
from exporter.metrics.collect import FigureSettings, SnapshotCollector
from exporter.metrics.counters import ZERO_FOR
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.nowcast import Outlook
from exporter.metrics.snapshot import Snapshot
from exporter.metrics.unusual_cost import Explain, explain_nothing
from exporter.refresh.accounts import Accounts
from exporter.refresh.builder import SnapshotBuilder
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.estimation_loop import EstimationLoop
from exporter.refresh.freed_memory import give_back_freed_memory
from exporter.refresh.guard import RetractionRules
from exporter.refresh.health import Health
from exporter.refresh.intake import Intake
from exporter.refresh.ledger_keeper import LedgerKeeper
from exporter.refresh.storage_health import StorageHealth
from exporter.refresh.timing import QUARTER, Progress, quarter, use_text, wait_seconds
from exporter.refresh.unit_counting import UnitCounting
from exporter.sources.base import (
    Doubtful,
    Hidden,
    RefreshContext,
    RefreshTally,
    Source,
    Unreadable,
    billing_zones,
    with_own_keys,
)
from exporter.sources.prometheus_units import UnitCounts
from exporter.sources.registry import HOURLY_BILLS

logger = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 15.0
"""The builder checks the clock at least this often, so that it notices a clock that jumps."""

_SHOW_PROGRESS_SECONDS = 10.0
"""How often a long refresh shows what has arrived so far."""

_LOOK_FOR_ACCEPTANCE_SECONDS = 3.0
"""How soon the exporter takes up what a person has accepted."""

_COUNT_UNITS_EVERY = timedelta(minutes=15)
"""They are yesterday's numbers; read again because Prometheus may have been down or late."""

Wait = Callable[[threading.Event, float], bool]
"""Waits until the event is set, for at most this many seconds; returns whether it is."""


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
        self._interval = interval
        self._log = log
        self._history_sender = history_sender
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        self._wait = wait
        self._intake = Intake(ledger, spool, keep, clock, retractions, sources=sources)
        self._accounts = Accounts(ledger, sources)
        self._withheld = WithheldRetractions(ledger.path)
        self._first_reads = FirstReads(ledger)
        whole = self._first_reads.whole()
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
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._wake = {source.name: threading.Event() for source in sources}
        """Set where a source is to be refreshed before its time."""
        self._estimating = EstimationLoop(
            self._estimator, self._builder, self._healths, clock, self._changed.set
        )
        self._threads: list[threading.Thread] = []
        self._late: set[str] = set()
        """Sources whose refresh should have ended, as the last snapshot shows."""

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
        self._changed.set()
        jobs: list[tuple[str, Callable[[], None]]] = [
            ("snapshot-builder", self._keep_building),
            ("estimator", self._estimating.run),
            ("ledger-keeper", self._keeper.run),
        ]
        if self._counts_units:
            jobs.append(("business-units", self._keep_counting_units))
        if (sender := self._history_sender) is not None:
            jobs.append(("remote-write", lambda: sender.run(self._changed.set)))
        jobs += [
            (f"refresh-{source.name}", lambda source=source: self._keep_refreshing(source))  # type: ignore[misc]
            for source in self._sources
        ]
        self._threads = [threading.Thread(target=job, name=name, daemon=True) for name, job in jobs]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Build a new snapshot soon. Any thread may call it."""
        self._changed.set()

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
        """Refresh every source once, one after the other, and return the snapshot that follows.

        With `as_of`, a whole hour, the snapshot is what was known then; with `known_now` as well, it is what
        is known now of the usage before that hour.
        """
        for source in self._sources:
            self.refresh(source)
        if as_of is None:
            self.count_units()
        self._builder.rebuild(as_of=as_of, known_now=known_now)
        return self.snapshot

    def refresh(self, source: Source) -> bool:
        """Refresh one source now and return whether it succeeded; every outcome is in its status."""
        started = shown = time.monotonic()
        health = self._healths[source.name]
        rows_before = health.status.rows
        tally = RefreshTally(progress=Progress(source.name))
        failure: tuple[str, str] | None = None
        withheld: Decimal | None = None
        first, begun = not health.status.read_whole, False
        health.began()
        try:
            context = self._context(source, tally, health)
            if self._accounts.settle(source, context):
                context = self._context(source, tally, health)
            with self._intake.receiving(source, context) as receiver:
                for change in source.refresh(context):
                    if first and not begun:
                        self._first_reads.begin(source.name)
                        begun = True
                    if isinstance(change, Unreadable):
                        failure = _noted(source, change, health) or failure
                    else:
                        health.stored(*receiver.take(change))
                    if time.monotonic() - shown > _SHOW_PROGRESS_SECONDS:
                        shown = time.monotonic()
                        self._changed.set()
            if first and not failure and not self._stopping.is_set() and not health.forgotten:
                self._first_reads.end(source.name)
            self._intake.forget_old()
        except (SourceError, LedgerError) as error:
            failure = (error.reason, with_own_keys(source, str(error)))
            withheld = error.usd if isinstance(error, WithheldError) else withheld
        except Exception as error:
            logger.exception("%s: unexpected failure", source.name)
            failure = ("unexpected", f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        rows = health.status.rows - rows_before
        if not failure:
            logger.info("%s: %d rows read in %.1f s%s", source.name, rows, seconds, use_text(tally))
        health.ended(tally, seconds, failure, withheld)
        self._changed.set()
        self._estimating.soon()
        return failure is None

    def _context(self, source: Source, tally: RefreshTally, health: Health) -> RefreshContext:
        return self._intake.context(source, tally, self._stopping.is_set, lambda: health.seconds_left)

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
        self._changed.set()

    def count_units(self) -> None:
        """Read yesterday's numbers of the user's units, and show their costs from then on."""
        self._builder.count_units()
        self._changed.set()

    def _keep_counting_units(self) -> None:
        while not self._stopping.is_set():
            self.count_units()
            self._stopping.wait(_COUNT_UNITS_EVERY.total_seconds())

    def _keep_refreshing(self, source: Source) -> None:
        failures, wake = 0, self._wake[source.name]
        while not self._stopping.is_set():
            failures = 0 if self.refresh(source) else failures + 1
            interval = source.update_interval or self._interval
            full = self._healths[source.name].status.failed_with == DISK_FULL
            self._await_turn(source, wake, wait_seconds(failures, interval, self._chance, disk_full=full))
            if not self._stopping.is_set():
                wake.clear()

    def _await_turn(self, source: Source, wake: threading.Event, seconds: float) -> None:
        """Wait for the next refresh; while something is withheld no longer than until it is accepted."""
        while (
            self._healths[source.name].status.withheld_usd is not None
            and seconds > _LOOK_FOR_ACCEPTANCE_SECONDS
        ):
            if self._wait(wake, _LOOK_FOR_ACCEPTANCE_SECONDS):
                return
            if self._withheld.accepted(source.name) is not None:
                return
            seconds -= _LOOK_FOR_ACCEPTANCE_SECONDS
        self._wait(wake, seconds)

    def _wake_all(self) -> None:
        for wake in (*self._wake.values(), self._changed):
            wake.set()

    def _keep_building(self) -> None:
        """Rebuild when something changed or a counter has been zero long enough, and at each quarter hour.

        Billing days may end at quarter hours.
        """
        while not self._stopping.is_set():
            now = self._clock()
            until_next = (quarter(now) + QUARTER - now).total_seconds()
            self._wait(self._changed, min(until_next, _LONGEST_WAIT_SECONDS))
            now = self._clock()
            due = self._builder.counters.due(now) or quarter(now) != quarter(self.snapshot.built_at)
            due |= self._found_late()
            if self._changed.is_set() or due:
                self._changed.clear()
                holding = self._estimator.holding(self._clock())
                pending = not self._estimator.outcomes or len(holding) < len(self._estimator.outlooks)
                self._builder.rebuild(estimated=holding, estimates_pending=pending)
                # A line without estimates would say that there are none: wait until they have been tried.
                if self._log is not None and self._estimator.outcomes:
                    self._log.keep(self.snapshot, self._clock())
                give_back_freed_memory()

    def _found_late(self) -> bool:
        """Log refreshes that should have ended, and return whether there is a new one."""
        late = {name for name, health in self._healths.items() if health.late}
        new = late - self._late
        for name in sorted(new):
            logger.error("%s: %s", name, self._healths[name].status.last_error)
        self._late = late
        return bool(new)


def _noted(source: Source, change: Unreadable, health: Health) -> tuple[str, str] | None:
    """Note what could not be read, and return the failure of the whole refresh, where it is one."""
    rejected = replace(change.rejected, detail=with_own_keys(source, change.rejected.detail))
    if isinstance(change, Doubtful):
        health.doubtful(rejected)
    else:
        health.unreadable(rejected)
    return (rejected.reason, rejected.detail) if isinstance(change, Hidden) else None
