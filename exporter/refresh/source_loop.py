"""When a source is refreshed: at once, then at its interval, sooner after a failure or when it is woken."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta

from exporter.core.disk_space import DISK_FULL
from exporter.ledger.withheld import WithheldRetractions
from exporter.refresh.health import Health
from exporter.refresh.timing import Wait, wait_seconds

_LOOK_FOR_ACCEPTANCE_SECONDS = 3.0
"""How soon the exporter takes up what a person has accepted."""


class SourceLoop:
    """Refreshes one source again and again."""

    def __init__(
        self,
        health: Health,
        refresh: Callable[[], bool],
        *,
        withheld: WithheldRetractions,
        interval: timedelta,
        chance: random.Random,
        wait: Wait,
        stopping: threading.Event,
    ) -> None:
        """`refresh` refreshes the source now and returns whether it succeeded; `chance` spreads retries."""
        self._health = health
        self._refresh = refresh
        self._withheld = withheld
        self._interval = interval
        self._chance = chance
        self._wait = wait
        self._stopping = stopping
        self._wake = threading.Event()

    def wake(self) -> None:
        """Refresh before its time. Any thread may call it."""
        self._wake.set()

    def run(self) -> None:
        """Refresh until `stopping` is set and the loop is woken."""
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self._refresh() else failures + 1
            full = self._health.status.failed_with == DISK_FULL
            self._await_turn(wait_seconds(failures, self._interval, self._chance, disk_full=full))
            if not self._stopping.is_set():
                self._wake.clear()

    def _await_turn(self, seconds: float) -> None:
        """Wait for the next refresh; while something is withheld no longer than until it is accepted."""
        status = self._health.status
        while status.withheld_usd is not None and seconds > _LOOK_FOR_ACCEPTANCE_SECONDS:
            if self._wait(self._wake, _LOOK_FOR_ACCEPTANCE_SECONDS):
                return
            if self._withheld.accepted(status.name) is not None:
                return
            seconds -= _LOOK_FOR_ACCEPTANCE_SECONDS
            status = self._health.status
        self._wait(self._wake, seconds)
