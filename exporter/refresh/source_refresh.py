"""One refresh of a source: what changed is read and stored, and its health says how it went.

Whatever happens to one source, others are not affected.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from exporter.core.disk_space import DISK_FULL, is_disk_full
from exporter.core.errors import SourceError, WithheldError
from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.opening import LedgerError
from exporter.refresh.accounts import Accounts
from exporter.refresh.guard import RetractionRules
from exporter.refresh.health import Health
from exporter.refresh.intake import Intake
from exporter.refresh.timing import Progress, use_text
from exporter.refresh.turns import Turn
from exporter.sources.base import (
    Doubtful,
    Hidden,
    RefreshContext,
    RefreshTally,
    Source,
    Unreadable,
    with_own_keys,
)

logger = logging.getLogger(__name__)

_SHOW_PROGRESS_SECONDS = 10.0
"""How often a long refresh shows what has arrived so far."""


class SourceRefresh:
    """Refreshes one source at a time per thread, for all sources. For several threads."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Path,
        sources: Sequence[Source],
        *,
        keep: timedelta,
        clock: Callable[[], datetime],
        retractions: RetractionRules,
        stopping: threading.Event,
        changed: Callable[[], None],
    ) -> None:
        """`spool` is an existing folder of this process's own; `changed` is called when there is news."""
        self._intake = Intake(ledger, spool, keep, clock, retractions, sources=sources)
        self._accounts = Accounts(ledger, sources)
        self._first_reads = FirstReads(ledger)
        self._stopping = stopping
        self._changed = changed

    def read_whole(self) -> set[str]:
        """Return the sources that have been read to their end at least once. Raises LedgerError."""
        return self._first_reads.whole()

    def run(self, source: Source, health: Health, turn: Turn | None = None) -> bool:
        """Refresh the source now and return whether it succeeded; every outcome is in its health.

        An account that others may read as well is taken when it is the source's `turn`.
        """
        turn = turn or Turn()
        started = time.monotonic()
        rows_before = health.status.rows
        tally = RefreshTally(progress=Progress(source.name))
        failure: tuple[str, str] | None = None
        withheld: Decimal | None = None
        health.began()
        try:
            failure = self._read(source, tally, health, turn)
        except (SourceError, LedgerError) as error:
            failure = (error.reason, with_own_keys(source, str(error)))
            withheld = error.usd if isinstance(error, WithheldError) else withheld
        except OSError as error:
            # What the system refuses is no defect: no room, no right, too many open files.
            reason = DISK_FULL if is_disk_full(error) else "unexpected"
            failure = (
                reason,
                f"{error}: the system refused this, and it is tried again; the last good data stays",
            )
        except Exception as error:
            logger.exception("%s: unexpected failure", source.name)
            failure = ("unexpected", f"{type(error).__name__}: {error}")
        finally:
            turn.passed()
        seconds = time.monotonic() - started
        if not failure:
            rows = health.status.rows - rows_before
            logger.info("%s: %d rows read in %.1f s%s", source.name, rows, seconds, use_text(tally))
        health.ended(tally, seconds, failure, withheld)
        return failure is None

    def _read(
        self, source: Source, tally: RefreshTally, health: Health, turn: Turn
    ) -> tuple[str, str] | None:
        """Store each change of the source, and return why its refresh counts as failed, if it does.

        Raises SourceError, LedgerError.
        """
        shown = time.monotonic()
        failure: tuple[str, str] | None = None
        first, begun = not health.status.read_whole, False
        context = self._context(source, tally, health)
        if self._accounts.settle(source, context, turn):
            context = self._context(source, tally, health)
        with self._intake.receiving(source, context) as receiver:
            for change in source.refresh(context):
                if first and not begun:
                    self._first_reads.begin(source.name)
                    begun = True
                if isinstance(change, Unreadable):
                    failure = _noted(source, change, health) or failure
                else:
                    turn.wait()
                    health.stored(*receiver.take(change))
                    turn.passed()
                if time.monotonic() - shown > _SHOW_PROGRESS_SECONDS:
                    shown = time.monotonic()
                    self._changed()
        if first and not failure and not self._stopping.is_set() and not health.forgotten:
            self._first_reads.end(source.name)
        self._intake.forget_old()
        return failure

    def _context(self, source: Source, tally: RefreshTally, health: Health) -> RefreshContext:
        return self._intake.context(source, tally, self._stopping.is_set, lambda: health.seconds_left)


def _noted(source: Source, change: Unreadable, health: Health) -> tuple[str, str] | None:
    """Note what could not be read, and return the failure of the whole refresh, where it is one."""
    rejected = replace(change.rejected, detail=with_own_keys(source, change.rejected.detail))
    if isinstance(change, Doubtful):
        health.doubtful(rejected)
    else:
        health.unreadable(rejected)
    return (rejected.reason, rejected.detail) if isinstance(change, Hidden) else None
