"""When a source is refreshed next, and a snapshot is due; and how a long refresh tells its progress."""

from __future__ import annotations

import logging
import random
import time
from datetime import datetime, timedelta

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 15.0
"""Wait after a first failure; it doubles with each further one, up to the ordinary interval."""

QUARTER = timedelta(minutes=15)

_TELL_PROGRESS_SECONDS = 2.0


def wait_seconds(failures: int, interval: timedelta, chance: random.Random) -> float:
    """Return how long to wait: the interval, or after failures an exponential back-off with jitter."""
    if not failures:
        return interval.total_seconds()
    longest: float = min(interval.total_seconds(), FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20))
    return longest * chance.uniform(0.5, 1.0)


class Progress:
    """Tells how far a refresh is, now and then; the quick ones pass in silence."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._due = time.monotonic() + _TELL_PROGRESS_SECONDS

    def __call__(self, text: str) -> None:
        """Log the text, if the last one was long enough ago."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _TELL_PROGRESS_SECONDS
            logger.info("%s: %s", self._source, text)


def quarter(moment: datetime) -> datetime:
    """The quarter hour that a moment lies in; every zone's midnight begins one."""
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)
