"""When a source is refreshed next, when a snapshot is due, and what the log says of a refresh."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from exporter.core.byte_sizes import size_text
from exporter.sources.base import RefreshTally

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 15.0
"""Wait after a first failure; it doubles with each further failure, up to the ordinary interval."""

LONGEST_RETRY_ON_FULL_DISK_SECONDS = 60.0
"""Trying costs little, and people who have made room want to see that it was enough."""

QUARTER = timedelta(minutes=15)

_TELL_PROGRESS_SECONDS = 2.0

Wait = Callable[[threading.Event, float], bool]
"""Waits until the event is set, for at most this many seconds; returns whether it is."""


def wait_seconds(
    failures: int, interval: timedelta, chance: random.Random, *, disk_full: bool = False
) -> float:
    """Return how long to wait: the interval, or after failures an exponential back-off with jitter."""
    if not failures:
        return interval.total_seconds()
    longest: float = min(interval.total_seconds(), FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20))
    if disk_full:
        longest = min(longest, LONGEST_RETRY_ON_FULL_DISK_SECONDS)
    return longest * chance.uniform(0.5, 1.0)


class Progress:
    """Logs the progress of a refresh from time to time; a quick refresh logs nothing."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._due = time.monotonic() + _TELL_PROGRESS_SECONDS

    def __call__(self, text: str) -> None:
        """Log the text, if the last one was long enough ago."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _TELL_PROGRESS_SECONDS
            logger.info("%s: %s", self._source, text)


def use_text(tally: RefreshTally) -> str:
    """Return what a refresh used beside time, for the end of its line in the log; empty for local files."""
    used = [f", {tally.requests:,} requests"] if tally.requests else []
    if tally.billed_bytes:
        used.append(f", {size_text(tally.billed_bytes)} billed")
    if tally.series_returned:
        used.append(f", {tally.series_returned:,} series")
    return "".join(used)


def quarter(moment: datetime) -> datetime:
    """The start of a moment's quarter hour; every zone's midnight is one."""
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)
