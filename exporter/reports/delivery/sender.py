"""Sends each report when it is due, and again until it is taken; what was taken is remembered.

A report is remembered after it was taken: a crash in between sends it again, with the same id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import duckdb

from exporter.core.errors import SourceError
from exporter.ledger.opening import LedgerError
from exporter.questions.problem import QuestionError
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.delivery.destination import DeliveryError, Destination
from exporter.reports.delivery.schedule import Schedule
from exporter.reports.delivery.sent import SentError, SentReports
from exporter.reports.delivery.status import DeliveryStatus
from exporter.reports.period import ReportPeriod

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 15.0
_LOOK_AT_START_SECONDS: Final = 1.0
_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)

_FAILURES: Final = (DeliveryError, SourceError, QuestionError, LedgerError, SentError, duckdb.Error)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A report with its schedule, its parameters without a period, and where it is sent."""

    name: str
    schedule: Schedule
    parameters: ReportParameters
    destinations: Sequence[Destination]


@dataclass(slots=True)
class _Waiting:
    """A delivery that has failed."""

    until: datetime
    pause: timedelta = field(default=_FIRST_WAIT)


class ReportSender:
    """Sends reports in a thread of its own: call `run` there, and `stop` from any other."""

    def __init__(
        self,
        reports: Sequence[Scheduled],
        make: Callable[[ReportParameters], Report],
        sent: SentReports,
        *,
        clock: Callable[[], datetime],
        ready: Callable[[], bool] = lambda: True,
        status: DeliveryStatus | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`ready` says whether the bills have been read since the start, so that figures are up to date.

        `changed` is called when `status` has changed.
        """
        self._reports = reports
        self._make = make
        self._sent = sent
        self._clock = clock
        self._ready = ready
        self._status = status or DeliveryStatus()
        self._changed = changed
        self._stopping = threading.Event()
        self._waiting: dict[tuple[str, str], _Waiting] = {}

    def run(self) -> None:
        """Send what becomes due until `stop`."""
        while not self._stopping.is_set():
            self.send_due()
            self._stopping.wait(_LOOK_SECONDS if self._ready() else _LOOK_AT_START_SECONDS)

    def stop(self) -> None:
        """End `run`; a report that is being sent is not interrupted."""
        self._stopping.set()

    def send_due(self) -> None:
        """Send each report once that is due and was not taken yet."""
        for report in self._reports:
            for destination in report.destinations:
                if not self._stopping.is_set():
                    self._send(report, destination)

    def _send(self, report: Scheduled, destination: Destination) -> None:
        key, now = (report.name, destination.kind), self._clock()
        waiting = self._waiting.get(key)
        if waiting is not None and now < waiting.until:
            return
        period = report.schedule.latest_due(now)
        try:
            last = self._sent.last(*key)
            if last is None:
                self._sent.note(*key, period.name, now, sent=False)
            elif last != period.name and not self._ready():
                return
            elif last != period.name:
                self._deliver(report, destination, period)
        except _FAILURES as error:
            self._try_later(key, now, period, error)
            sent = False
        else:
            self._waiting.pop(key, None)
            sent = True
        if self._status.note(*key, sent=sent):
            self._changed()

    def _deliver(self, report: Scheduled, destination: Destination, period: ReportPeriod) -> None:
        made = self._make(of_period(report.parameters, period))
        destination.send(report.name, made)
        self._sent.note(report.name, destination.kind, period.name, self._clock(), sent=True)
        logger.info("report %s: %s was sent (%s)", report.name, period.name, destination.kind)

    def _try_later(self, key: tuple[str, str], now: datetime, period: ReportPeriod, error: Exception) -> None:
        waiting = self._waiting.get(key)
        pause = min(waiting.pause * 2, _LONGEST_WAIT) if waiting else _FIRST_WAIT
        if isinstance(error, DeliveryError) and not error.transient:
            pause = _LONGEST_WAIT
        self._waiting[key] = _Waiting(now + pause, pause)
        minutes = pause / timedelta(minutes=1)
        # The text is complete, and of a trace nothing may be shown that could hold a secret.
        logger.error(
            "report %s: %s was not sent (%s): %s; tried again in %g minutes",
            key[0],
            period.name,
            key[1],
            error,
            minutes,
        )


def of_period(parameters: ReportParameters, period: ReportPeriod) -> ReportParameters:
    """Return the parameters of the report on a period."""
    return parameters.model_copy(update={period.kind: period.name})
