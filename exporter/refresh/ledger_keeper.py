"""Looks after the ledger's file: has it mended where it is damaged or gone, keeps its counters beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import duckdb

from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.kept_counters import keep_counters
from exporter.ledger.opening import LedgerError
from exporter.refresh.freed_memory import give_back_freed_memory
from exporter.refresh.health import Health

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 5.0
"""DuckDB does not notice that its file is gone; to look costs one call of the system."""

KEEP_COUNTERS_EVERY_SECONDS: Final = 15.0
"""Writing the counters of 10,000 series takes a twentieth of a second."""


class LedgerKeeper:
    """For one thread; `stop` may be called from any."""

    def __init__(
        self,
        ledger: Ledger,
        healths: Mapping[str, Health],
        clock: Callable[[], datetime],
        replacing: Callable[[], None],
        replaced: Callable[[], None],
    ) -> None:
        """`replacing` is called before another file takes the place of the ledger's, `replaced` after it."""
        self._ledger = ledger
        self._healths = healths
        self._clock = clock
        self._replacing = replacing
        self._replaced = replaced
        self._stopping = threading.Event()
        self._kept: tuple[int, int] | None = None
        self._kept_at = 0.0
        self._told = ""

    def run(self) -> None:
        """Look after the file until `stop`."""
        file = self._ledger.file
        while not self._stopping.is_set():
            if not file.troubled.wait(LOOK_EVERY_SECONDS):
                file.look()
                if file.free_memory():
                    give_back_freed_memory()
            if self._stopping.is_set():
                break
            if file.troubled.is_set():
                self._mend()
            elif time.monotonic() - self._kept_at >= KEEP_COUNTERS_EVERY_SECONDS:
                self.keep_counters()
        self.keep_counters()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()
        self._ledger.file.troubled.set()

    def keep_counters(self) -> None:
        """Write the counters next to the ledger, where they have changed."""
        file = self._ledger.file
        state = file.generation, file.commits
        if file.path is None or file.read_only or state == self._kept:
            return
        self._kept_at = time.monotonic()
        try:
            with file.reading() as connection:
                keep_counters(connection, file.path)
        except (LedgerError, duckdb.Error, OSError) as error:
            self._tell(f"the counters of ledger {file.path} could not be kept beside it: {error}")
            return
        self._kept = state

    def _mend(self) -> None:
        file = self._ledger.file
        generation = file.generation
        try:
            loss = file.mend(self._clock(), self._forget)
            if file.generation != generation:
                # What a restored file has been read into is known only now.
                whole = FirstReads(self._ledger).whole()
                for name, health in self._healths.items():
                    if name in whole:
                        health.forget(read_whole=True)
                self._replaced()
        except LedgerError as error:
            self._tell(str(error))
            self._stopping.wait(LOOK_EVERY_SECONDS)
            return
        self._told = ""
        if loss:
            logger.error("%s", loss)

    def _forget(self) -> None:
        self._replacing()
        for health in self._healths.values():
            health.forget()

    def _tell(self, text: str) -> None:
        """Log it, once for as long as it is so."""
        if text != self._told:
            self._told = text
            logger.error("%s", text)
