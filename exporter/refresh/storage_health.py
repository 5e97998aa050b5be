"""What a snapshot says of the ledger's file and of the disks that the exporter writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from exporter.core.disk_space import DISK_FULL
from exporter.history.log import HistoryLog
from exporter.ledger.charges.store import Ledger
from exporter.ledger.setting_aside import damaged_files
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.refresh.estimation.estimator import Estimator

_DISK_FULL_NOTE = (
    "a disk is full: nothing new is stored, the last figures stay; free space, it is tried again every minute"
)


class StorageHealth:
    """Read anew for each snapshot."""

    def __init__(
        self,
        ledger: Ledger,
        estimator: Estimator,
        log: HistoryLog | None,
        failures: Callable[[], Iterable[str]],
    ) -> None:
        """`failures` returns the reasons why sources failed the last time."""
        self._ledger = ledger
        self._estimator = estimator
        self._log = log
        self._failures = failures

    def families(self) -> list[FamilySamples]:
        """Return whether a disk is full, and when the ledger was last replaced."""
        replaced_at = self._replaced_at()
        when = [] if replaced_at is None else [((), replaced_at.timestamp())]
        return [
            FamilySamples(metrics.SPEND_DISK_FULL, [((), float(self._disk_full()))]),
            FamilySamples(metrics.SPEND_LEDGER_DAMAGED_TIMESTAMP, when),
        ]

    def notes(self) -> tuple[str, ...]:
        """Return sentences for people."""
        full = (_DISK_FULL_NOTE,) if self._disk_full() else ()
        loss = self._ledger.file.loss
        return (*full, loss) if loss and self._replaced_at() is not None else full

    def _disk_full(self) -> bool:
        """Whether anything could not be written the last time, because there was no room."""
        return (
            self._ledger.file.write_failure == DISK_FULL
            or self._estimator.disk_full
            or (self._log is not None and self._log.disk_full)
            or DISK_FULL in self._failures()
        )

    def _replaced_at(self) -> datetime | None:
        """When that was; None again once people have removed the damaged file."""
        path, file = self._ledger.path, self._ledger.file
        damaged = [when for when, _ in damaged_files(path)] if path is not None else []
        gone = [file.gone_at] if file.gone_at is not None else []
        return max((*damaged, *gone), default=None)
