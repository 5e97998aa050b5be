"""Stores what sources yield in the ledger: charges and usage, with cursors; then applies retention."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

from exporter.core.errors import SourceError
from exporter.core.source_names import kin_of, kind_of
from exporter.ledger.accounts import account_of_another
from exporter.ledger.charges.store import ArrivedPartition, Ledger
from exporter.ledger.past_estimates import PastEstimates
from exporter.ledger.unit_counts import KeptUnitCounts
from exporter.ledger.usage.store import UsageLedger
from exporter.refresh.guard import Guard, RetractionRules, Shrinking
from exporter.sources.base import (
    Batch,
    Change,
    RefreshContext,
    RefreshTally,
    Rejected,
    Retraction,
    Source,
    Unreadable,
    UsageAddition,
    UsageBatch,
    UsageChange,
)

logger = logging.getLogger(__name__)

FUTURE_TOLERANCE = timedelta(days=1)
"""How far ahead of the clock a bill's times may be: a clock may be wrong by some hours."""

KEEP_POINTS = timedelta(days=3)
"""How long usage is kept by the minute; by the hour it is kept as long as charges."""

_MOST_TOGETHER = 100
_MOST_ROWS_TOGETHER = 100_000
"""Batches that are ready are stored together, up to so many and so many rows of the export."""

_READ_UNTIL = " read until "
"""Between a partition's cursor and the latest time that was plausible when rows of it were set aside as from
the future. When the clock is well past that, the partition is read again though it has not changed."""


class Intake:
    """Stores changes, and gives each source the state that is stored of it."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Path,
        keep: timedelta,
        clock: Callable[[], datetime],
        rules: RetractionRules = RetractionRules(),  # noqa: B008 - frozen
        *,
        sources: Sequence[Source] = (),
    ) -> None:
        """`sources` are all that are configured: no two of a kind may bring charges of one account."""
        self._names = [source.name for source in sources]
        self._storing_of_several = threading.Lock()
        self._ledger = ledger
        self._usage = UsageLedger(ledger)
        self._said = PastEstimates(ledger)
        self._unit_counts = KeptUnitCounts(ledger)
        self._spool = spool
        self._keep = keep
        self._clock = clock
        self._rules = rules

    def context(
        self,
        source: Source,
        tally: RefreshTally,
        stopping: Callable[[], bool],
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> RefreshContext:
        """Return the context for a refresh of the source, which must end within `seconds_left`.

        Raises LedgerError, OSError.
        """
        now = self._clock()
        spool = self._spool
        if kind_of(source.name) != source.name:
            # Several of a kind call their files alike.
            spool = self._spool / source.name
        # Somebody may have tidied up.
        spool.mkdir(parents=True, exist_ok=True)
        # After a clock jumps back, rows that were fine yesterday must not look as if from the future.
        latest_plausible = max(now, self._ledger.latest_export() or now) + FUTURE_TOLERANCE
        stored = self._ledger.cursors(source.name) | self._usage.cursors(source.name)
        return RefreshContext(
            known={
                partition: _cursor_for_now(cursor, latest_plausible) for partition, cursor in stored.items()
            },
            now=now,
            latest_plausible=latest_plausible,
            oldest_kept=max(self._ledger.kept_from(), now - self._keep),
            spool=spool,
            tally=tally,
            seconds_left=seconds_left,
            stopping=stopping,
        )

    @contextmanager
    def receiving(self, source: Source, context: RefreshContext) -> Iterator[Receiver]:
        """Yield what takes the changes of one refresh.

        From the first partition that is gone or shrinks on, changes of the bill are kept until the refresh
        has ended and then stored together: what was renamed, split or merged is there all the time. Of a
        refresh that failed or was stopped they are dropped, and the ledger stays as it was; also where the
        guard withholds them. Raises LedgerError, WithheldError.
        """
        guard = Guard(self._ledger, source.name, self._rules, self._clock)
        receiver = Receiver(self, source, context, guard)
        try:
            yield receiver
            if not context.stopping():
                receiver.finish()
        finally:
            receiver.discard()

    def exchange(
        self, source: Source, gone: Sequence[str], batches: Sequence[Batch], latest_plausible: datetime
    ) -> None:
        """Store what changed in a bill, all at once.

        Raises LedgerError; SourceError where another source of its kind has charges of the same account.
        """
        arrived = [
            ArrivedPartition(
                batch.partition, _cursor_to_store(batch, latest_plausible), batch.charges, batch.rows
            )
            for batch in batches
        ]
        kin = kin_of(source.name, self._names)
        try:
            # Two that are read for the first time at once must not both find that the other has nothing.
            with self._storing_of_several if kin else nullcontext():
                for batch in batches if kin else ():
                    self._refuse_account_of(kin, source, batch)
                self._ledger.exchange(source.name, gone, arrived)
        finally:
            for batch in batches:
                batch.charges.unlink(missing_ok=True)
        for partition in gone:
            logger.info("%s: %s is gone; its charges are removed", source.name, partition)

    def _refuse_account_of(self, kin: Sequence[str], source: Source, batch: Batch) -> None:
        found = account_of_another(self._ledger, kin, batch.charges)
        if found is not None:
            account, other = found
            raise SourceError(
                "account_read_twice",
                f"{batch.partition} has charges of the account {account}, which {other} reads as well; they "
                f"count once, there, and nothing of {source.name} is stored: remove one of the two from the "
                "configuration",
            )

    def store(
        self, source: Source, change: Change | UsageChange, latest_plausible: datetime
    ) -> tuple[str, int, tuple[Rejected, ...]]:
        """Store a change; return its partition, the rows it brought, and what was set aside.

        Raises LedgerError, after which the partition is as it was before.
        """
        match change:
            case Batch():
                self.exchange(source, (), [change], latest_plausible)
                return change.partition, change.rows, change.rejected
            case UsageBatch():
                try:
                    self._usage.put(source.name, change.reads, change.points)
                finally:
                    change.points.unlink(missing_ok=True)
                return change.reads[0].project_id, change.rows, change.rejected
            case UsageAddition():
                try:
                    self._usage.add(
                        source.name, change.partition, change.cursor, change.points, change.obsolete
                    )
                finally:
                    change.points.unlink(missing_ok=True)
                return change.partition, change.rows, change.rejected
            case Retraction():
                self.exchange(source, [change.partition], (), latest_plausible)
                return change.partition, 0, ()
            case Unreadable():
                return change.partition, 0, (change.rejected,)

    def forget_old(self) -> None:
        """Apply retention by the bill's own times: a clock that jumps ahead must erase nothing."""
        latest = self._ledger.latest_export() or self._usage.latest_hour()
        if latest is not None:
            newest = min(latest, self._clock())
            self._ledger.forget_before(newest - self._keep)
            self._usage.forget_before(newest - self._keep, newest - KEEP_POINTS)
            self._said.forget_before(newest - self._keep)
            self._unit_counts.forget_before(newest - self._keep)


class Receiver:
    """Takes the changes of one refresh of one source. For one thread."""

    def __init__(self, intake: Intake, source: Source, context: RefreshContext, guard: Guard) -> None:
        self._intake = intake
        self._source = source
        self._latest_plausible = context.latest_plausible
        self._known = context.known.keys()
        self._guard = guard
        self._gone: dict[str, Retraction] = {}
        self._batches: dict[str, Batch] = {}
        self._ready: list[Batch] = []
        """What is stored together with the next batch, since that one is ready too."""
        self._emptied: dict[str, int] = {}
        self._ended = guard.last_day()

    def take(self, change: Change | UsageChange) -> tuple[str, int, tuple[Rejected, ...]]:
        """Store a change, or keep it for the end; return as Intake.store."""
        if isinstance(change, Batch) and not self._has_to_wait(change):
            self._store_together(change)
            return change.partition, change.rows, change.rejected
        self._store_ready()
        if isinstance(change, Retraction):
            self._gone[change.partition] = change
            self._drop(change.partition)
            return change.partition, 0, ()
        if isinstance(change, Batch):
            self._drop(change.partition)
            self._batches[change.partition] = change
            return change.partition, change.rows, change.rejected
        return self._intake.store(self._source, change, self._latest_plausible)

    def _store_together(self, batch: Batch) -> None:
        if any(each.partition == batch.partition for each in self._ready):
            self._store_ready()
        self._ready.append(batch)
        rows = sum(each.rows for each in self._ready)
        if not batch.more_follow or len(self._ready) >= _MOST_TOGETHER or rows >= _MOST_ROWS_TOGETHER:
            self._store_ready()

    def _store_ready(self) -> None:
        ready, self._ready = self._ready, []
        self._exchange((), ready)

    def _has_to_wait(self, batch: Batch) -> bool:
        """Whether a batch is kept for the end: it takes something away, or may belong to what does."""
        replaces = batch.partition in self._known and batch.partition not in self._gone
        if replaces and (rows := self._guard.emptied(batch)):
            self._emptied[batch.partition] = rows
        return bool(self._gone or self._batches) or (replaces and self._guard.shrinks(batch))

    def finish(self) -> None:
        """Store what was kept. Raises LedgerError; WithheldError where it takes too much away."""
        self._store_ready()
        for partition in list(self._emptied):
            batch = self._batches[partition]
            if self._guard.awaits_month(batch):
                # The month before stays until the new one has its first charge.
                self._drop(partition)
                del self._emptied[partition]
        if self._gone or self._batches:
            gone = [each for name, each in self._gone.items() if name not in self._batches]
            batches = list(self._batches.values())
            # What came within this refresh was never shown, so that its going takes nothing away.
            known = [each for each in gone if each.partition in self._known]
            self._guard.judge(Shrinking(known, batches, self._emptied, self._ended))
            self._batches = {}
            self._exchange([each.partition for each in gone], batches)
        else:
            self._guard.settle()

    def _exchange(self, gone: Sequence[str], batches: Sequence[Batch]) -> None:
        if gone or batches:
            self._intake.exchange(self._source, gone, batches, self._latest_plausible)

    def discard(self) -> None:
        """Remove the spool files of what was kept and not stored."""
        for partition in list(self._batches):
            self._drop(partition)
        for batch in self._ready:
            batch.charges.unlink(missing_ok=True)
        self._ready = []

    def _drop(self, partition: str) -> None:
        batch = self._batches.pop(partition, None)
        if batch is not None:
            batch.charges.unlink(missing_ok=True)


def _cursor_to_store(batch: Batch, latest_plausible: datetime) -> str:
    if any(rejected.reason == "future_timestamp" for rejected in batch.rejected):
        return f"{batch.cursor}{_READ_UNTIL}{latest_plausible.isoformat()}"
    return batch.cursor


def _cursor_for_now(stored: str, latest_plausible: datetime) -> str:
    """The source's own cursor, or one that no partition has, so that it is read again."""
    cursor, marked, until = stored.rpartition(_READ_UNTIL)
    if not marked or latest_plausible > datetime.fromisoformat(until) + FUTURE_TOLERANCE / 2:
        return stored
    return cursor
