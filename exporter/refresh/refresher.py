"""Refreshing in the background: asks each source for changes, stores them, and builds the next snapshot.

Every source has its own thread, schedule and health, so that one that fails or hangs never dims the others.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.core.errors import SourceError
from exporter.core.ownership import HOURLY_BILLS
from exporter.history.log import HistoryLog
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError
from exporter.ledger.past_estimates import SaidLedger
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.collect import Figures, FigureSettings
from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import FamilySamples
from exporter.metrics.live_usage import NOTHING_LIVE
from exporter.metrics.outlooks.nowcast import Outlook, grade
from exporter.metrics.remote_write import remote_write_families
from exporter.metrics.snapshot import Built, Snapshot, build
from exporter.refresh.freed_memory import give_back_freed_memory
from exporter.refresh.health import Health
from exporter.refresh.intake import AnySource, Intake
from exporter.refresh.timing import QUARTER, Progress, quarter, wait_seconds
from exporter.sources.base import Meter, Unreadable
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.prometheus_units import BusinessUnits, UnitFailure
from exporter.wiring.provider_budgets import told_budgets

logger = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 15.0
"""The builder looks at the clock at least so often, so that a clock that jumps is noticed."""

_SHOW_PROGRESS_SECONDS = 10.0
"""During a long refresh, what has arrived so far is shown so often."""

Wait = Callable[[threading.Event, float], bool]
"""Waits until the event is set, at most so many seconds; returns whether it is."""


class Refresher:
    """Keeps the snapshot current. `snapshot` may be read at any time from any thread, without waiting."""

    def __init__(
        self,
        sources: Sequence[AnySource],
        ledger: Ledger,
        spool: Path,
        *,
        interval: timedelta,
        keep: timedelta,
        max_series: int,
        settings: FigureSettings = FigureSettings(),  # noqa: B008 - frozen
        units: BusinessUnits | None = None,
        log: HistoryLog | None = None,
        history_sender: HistorySender | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: random.Random | None = None,
        wait: Wait = threading.Event.wait,
    ) -> None:
        """`spool` is an existing folder of this process's own; `keep` is how long usage is kept."""
        self._sources = list(sources)
        self._ledger = ledger
        self._interval = interval
        self._max_series = max_series
        self._log = log
        self._history_sender = history_sender
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        self._wait = wait
        self._intake = Intake(ledger, spool, keep, clock)
        self._timezones = {
            source.provider: source.billing_timezone
            for source in sources
            if hasattr(source, "billing_timezone") and source.provider
        }
        self._healths = {
            source.name: Health(
                source.name,
                clock,
                tells_bills=hasattr(source, "billing_timezone"),
                interval=getattr(source, "update_interval", interval),
            )
            for source in sources
        }
        named = [budget.name for budget in settings.budgets.budgets]
        self._figures = Figures(
            ledger,
            list(self._healths),
            self._timezones,
            settings,
            recommenders=[source for source in sources if isinstance(source, RecommenderSource)],
            told_budgets=lambda: told_budgets(self._sources, named),
        )
        self._grades: list[FamilySamples] = []
        self._nowcast_seconds = 0.0
        self._units = units
        self._unit_counts: Mapping[str, float] = {}
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._building = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.snapshot = Snapshot(render([]), clock(), ready=False, sources=(), totals=())

    def start(self) -> None:
        """Show what the ledger has, then refresh every source now and at its interval, until `stop`."""
        self.rebuild(estimated=())
        self._changed.set()
        jobs: list[tuple[str, Callable[[], None]]] = [
            ("snapshot-builder", self._keep_building),
            ("nowcast-grader", self._keep_grading),
        ]
        if self._units is not None:
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

    def stop(self, timeout_seconds: float = 10.0) -> bool:
        """End the threads and return whether all have; a refresh under way stops after its partition."""
        self._stopping.set()
        self._changed.set()
        if self._history_sender is not None:
            self._history_sender.stop()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def refresh_all(self, *, as_of: datetime | None = None) -> Snapshot:
        """Refresh every source once, one after the other, and return the snapshot that follows.

        With `as_of`, a whole hour, the snapshot is what was known then.
        """
        for source in self._sources:
            self.refresh(source)
        if as_of is None:
            self.count_units()
        self.rebuild(as_of=as_of)
        return self.snapshot

    def refresh(self, source: AnySource) -> bool:
        """Refresh one source now and return whether it succeeded; every outcome is in its status."""
        started = shown = time.monotonic()
        health = self._healths[source.name]
        rows_before = health.status.rows
        meter = Meter(progress=Progress(source.name))
        failure: tuple[str, str] | None = None
        health.began()
        try:
            context = self._intake.context(source, meter, self._stopping.is_set)
            for change in source.refresh(context):
                if isinstance(change, Unreadable):
                    health.unreadable(change.rejected)
                else:
                    health.stored(*self._intake.store(source, change, context.latest_plausible))
                if time.monotonic() - shown > _SHOW_PROGRESS_SECONDS:
                    shown = time.monotonic()
                    self._changed.set()
            self._intake.forget_old()
        except (SourceError, LedgerError) as error:
            failure = (error.reason, str(error))
        except Exception as error:
            logger.exception("%s: unexpected failure", source.name)
            failure = ("unexpected", f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        rows = health.status.rows - rows_before
        if rows and not failure:
            logger.info("%s: %d rows read in %.1f s", source.name, rows, seconds)
        health.ended(meter, seconds, failure)
        self._changed.set()
        return failure is None

    @property
    def timezones(self) -> Mapping[str, str]:
        """Billing zone of each provider whose bill is read and tells the hours of its costs."""
        return {name: zone for name, zone in self._timezones.items() if name in HOURLY_BILLS}

    @contextmanager
    def state(self) -> Iterator[tuple[LedgerView, UsageView | None]]:
        """Yield one consistent state of the bill, and of live usage where a source tells it.

        Raises LedgerError.
        """
        with self._ledger.view(list(self._healths)) as view:
            yield view, self._figures.gcp_usage(view)

    def rebuild(self, *, as_of: datetime | None = None, estimated: Sequence[Outlook] | None = None) -> None:
        """Build the snapshot from the ledger as it is; the last one stays if that cannot be done.

        `estimated` are outlooks to show rather than make anew, which takes a while on a large bill.
        """
        with self._building:
            statuses = [health.status for health in self._healths.values()]
            try:
                now = as_of or self._clock()
                live = self._figures.live(now) if as_of is None else NOTHING_LIVE
                with self._ledger.view(list(self._healths), as_of) as view:
                    began = time.monotonic()
                    outlooks = self._figures.outlooks(view, now) if estimated is None else estimated
                    if estimated is None:
                        self._nowcast_seconds = time.monotonic() - began
                    budgets = self._figures.budgets(view, now, outlooks)
                    built = build(
                        view,
                        now,
                        self._figures.timezones(view),
                        statuses,
                        self._max_series,
                        live_families=(
                            *live.families,
                            *self._figures.language_models(view, now),
                            *self._figures.attributed(view, now, self._unit_counts),
                            *self._figures.savings(view, now),
                            *self._figures.alerting(view, now, outlooks, budgets, statuses),
                            *self._grades,
                            *(
                                remote_write_families(self._history_sender.status)
                                if self._history_sender
                                else ()
                            ),
                        ),
                        outlooks=outlooks,
                        cloud_run=live.cloud_run,
                        budgets=budgets,
                    )
                self._publish(built, as_of)
                self.snapshot = built.snapshot
                known = as_of is None and estimated is None
                if known and all(status.up is not None for status in statuses if status.tells_bills):
                    self._keep_said(outlooks)
                    if self._history_sender is not None:
                        self._history_sender.wake()
            except LedgerError as error:
                logger.error("%s", error)  # noqa: TRY400 (the text says it all)
            except Exception:
                logger.exception("the snapshot could not be built; the last one stays")

    def grade(self) -> None:
        """Grade past nowcasts by the bill, which takes a while, and have the grades shown from then on."""
        try:
            with self.state() as (view, usage):
                self._grades = grade(view, usage, self._clock(), self.timezones)
        except Exception:
            logger.exception("past nowcasts could not be graded; the last grades stay")
        self._changed.set()

    def count_units(self) -> None:
        """Ask for yesterday's numbers of the user's units; what has no number has no cost meanwhile."""
        if self._units is None:
            return
        found = self._units.read(self._clock())
        for failure in found.values():
            if isinstance(failure, UnitFailure):
                logger.error("%s", failure.text)
        self._unit_counts = {name: count for name, count in found.items() if isinstance(count, float)}
        self._changed.set()

    def _keep_counting_units(self) -> None:
        while not self._stopping.is_set():
            self.count_units()
            self._stopping.wait(_COUNT_UNITS_EVERY.total_seconds())

    def _keep_grading(self) -> None:
        """Grade once a day, when a further day's bill has become final.

        The first time when what every source has told is shown: the first nowcast needs much memory as well.
        """
        while not self._stopping.is_set():
            if all(status.up is not None for status in self.snapshot.sources) and self.snapshot.ready:
                self.grade()
                give_back_freed_memory()
                self._stopping.wait(_GRADE_EVERY.total_seconds())
            else:
                self._stopping.wait(_LONGEST_WAIT_SECONDS)

    def _keep_said(self, outlooks: Sequence[Outlook]) -> None:
        """Keep what is said this hour, to be graded by the bill; a ledger that is full must dim nothing."""
        try:
            SaidLedger(self._ledger).keep([outlook.said() for outlook in outlooks])
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text says it all)

    def _publish(self, built: Built, as_of: datetime | None) -> None:
        """Remember the choice of series before anybody sees it; a ledger that is full must dim nothing."""
        if as_of is not None:
            return
        try:
            self._ledger.publish(built.newly_own, built.newly_folded)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text says it all)

    def _keep_refreshing(self, source: AnySource) -> None:
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self.refresh(source) else failures + 1
            interval: timedelta = getattr(source, "update_interval", self._interval)
            self._wait(self._stopping, wait_seconds(failures, interval, self._chance))

    def _keep_building(self) -> None:
        """Rebuild when something changed and at the start of every quarter hour, where billing days end."""
        while not self._stopping.is_set():
            now = self._clock()
            until_next = (quarter(now) + QUARTER - now).total_seconds()
            self._wait(self._changed, min(until_next, _LONGEST_WAIT_SECONDS))
            if self._changed.is_set() or quarter(self._clock()) != quarter(self.snapshot.built_at):
                self._changed.clear()
                if self._nowcast_seconds > _SLOW_NOWCAST_SECONDS:
                    self.rebuild(estimated=_still_holding(self.snapshot.outlooks, self._clock()))
                self.rebuild()
                if self._log is not None:
                    self._log.keep(self.snapshot, self._clock())
                give_back_freed_memory()


_SLOW_NOWCAST_SECONDS = 2.0
"""Where the last nowcast took longer, what is billed is shown before the next one is made."""


def _still_holding(outlooks: Sequence[Outlook], now: datetime) -> list[Outlook]:
    hours = now.timestamp() / 3600
    return [outlook for outlook in outlooks if outlook.nowcast.begin <= hours < outlook.nowcast.end]


_GRADE_EVERY = timedelta(hours=24)

_COUNT_UNITS_EVERY = timedelta(minutes=15)
"""They are yesterday's; asked for again since a Prometheus may have been down, or late with them."""
