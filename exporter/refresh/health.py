"""The health of one source: the results of its refreshes, as an immutable status for all threads."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from exporter.core.printable import shown_line
from exporter.sources.base import RefreshTally, Rejected, Source, reads_bill
from exporter.sources.status import SourceStatus

logger = logging.getLogger(__name__)


class Health:
    """Written by the one thread that refreshes the source, but for `forget`; all may read `status`."""

    def __init__(
        self,
        source: Source,
        clock: Callable[[], datetime],
        *,
        interval: timedelta,
        refresh_seconds: float = math.inf,
        read_whole: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read_whole`: whether an earlier process has read it to its end."""
        status = SourceStatus(
            source.name,
            None,
            None,
            "",
            0,
            (),
            reads_bill=reads_bill(source),
            billed_reads=source.billed_reads,
            update_interval_seconds=interval.total_seconds(),
            read_whole=read_whole,
        )
        self._clock = clock
        self._monotonic = monotonic
        self._refresh_seconds = refresh_seconds
        self._state = status, math.inf
        """With the time from which the refresh that runs has taken too long; replaced together."""
        self._stored: dict[str, tuple[Rejected, ...]] = {}
        self._unreadable: list[Rejected] = []
        self._doubtful_before: set[Rejected] = set()
        """What was in doubt at the last refresh."""
        self._doubtful: set[Rejected] = set()
        self._errors: dict[str, int] = {}
        self._writing = threading.Lock()
        self._forgotten = False

    def forget(self, *, read_whole: bool = False) -> None:
        """Begin anew: another ledger took the place of the one that the source was read into.

        A refresh under way does not count: part of what it read went to the one before. `read_whole` is
        whether the new one has the whole source.
        """
        with self._writing:
            self._forgotten = True
            status, late_from = self._state
            self._state = replace(status, up=None, read_whole=read_whole), late_from

    @property
    def forgotten(self) -> bool:
        """Whether another ledger took the place of the first since the refresh began."""
        return self._forgotten

    @property
    def status(self) -> SourceStatus:
        """The state now: a refresh that should have ended counts as failed, whatever it is waiting for."""
        status, late_from = self._state
        if self._monotonic() <= late_from:
            return status
        errors = {**status.errors, "timeout": status.errors.get("timeout", 0) + 1}
        text = (
            f"its refresh has run for more than {self._refresh_seconds:g} s (timeouts.refresh_seconds) and "
            "has not ended; what is shown of it is from before"
        )
        return replace(status, up=False, last_error=text, errors=errors)

    @property
    def late(self) -> bool:
        """Whether a refresh runs that should have ended."""
        return self._monotonic() > self._state[1]

    @property
    def seconds_left(self) -> float:
        """Until the refresh that runs is late."""
        return self._state[1] - self._monotonic()

    def began(self) -> None:
        """Record that a refresh begins."""
        with self._writing:
            self._forgotten = False
            self._state = self._state[0], self._monotonic() + self._refresh_seconds
        self._unreadable = []
        self._doubtful_before, self._doubtful = self._doubtful, set()

    def stored(self, partition: str, rows: int, rejected: tuple[Rejected, ...]) -> None:
        """Record a stored partition, and what was set aside of it."""
        self._stored[partition] = rejected
        with self._writing:
            status, late_from = self._state
            self._state = replace(status, rows=status.rows + rows), late_from
        for each in rejected:
            self._tell(each)

    def unreadable(self, rejected: Rejected) -> None:
        """Record a partition that could not be read; each refresh retries and reports it."""
        self._unreadable.append(rejected)
        self._tell(rejected)

    def doubtful(self, rejected: Rejected) -> None:
        """Record what counts in doubt: at each refresh, and in the log when it was not in doubt before."""
        self._unreadable.append(rejected)
        self._doubtful.add(rejected)
        self._count(rejected.reason, rejected.count)
        if rejected not in self._doubtful_before:
            self._log(rejected)

    def ended(
        self,
        tally: RefreshTally,
        seconds: float,
        failure: tuple[str, str] | None,
        withheld_usd: Decimal | None = None,
    ) -> None:
        """Record the end of a refresh: `failure` is its reason and text.

        `withheld_usd` are the dollars that would leave the bill and were kept, if any were.
        """
        with self._writing:
            self._ended(tally, seconds, failure, withheld_usd)

    def _ended(
        self,
        tally: RefreshTally,
        seconds: float,
        failure: tuple[str, str] | None,
        withheld_usd: Decimal | None,
    ) -> None:
        status, _ = self._state
        if not self.late:
            self._state = status, math.inf
        elif failure is None or failure[0] != "timeout":
            self._count("timeout", 1)
        if failure:
            failure = failure[0], shown_line(failure[1])
            if not self._forgotten:
                self._count(failure[0], 1)
                # What is withheld stays so for hours: it is logged once.
                if withheld_usd is None or failure[1] != status.last_error:
                    logger.error("%s: %s", status.name, failure[1])
        succeeded = failure is None and not self._forgotten
        ended = replace(
            status,
            up=None if self._forgotten else succeeded,
            failed_with=failure[0] if failure else "",
            read_whole=status.read_whole or succeeded,
            last_success=self._clock() if succeeded else status.last_success,
            last_error=failure[1] if failure else "",
            rejected=(*itertools.chain.from_iterable(self._stored.values()), *self._unreadable),
            refresh_duration_seconds=seconds,
            withheld_usd=withheld_usd,
            errors=dict(self._errors),
            requests=status.requests + tally.requests,
            billed_bytes=status.billed_bytes + tally.billed_bytes,
            series_returned=status.series_returned + tally.series_returned,
        )
        self._state = ended, math.inf

    def _tell(self, each: Rejected) -> None:
        self._count(each.reason, each.count)
        self._log(each)

    def _log(self, each: Rejected) -> None:
        name = self._state[0].name
        logger.warning("%s: %s: %d x %s: %s", name, each.place, each.count, each.reason, each.detail)

    def _count(self, reason: str, count: int) -> None:
        self._errors[reason] = self._errors.get(reason, 0) + count
