"""Builds the snapshot from the ledger: billed figures, the figures computed from them, and their health.

The last snapshot stays if a new one cannot be built, and spend_figure_success shows it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import DAMAGED, LedgerError
from exporter.ledger.past_estimates import PastEstimates
from exporter.ledger.unseen import Unseen, mark_seen, unseen
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.collect import SnapshotCollector
from exporter.metrics.counters import Counters
from exporter.metrics.exposition.exposition import Exposition, Renderer, render
from exporter.metrics.exposition.kept_bytes import SHARED
from exporter.metrics.families import FamilySamples
from exporter.metrics.live_usage import NOTHING_LIVE, LiveUsageFigures
from exporter.metrics.outcomes import BILL, Outcome
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.remote_write import remote_write_families
from exporter.metrics.snapshot import Built, Snapshot, awaited_bills, build
from exporter.refresh.storage_health import StorageHealth
from exporter.refresh.unit_counting import UnitCounting
from exporter.sources.status import SourceStatus

logger = logging.getLogger(__name__)


class SnapshotBuilder:
    """Builds snapshots, one at a time. Any thread may read `snapshot` at any time, without waiting."""

    def __init__(
        self,
        ledger: Ledger,
        collector: SnapshotCollector,
        statuses: Callable[[], Sequence[SourceStatus]],
        storage: StorageHealth,
        *,
        max_series: int,
        units: UnitCounting | None,
        more_families: Callable[[], Sequence[FamilySamples]] = tuple,
        history_sender: HistorySender | None,
        clock: Callable[[], datetime],
    ) -> None:
        """`statuses` returns the state of each source, `more_families` what is known elsewhere."""
        self._ledger = ledger
        self._collector = collector
        self._outcomes = collector.outcomes
        self._statuses = statuses
        self._storage = storage
        self._waits_for_bills = False
        self._last_failure = ""
        self._max_series = max_series
        self._units = units
        self._more_families = more_families
        self._history_sender = history_sender
        self._clock = clock
        self._grades: list[FamilySamples] = []
        self._unit_counts: Mapping[str, float] = {}
        self._building = threading.Lock()
        self._renderer = Renderer(SHARED)
        self.counters = Counters(clock())
        self.snapshot = Snapshot(render([]), clock(), ready=False, sources=(), totals=())
        self.before_showing: Callable[[Snapshot], None] = lambda _snapshot: None
        """Gets each snapshot before any reader of `snapshot` does, so that what it shows is never behind."""

    @contextmanager
    def state(self) -> Iterator[tuple[LedgerView, UsageView | None]]:
        """Yield one consistent state of the bill, and of live usage where a source reads it.

        Without the sources that were never read to their end. Raises LedgerError.
        """
        with self._ledger.view(_shown(self._statuses())) as view:
            yield view, self._collector.live_usage(view)

    def rebuild(
        self,
        *,
        as_of: datetime | None = None,
        known_now: bool = False,
        estimated: Sequence[Outlook] | None = None,
        estimates_pending: bool = False,
    ) -> None:
        """Build the snapshot from the ledger as it is; the last one stays if that cannot be done.

        `estimated` are outlooks to show instead of computing new ones, which takes a while on a large bill.
        While `estimates_pending`, nothing is shown that consists of a billed and an estimated part. With
        `known_now`, a snapshot as of a past hour has all that is known now, and estimates nothing.
        """
        with self._building:
            generation = self._ledger.file.generation
            statuses = list(self._statuses())
            now = as_of or self._clock()
            started = time.monotonic()
            try:
                self._refuse_part_of_bills(statuses)
                # Before the states that are shown: what comes in between is shown, and again the next time.
                exposed = unseen(self._ledger, _shown(statuses))
                built = self._built(
                    now,
                    as_of,
                    statuses,
                    () if known_now else estimated,
                    known_now=known_now,
                    estimates_pending=estimates_pending,
                )
                if self._ledger.file.generation != generation:
                    raise LedgerError(DAMAGED, "the ledger was replaced meanwhile")  # noqa: TRY301
            except Exception as error:  # noqa: BLE001 (it is logged, and reported as a failed figure)
                self._keep_last(error, statuses, time.monotonic() - started)
                return
            if as_of is None:
                self._remember(built, exposed)
            self._last_failure = ""
            self._show(
                replace(built.snapshot, outcomes=self._outcomes_now(), storage_notes=self._storage.notes())
            )
            complete = all(status.up is not None for status in statuses if status.reads_bill)
            if as_of is None and complete:
                if estimated is None:
                    self.keep_estimates(built.snapshot.outlooks)
                if self._history_sender is not None:
                    self._history_sender.wake()

    def _built(
        self,
        now: datetime,
        as_of: datetime | None,
        statuses: Sequence[SourceStatus],
        estimated: Sequence[Outlook] | None,
        *,
        known_now: bool,
        estimates_pending: bool,
    ) -> Built:
        collector = self._collector
        live = collector.live(now, statuses) if as_of is None else NOTHING_LIVE
        if as_of is None:
            collector.hand_over_usage(statuses)
        exported_before, used_before = (None, as_of) if known_now else (as_of, None)
        awaited = awaited_bills(statuses)
        with self._ledger.view(_shown(statuses), exported_before, used_before=used_before) as view:
            outlooks = collector.outlooks(view, now) if estimated is None else estimated
            budgets = collector.budgets(view, now, outlooks)
            if awaited or estimates_pending:
                budgets = [replace(each, known=False) for each in budgets]
            beside = self._beside_the_bill(view, now, live, statuses, whole=not awaited)
            alerting = collector.alerting(view, now, outlooks, budgets, statuses)
            return build(
                view,
                now,
                collector.timezones(view),
                statuses,
                self._max_series,
                families=(*beside, *alerting),
                outlooks=outlooks,
                cloud_run=live.cloud_run,
                budgets=budgets,
                outcomes=self._outcomes,
                counters=self.counters if as_of is None else None,
                renderer=self._renderer if as_of is None else None,
                estimates_pending=estimates_pending,
                llm_shares=collector.llm_shares(view, now),
            )

    def _beside_the_bill(
        self,
        view: LedgerView,
        now: datetime,
        live: LiveUsageFigures,
        statuses: Sequence[SourceStatus],
        *,
        whole: bool,
    ) -> tuple[FamilySamples, ...]:
        collector, sender = self._collector, self._history_sender
        return (
            *live.families,
            *collector.language_models(view, now, statuses),
            # Categories, labels and units add up over sources.
            *(collector.attributed(view, now, self._unit_counts) if whole else ()),
            *collector.savings(view, now),
            *self._grades,
            *self._more_families(),
            *(remote_write_families(sender.status) if sender else ()),
        )

    def _keep_last(self, error: Exception, statuses: Sequence[SourceStatus], seconds: float) -> None:
        """Show in the last snapshot that no newer one could be built."""
        # What the system refuses, such as one more open file, is no defect: a stack would not say more.
        if not isinstance(error, (LedgerError, OSError)):
            logger.error("the snapshot could not be built; the last one stays", exc_info=error)
        elif str(error) != self._last_failure:
            logger.error("the last figures stay: %s", error)
        self._last_failure = str(error)
        self._outcomes.note(BILL, success=False, seconds=seconds)
        self._show(
            replace(
                self.snapshot,
                outcomes=self._outcomes_now(),
                failed_figures=self._outcomes.failed,
                sources=tuple(statuses),
                storage_notes=(*self._storage.notes(), f"the last figures stay: {error}"),
            )
        )

    def _show(self, snapshot: Snapshot) -> None:
        self.before_showing(snapshot)
        self.snapshot = snapshot

    def keep_until_read(self) -> None:
        """Keep the last snapshot until each bill has been read, or failed: another ledger fills from them."""
        self._waits_for_bills = self.snapshot.has_bill

    def _refuse_part_of_bills(self, statuses: Sequence[SourceStatus]) -> None:
        awaited = awaited_bills(statuses)
        if self._waits_for_bills and awaited:
            raise LedgerError(DAMAGED, f"the new ledger is being filled from {', '.join(awaited)}")
        self._waits_for_bills = False

    def _outcomes_now(self) -> Exposition:
        return render([*self._outcomes.families(), *self._storage.families()])

    def take_estimates(self, grades: Sequence[FamilySamples], outcomes: Mapping[str, Outcome]) -> None:
        """Show grades, and the outcomes of figures computed elsewhere, from the next snapshot on."""
        self._grades = list(grades)
        for figure, outcome in outcomes.items():
            self._outcomes.note(figure, success=outcome.success, seconds=outcome.seconds)

    def ledger_state(self) -> tuple[object, ...]:
        """Return a value that changes whenever there is new data for estimates. Raises LedgerError."""
        with self.state() as (view, usage):
            return (*view.state(), usage.latest() if usage else None)

    def grade(self, zones: Mapping[str, str]) -> None:
        """Grade past nowcasts by the bill, which takes a while, and show the grades from then on."""
        # It loads numpy, which `serve` leaves to the process that estimates.
        from exporter.metrics.outlooks.nowcast import grade  # noqa: PLC0415

        now = self._clock()

        def graded() -> list[FamilySamples]:
            with self.state() as (view, usage):
                return grade(view, usage, now, zones)

        self._grades = self._outcomes.compute("nowcast_grades", graded, self._grades)

    def count_units(self) -> None:
        """Read yesterday's numbers of the user's units; a unit without a number has no cost."""
        if self._units is None:
            return
        self._unit_counts = self._units.count(self._clock())

    def keep_estimates(self, outlooks: Sequence[Outlook]) -> None:
        """Keep this hour's estimates, to be graded by the bill; a full disk must not affect the snapshot."""
        try:
            PastEstimates(self._ledger).keep([outlook.past_estimate() for outlook in outlooks])
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)

    def _remember(self, built: Built, exposed: Unseen) -> None:
        """Keep what is shown from now on before it is shown; a full disk must not affect the snapshot."""
        try:
            self._ledger.publish(built.newly_own, built.newly_folded)
            mark_seen(self._ledger, exposed)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)


def _shown(statuses: Sequence[SourceStatus]) -> list[str]:
    return [status.name for status in statuses if status.shown]
