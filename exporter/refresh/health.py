"""The health of one source: the results of its refreshes, as an immutable status for all threads."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from exporter.sources.base import RefreshTally, Rejected, Source, reads_bill
from exporter.sources.status import SourceStatus

logger = logging.getLogger(__name__)


class Health:
    """Written by the one thread that refreshes the source; all threads may read `status`."""

    def __init__(
        self,
        source: Source,
        clock: Callable[[], datetime],
        *,
        interval: timedelta,
        read_whole: bool = False,
    ) -> None:
        """`read_whole`: whether an earlier process has read it to its end."""
        self.status = SourceStatus(
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
        self._stored: dict[str, tuple[Rejected, ...]] = {}
        self._unreadable: list[Rejected] = []
        self._doubtful_before: set[Rejected] = set()
        """What was in doubt at the last refresh."""
        self._doubtful: set[Rejected] = set()
        self._errors: dict[str, int] = {}

    def began(self) -> None:
        """Record that a refresh begins."""
        self._unreadable = []
        self._doubtful_before, self._doubtful = self._doubtful, set()

    def stored(self, partition: str, rows: int, rejected: tuple[Rejected, ...]) -> None:
        """Record a stored partition, and what was set aside of it."""
        self._stored[partition] = rejected
        self.status = replace(self.status, rows=self.status.rows + rows)
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
        if failure:
            self._count(failure[0], 1)
        # What is withheld stays so for hours: it is told once.
        if failure and not (withheld_usd is not None and failure[1] == self.status.last_error):
            logger.error("%s: %s", self.status.name, failure[1])
        self.status = replace(
            self.status,
            up=failure is None,
            read_whole=self.status.read_whole or failure is None,
            last_success=self.status.last_success if failure else self._clock(),
            last_error=failure[1] if failure else "",
            rejected=(*itertools.chain.from_iterable(self._stored.values()), *self._unreadable),
            refresh_duration_seconds=seconds,
            withheld_usd=withheld_usd,
            errors=dict(self._errors),
            requests=self.status.requests + tally.requests,
            billed_bytes=self.status.billed_bytes + tally.billed_bytes,
            series_returned=self.status.series_returned + tally.series_returned,
        )

    def _tell(self, each: Rejected) -> None:
        self._count(each.reason, each.count)
        self._log(each)

    def _log(self, each: Rejected) -> None:
        name = self.status.name
        logger.warning("%s: %s: %d x %s: %s", name, each.place, each.count, each.reason, each.detail)

    def _count(self, reason: str, count: int) -> None:
        self._errors[reason] = self._errors.get(reason, 0) + count
