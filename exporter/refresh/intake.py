"""Stores what sources yield in the ledger: charges and usage, with cursors; then applies retention."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from exporter.ledger.charges.store import Ledger
from exporter.ledger.past_estimates import PastEstimates
from exporter.ledger.usage.store import UsageLedger
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

_READ_UNTIL = " read until "
"""Between a partition's cursor and the latest time that was plausible when rows of it were set aside as from
the future. When the clock is well past that, the partition is read again though it has not changed."""


class Intake:
    """Stores changes, and gives each source the state that is stored of it."""

    def __init__(self, ledger: Ledger, spool: Path, keep: timedelta, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._usage = UsageLedger(ledger)
        self._said = PastEstimates(ledger)
        self._spool = spool
        self._keep = keep
        self._clock = clock

    def context(self, source: Source, tally: RefreshTally, stopping: Callable[[], bool]) -> RefreshContext:
        """Return the context for a refresh of the source."""
        now = self._clock()
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
            spool=self._spool,
            tally=tally,
            stopping=stopping,
        )

    def store(
        self, source: Source, change: Change | UsageChange, latest_plausible: datetime
    ) -> tuple[str, int, tuple[Rejected, ...]]:
        """Store a change; return its partition, the rows it brought, and what was set aside.

        Raises LedgerError, after which the partition is as it was before.
        """
        match change:
            case Batch():
                cursor = _cursor_to_store(change, latest_plausible)
                try:
                    self._ledger.put(source.name, change.partition, cursor, change.charges, change.rows)
                finally:
                    change.charges.unlink(missing_ok=True)
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
                self._ledger.retract(source.name, change.partition)
                logger.info("%s: %s is gone; its charges are removed", source.name, change.partition)
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
