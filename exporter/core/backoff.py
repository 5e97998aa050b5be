"""Exponential back-off with jitter, with a time limit for each call and for a whole refresh."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from exporter.core.errors import SourceError

REQUEST_SECONDS = 30.0
"""For one whole request: APIs of bills answer within some seconds, and rarely in more than ten."""

REFRESH_TOO_LONG = (
    "the refresh took longer than timeouts.refresh_seconds allows; what it has read stays, and the next one "
    "goes on from there: see why the other side is slow, or allow more"
)

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Backoff:
    """How long to keep trying. Each refresh has its own, because it adds up the waiting."""

    call_seconds: float = 60.0
    """From the first attempt of a call; after this time no further attempt starts."""
    total_seconds: float = 300.0
    """Limit for the waiting of all calls together."""
    first_seconds: float = 1.0
    longest_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """Uniform in [0, 1)."""
    monotonic: Callable[[], float] = time.monotonic
    stopping: Callable[[], bool] = lambda: False
    seconds_left: Callable[[], float] = lambda: math.inf
    """Until the whole refresh must have ended."""
    waited_seconds: float = field(default=0.0, init=False)

    def limited(self, seconds: float) -> float:
        """Return how long one request may take: so many seconds, or what is left of the refresh."""
        return max(0.0, min(seconds, self.seconds_left()))

    def call(
        self,
        attempt: Callable[[], _Result],
        failures: tuple[type[Exception], ...],
        is_transient: Callable[[Exception], bool],
        requested_wait: Callable[[Exception], float] = lambda _error: 0.0,
    ) -> _Result:
        """Return the attempt's result; retry while its failures are temporary, else raise.

        `requested_wait` returns the wait in seconds that a failure requests: no wait is shorter, and if it is
        longer than the time that is left, the failure is raised at once. Raises SourceError `timeout` where
        the refresh has no time left.
        """
        began = self.monotonic()
        delay = self.first_seconds
        while True:
            if self.seconds_left() <= 0:
                raise SourceError("timeout", REFRESH_TOO_LONG)
            try:
                return attempt()
            except failures as error:
                wait = max(delay * (0.5 + self.jitter() / 2), requested_wait(error))
                late = self.monotonic() + wait > began + self.call_seconds or wait >= self.seconds_left()
                spent = self.waited_seconds + wait > self.total_seconds
                if late or spent or self.stopping() or not is_transient(error):
                    raise
            self.waited_seconds += wait
            self.sleep(wait)
            delay = min(delay * 2, self.longest_seconds)
