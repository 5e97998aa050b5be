"""When to estimate: after a refresh that changed the ledger, at each new hour, and once a day to grade.

It rests between estimations, so that they use a tenth of a core and no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from exporter.ledger.opening import LedgerError
from exporter.refresh.builder import SnapshotBuilder
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.estimation.job import Task
from exporter.refresh.health import Health

logger = logging.getLogger(__name__)

_LEAST_REST_SECONDS = 5.0
"""Between two estimations, so that sources that finish one after the other are estimated together."""

_LONGEST_WAIT_SECONDS = 15.0
"""The clock is checked at least this often, so that an hour that begins is noticed."""

_GRADE_EVERY = timedelta(hours=24)

_AFTER_FAILURE_SECONDS = 15.0
"""Until an estimation that failed is tried again; twice as long after each further failure."""

_LONGEST_AFTER_FAILURE_SECONDS = 900.0


class EstimationLoop:
    """Keeps estimates and grades current, and gives them to the builder of snapshots."""

    def __init__(
        self,
        estimator: Estimator,
        builder: SnapshotBuilder,
        healths: Mapping[str, Health],
        clock: Callable[[], datetime],
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when there is something new to show."""
        self._estimator = estimator
        self._builder = builder
        self._healths = healths
        self._clock = clock
        self._changed = changed
        self._soon = threading.Event()
        self._stopping = threading.Event()

    def soon(self) -> None:
        """Estimate as soon as it has rested: the ledger may have changed."""
        self._soon.set()

    def stop(self) -> None:
        """End `run`, and the estimation that is running."""
        self._stopping.set()
        self._soon.set()
        self._estimator.stop()

    def run(self) -> None:
        """Estimate when the ledger has changed or an hour has begun; grade once a day; until `stop`.

        Nothing is estimated before each source of a bill has been tried once: missing cost would look like a
        fall. Sources that were never read to their end are left out. After each estimation it rests nine
        times the CPU time that it took, so that it uses a tenth of a core; but not once a billing day has
        ended, whose estimates show nothing any more. One that failed is tried again, though nothing has
        changed.
        """
        failures = 0
        estimated: object = None
        tried_at = datetime.min.replace(tzinfo=UTC)
        graded_at: float | None = None
        while not self._stopping.is_set():
            started = time.monotonic()
            worked = before = self._estimator.worked_seconds
            succeeded = True
            self._soon.clear()
            if self._bills_tried():
                now = self._clock()
                state = self._state_to_estimate(now)
                if state != estimated:
                    estimated, tried_at = state, now
                    succeeded = self._estimate("outlooks", now)
                    if not succeeded:
                        # Room for it, on the disk or in memory, changes nothing in the ledger.
                        estimated = None
                worked = self._estimator.worked_seconds
                due = graded_at is None or started - graded_at > _GRADE_EVERY.total_seconds()
                if due and self._estimator.outlooks:
                    graded_at = started
                    # The month's forecast follows from how past ones turned out.
                    if not self._estimate("grades", now):
                        succeeded, graded_at = False, None
                    elif not self._estimate("outlooks", now):
                        succeeded, estimated = False, None
                failures = 0 if succeeded else failures + 1
            # Room on a disk is looked for every time, as by those who store.
            pause = 0.0 if self._estimator.disk_full else _pause_seconds(failures)
            self._rest(max(_LEAST_REST_SECONDS, 9 * (worked - before), pause), tried_at)
            self._soon.wait(_LONGEST_WAIT_SECONDS)

    def _rest(self, seconds: float, tried_at: datetime) -> None:
        """Wait for so long, or until a billing day has ended for which nothing was estimated since."""
        ends = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := ends - time.monotonic()) > 0:
            now = self._clock()
            ended = len(self._estimator.holding(now)) < len(self._estimator.outlooks)
            # Once in an hour: one that fails again and again must not run without a pause.
            if ended and _hour(now) != _hour(tried_at):
                self._soon.set()
                return
            self._stopping.wait(min(left, _LEAST_REST_SECONDS))

    def _bills_tried(self) -> bool:
        statuses = [health.status for health in self._healths.values()]
        return all(status.up is not None for status in statuses if status.reads_bill)

    def _state_to_estimate(self, now: datetime) -> object:
        try:
            return _hour(now), self._builder.ledger_state()
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)
            return None

    def _estimate(self, task: Task, now: datetime) -> bool:
        estimator = self._estimator
        shown = [name for name, health in self._healths.items() if health.status.shown]
        succeeded = estimator.run(task, now, shown)
        if succeeded and task == "outlooks":
            self._builder.keep_estimates(estimator.outlooks)
        self._builder.take_estimates(estimator.grades, estimator.outcomes)
        self._changed()
        return succeeded


def _pause_seconds(failures: int) -> float:
    """How long to rest after so many failures, one after the other."""
    if not failures:
        return 0.0
    return min(_AFTER_FAILURE_SECONDS * 2.0 ** min(failures - 1, 10), _LONGEST_AFTER_FAILURE_SECONDS)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
