"""When a snapshot is built: as soon as something has changed, and at each quarter hour.

Billing days may end at quarter hours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from exporter.history.log import HistoryLog
from exporter.refresh.builder import SnapshotBuilder
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.freed_memory import give_back_freed_memory
from exporter.refresh.health import Health
from exporter.refresh.timing import QUARTER, Wait, quarter

logger = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 15.0
"""The clock is checked at least this often, so that one that jumps is noticed."""


class BuildingLoop:
    """Builds snapshots, and keeps a line of the history log for each that is due."""

    def __init__(
        self,
        builder: SnapshotBuilder,
        estimator: Estimator,
        healths: Mapping[str, Health],
        log: HistoryLog | None,
        *,
        clock: Callable[[], datetime],
        wait: Wait,
        stopping: threading.Event,
    ) -> None:
        self._builder = builder
        self._estimator = estimator
        self._healths = healths
        self._log = log
        self._clock = clock
        self._wait = wait
        self._stopping = stopping
        self._changed = threading.Event()
        self._late: set[str] = set()
        """Sources whose refresh should have ended, as the last snapshot shows."""

    def wake(self) -> None:
        """Build a snapshot soon. Any thread may call it."""
        self._changed.set()

    def run(self) -> None:
        """Build when something has changed or a counter was zero long enough, until `stopping` is set."""
        while not self._stopping.is_set():
            now = self._clock()
            until_next = (quarter(now) + QUARTER - now).total_seconds()
            self._wait(self._changed, min(until_next, _LONGEST_WAIT_SECONDS))
            if self._due() or self._changed.is_set():
                self._changed.clear()
                self._build()
                give_back_freed_memory()

    def _due(self) -> bool:
        now = self._clock()
        due = self._builder.counters.due(now) or quarter(now) != quarter(self._builder.snapshot.built_at)
        return self._found_late() or due

    def _build(self) -> None:
        holding = self._estimator.holding(self._clock())
        pending = not self._estimator.outcomes or len(holding) < len(self._estimator.outlooks)
        self._builder.rebuild(estimated=holding, estimates_pending=pending)
        # A line without estimates would say that there are none: wait until they have been tried.
        if self._log is not None and self._estimator.outcomes:
            self._log.keep(self._builder.snapshot, self._clock())

    def _found_late(self) -> bool:
        """Log refreshes that should have ended, and return whether there is a new one."""
        late = {name for name, health in self._healths.items() if health.late}
        new = late - self._late
        for name in sorted(new):
            logger.error("%s: %s", name, self._healths[name].status.last_error)
        self._late = late
        return bool(new)
