"""Refreshing in the background: asks each source for changes, stores them, and builds the next snapshot.

Every source has its own thread, schedule and health, so that one that fails or hangs never dims the others.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.exposition import render
from exporter.ledger.opening import LedgerError
from exporter.ledger.store import Ledger
from exporter.snapshot import Built, Snapshot, SourceStatus, build
from exporter.sources.base import (
    Batch,
    Meter,
    RefreshContext,
    Rejected,
    Retraction,
    Source,
    SourceError,
    Unreadable,
)

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 15.0
"""Wait after a first failure; it doubles with each further one, up to the ordinary interval."""

FUTURE_TOLERANCE = timedelta(days=1)
"""How far ahead of the clock a bill's times may be: room for a clock that is set wrong by some hours."""

_READ_UNTIL = " read until "
"""Between a partition's cursor and the latest time that was plausible when rows of it were set aside as from
the future. When the clock is well past that, the partition is read again though it has not changed."""

_LONGEST_WAIT_SECONDS = 15.0
"""The builder looks at the clock at least so often, so that a clock that jumps is noticed."""

_TELL_PROGRESS_SECONDS = 2.0

_SHOW_PROGRESS_SECONDS = 10.0
"""During a long refresh, what has arrived so far is shown so often."""

Wait = Callable[[threading.Event, float], bool]
"""Waits until the event is set, at most so many seconds; returns whether it is."""


class Refresher:
    """Keeps the snapshot current. `snapshot` may be read at any time from any thread, without waiting."""

    def __init__(
        self,
        sources: Sequence[Source],
        ledger: Ledger,
        spool: Path,
        *,
        interval: timedelta,
        keep: timedelta,
        max_series: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: random.Random | None = None,
        wait: Wait = threading.Event.wait,
    ) -> None:
        """`spool` is an existing folder of this process's own; `keep` is how long usage is kept."""
        self._sources = list(sources)
        self._ledger = ledger
        self._spool = spool
        self._interval = interval
        self._keep = keep
        self._max_series = max_series
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        self._wait = wait
        self._timezones = {source.provider: source.billing_timezone for source in sources}
        self._statuses = {
            source.name: SourceStatus(source.name, None, None, "", 0, ()) for source in self._sources
        }
        self._set_aside: dict[str, dict[str, tuple[Rejected, ...]]] = {
            source.name: {} for source in self._sources
        }
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._building = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.snapshot = Snapshot(render([]), clock(), ready=False, sources=(), totals=())

    def start(self) -> None:
        """Show what the ledger has, then refresh every source now and at its interval, until `stop`."""
        self.rebuild()
        jobs: list[tuple[str, Callable[[], None]]] = [("snapshot-builder", self._keep_building)]
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
        self.rebuild(as_of=as_of)
        return self.snapshot

    def refresh(self, source: Source) -> bool:
        """Refresh one source now and return whether it succeeded; every outcome is in its status."""
        started = shown = time.monotonic()
        rows_before = self._statuses[source.name].rows
        meter = Meter(progress=_Progress(source.name))
        failure: tuple[str, str] | None = None
        rejected: list[Rejected] = []
        unreadable: list[Rejected] = []
        try:
            context = self._context(source, meter)
            for change in source.refresh(context):
                if isinstance(change, Unreadable):
                    unreadable.append(change.rejected)
                    _tell(source, change.rejected)
                else:
                    rejected += self._store(source, change, context.latest_plausible)
                if time.monotonic() - shown > _SHOW_PROGRESS_SECONDS:
                    shown = time.monotonic()
                    self._changed.set()
            self._forget_old()
        except (SourceError, LedgerError) as error:
            failure = (error.reason, str(error))
        except Exception as error:
            logger.exception("%s: unexpected failure", source.name)
            failure = ("unexpected", f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        if failure:
            logger.error("%s: %s", source.name, failure[1])
        elif self._statuses[source.name].rows > rows_before:
            rows = self._statuses[source.name].rows - rows_before
            logger.info("%s: %d rows read in %.1f s", source.name, rows, seconds)
        self._finish(source, meter, seconds, rejected=rejected, unreadable=unreadable, failure=failure)
        self._changed.set()
        return failure is None

    def rebuild(self, *, as_of: datetime | None = None) -> None:
        """Build the snapshot from the ledger as it is; the last one stays if that cannot be done."""
        with self._building:
            statuses = [self._statuses[source.name] for source in self._sources]
            try:
                with self._ledger.view(list(self._statuses), as_of) as view:
                    built = build(view, as_of or self._clock(), self._timezones, statuses, self._max_series)
                self._publish(built, as_of)
                self.snapshot = built.snapshot
            except LedgerError as error:
                logger.error("%s", error)  # noqa: TRY400 (the text says it all)
            except Exception:
                logger.exception("the snapshot could not be built; the last one stays")

    def _publish(self, built: Built, as_of: datetime | None) -> None:
        """Remember the choice of series before anybody sees it; a ledger that is full must dim nothing."""
        if as_of is not None:
            return
        try:
            self._ledger.publish(built.newly_own, built.newly_folded)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text says it all)

    def _context(self, source: Source, meter: Meter) -> RefreshContext:
        now = self._clock()
        # A clock that jumped back must not make rows that were fine yesterday look as if from the future.
        latest_plausible = max(now, self._ledger.latest_export() or now) + FUTURE_TOLERANCE
        return RefreshContext(
            known={
                partition: _cursor_for_now(stored, latest_plausible)
                for partition, stored in self._ledger.cursors(source.name).items()
            },
            now=now,
            latest_plausible=latest_plausible,
            oldest_kept=max(self._ledger.kept_from(), now - self._keep),
            spool=self._spool,
            meter=meter,
            stopping=self._stopping.is_set,
        )

    def _store(
        self, source: Source, change: Batch | Retraction, latest_plausible: datetime
    ) -> tuple[Rejected, ...]:
        """Bring the change into the ledger, and return what was set aside."""
        rejected: tuple[Rejected, ...] = ()
        match change:
            case Batch():
                rejected = change.rejected
                cursor = _cursor_to_store(change, latest_plausible)
                try:
                    self._ledger.put(source.name, change.partition, cursor, change.charges, change.rows)
                finally:
                    change.charges.unlink(missing_ok=True)
                self._update(source, rows=self._statuses[source.name].rows + change.rows)
            case Retraction():
                self._ledger.retract(source.name, change.partition)
                logger.info("%s: %s is gone, and its charges with it", source.name, change.partition)
        self._set_aside[source.name][change.partition] = rejected
        for each in rejected:
            _tell(source, each)
        return rejected

    def _forget_old(self) -> None:
        """Apply retention, measured from the bill's own time: a clock that jumps ahead must erase nothing."""
        latest = self._ledger.latest_export()
        if latest is not None:
            self._ledger.forget_before(min(latest, self._clock()) - self._keep)

    def _finish(
        self,
        source: Source,
        meter: Meter,
        seconds: float,
        *,
        rejected: list[Rejected],
        unreadable: list[Rejected],
        failure: tuple[str, str] | None,
    ) -> None:
        """Write the outcome of a refresh into the source's status."""
        status = self._statuses[source.name]
        errors = dict(status.errors)
        for each in (*rejected, *unreadable):
            errors[each.reason] = errors.get(each.reason, 0) + each.count
        if failure:
            errors[failure[0]] = errors.get(failure[0], 0) + 1
        self._update(
            source,
            up=failure is None,
            last_success=status.last_success if failure else self._clock(),
            last_error=failure[1] if failure else "",
            # What is unreadable is tried, and told, at each refresh.
            rejected=(*itertools.chain.from_iterable(self._set_aside[source.name].values()), *unreadable),
            refresh_duration_seconds=seconds,
            errors=errors,
            requests=status.requests + meter.requests,
            billed_bytes=status.billed_bytes + meter.billed_bytes,
        )

    def _update(self, source: Source, **changes: object) -> None:
        self._statuses[source.name] = replace(self._statuses[source.name], **changes)  # type: ignore[arg-type]

    def _keep_refreshing(self, source: Source) -> None:
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self.refresh(source) else failures + 1
            self._wait(self._stopping, wait_seconds(failures, self._interval, self._chance))

    def _keep_building(self) -> None:
        """Rebuild when something changed and at the start of every quarter hour, where billing days end."""
        while not self._stopping.is_set():
            now = self._clock()
            until_next = (_quarter(now) + _QUARTER - now).total_seconds()
            self._wait(self._changed, min(until_next, _LONGEST_WAIT_SECONDS))
            if self._changed.is_set() or _quarter(self._clock()) != _quarter(self.snapshot.built_at):
                self._changed.clear()
                self.rebuild()


def wait_seconds(failures: int, interval: timedelta, chance: random.Random) -> float:
    """Return how long to wait: the interval, or after failures an exponential back-off with jitter."""
    if not failures:
        return interval.total_seconds()
    longest: float = min(interval.total_seconds(), FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20))
    return longest * chance.uniform(0.5, 1.0)


def _tell(source: Source, rejected: Rejected) -> None:
    place, count, reason, detail = rejected.place, rejected.count, rejected.reason, rejected.detail
    logger.warning("%s: %s: %d x %s: %s", source.name, place, count, reason, detail)


def _cursor_to_store(batch: Batch, latest_plausible: datetime) -> str:
    if any(rejected.reason == "future_timestamp" for rejected in batch.rejected):
        return f"{batch.cursor}{_READ_UNTIL}{latest_plausible.isoformat()}"
    return batch.cursor


def _cursor_for_now(stored: str, latest_plausible: datetime) -> str:
    """The source's own cursor; or one that no partition has, so that it is read again."""
    cursor, marked, until = stored.rpartition(_READ_UNTIL)
    if not marked or latest_plausible > datetime.fromisoformat(until) + FUTURE_TOLERANCE / 2:
        return stored
    return cursor


class _Progress:
    """Tells how far a refresh is, now and then; the quick ones pass in silence."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._due = time.monotonic() + _TELL_PROGRESS_SECONDS

    def __call__(self, text: str) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _TELL_PROGRESS_SECONDS
            logger.info("%s: %s", self._source, text)


_QUARTER = timedelta(minutes=15)


def _quarter(moment: datetime) -> datetime:
    """The quarter hour that a moment lies in; every zone's midnight begins one."""
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)
