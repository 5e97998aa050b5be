"""The ledger's open file, for several threads: one writes at a time, any number read.

After a failure of DuckDB itself nobody gets in before the file has been opened again, or replaced.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.disk_space import DISK_FULL, is_disk_full
from exporter.ledger.engine_failures import concerns_ledger, first_line, is_damage
from exporter.ledger.file_watch import FileWatch
from exporter.ledger.kept_counters import keep_counters
from exporter.ledger.opening import DAMAGED, LedgerError, open_ledger_file
from exporter.ledger.replacing_lost import Opened, open_or_replace

logger = logging.getLogger(__name__)

_IDLE_MEMORY: Final = "12MB"
"""What may stay in memory while nobody reads or writes."""

_CLOSING_ROUND_SECONDS: Final = 0.1
_CLOSING_ROUNDS: Final = 100
"""How often queries are ended for those who are inside to leave: ten seconds."""

_READERS_SECONDS: Final = 60.0
"""How long those who are still reading may take before the file is opened again."""


class OpenFile:
    """The connection to the ledger's file, or to a ledger in memory."""

    def __init__(self, path: Path | None, memory_limit: str, mend_at: datetime | None = None) -> None:
        """Open or create it; with `mend_at`, the present, a damaged one is replaced. Raises LedgerError."""
        self.path = path
        self._memory_limit = memory_limit
        self._writer = threading.Lock()
        self._entrance = threading.Condition()
        self._in_use: list[duckdb.DuckDBPyConnection] = []
        """One for each who is inside."""
        self._closed = False
        self._used = False
        """Whether anybody was inside since memory was given back."""
        self._trouble: LedgerError | None = None
        self._spill: Path | None = None
        self.troubled = threading.Event()
        """Set while the file is to be mended; see `mend`."""
        self.generation = 0
        """How often another file took the place of the one before."""
        self.commits = 0
        self.write_failure = ""
        """The reason why the last change could not be written; empty where it was."""
        self.loss = ""
        """What happened to the ledger that this one replaced, as in Opened."""
        self.gone_at: datetime | None = None
        """As in Opened."""
        self._watch: FileWatch | None = None
        if path is None or mend_at is None:
            self._take(Opened(*open_ledger_file(path, memory_limit)))
        else:
            self._take(open_or_replace(path, memory_limit, mend_at))
        self._trusted()
        self._identity: tuple[int, int] | None = self._watch.identity if self._watch is not None else None

    def spill_to(self, folder: Path) -> None:
        """Put what does not fit into memory into an existing folder from now on."""
        self._spill = folder
        self._connection.execute("SET temp_directory = ?", [str(folder / "ledger")])

    def close(self) -> None:
        """Close the file; committed data stays.

        Queries that still run are ended: beside them DuckDB refuses to close.
        """
        with self._entrance:
            self._closed = True
            for _ in range(_CLOSING_ROUNDS):
                for connection in self._in_use:
                    # One that was just closed is leaving.
                    with suppress(duckdb.Error):
                        connection.interrupt()
                # Who was between two queries begins one more.
                if self._entrance.wait_for(lambda: not self._in_use, _CLOSING_ROUND_SECONDS):
                    break
            else:
                logger.warning("ledger %s is still read; it is closed by the end of the process", self.path)
                return
            self._connection.close()
        self._end_watching()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield one consistent state for reading. Raises LedgerError where the file itself fails."""
        with self._entered() as connection:
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
            except duckdb.Error as error:
                if self._closed:
                    raise self._refusal() from error
                if concerns_ledger(error):
                    raise self._distrusted(error) from error
                raise

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the block as one transaction of the one writer. Raises LedgerError where DuckDB fails."""
        if self.read_only:
            raise LedgerError(
                "ledger_read_only",
                f"ledger {self.path} may not be written by this user, so nothing new is stored: make the "
                "file and its folder writable, then restart",
            )
        with self._writer, self._entered() as connection:
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except duckdb.Error as error:
                connection.close()
                if self._closed:
                    raise self._refusal() from error
                raise self._unwritten(error) from error
            self.commits += 1
            self.write_failure = ""

    def free_memory(self) -> bool:
        """Give back the pages that DuckDB keeps for a next query; return whether there was anything to do.

        It keeps what it has read until its memory limit is reached. Nobody gets in while the limit is low.
        """
        with self._entrance:
            if self.path is None or self._in_use or self._trouble is not None or not self._used:
                return False
            self._used = False
            with suppress(duckdb.Error), self._connection.cursor() as connection:
                try:
                    # Where more cannot be put away, DuckDB leaves the limit as it was.
                    connection.execute("SET memory_limit = ?", [_IDLE_MEMORY])
                finally:
                    connection.execute("SET memory_limit = ?", [self._memory_limit])
        return True

    def look(self) -> None:
        """Notice that the file is gone, or is another one: DuckDB works on without it until it is closed."""
        watch = self._watch
        if watch is not None and not self.troubled.is_set() and (problem := watch.problem()):
            self._distrust(LedgerError(DAMAGED, f"{problem}; a new one is made"))

    def mend(self, now: datetime, replacing: Callable[[], None]) -> str | None:
        """Open the file again, or a new one where it is damaged or gone.

        Returns what was lost, empty where nothing was, None where nothing was to be done. `replacing` is
        called where another file takes its place, before anybody gets in. Raises LedgerError, after which it
        is still to be done.
        """
        with self._entrance:
            trouble = self._trouble
            if trouble is None or self.path is None:
                return None
            if not self._entrance.wait_for(lambda: not self._in_use, _READERS_SECONDS):
                raise trouble
            self._rescue_counters(self.path)
            self._close_quietly()
            opened = open_or_replace(self.path, self._memory_limit, now, seen=trouble.cause)
            self._take(opened)
            identity = self._watch.identity if self._watch is not None else None
            if identity != self._identity or opened.loss:
                replacing()
                self.generation += 1
            self._identity = identity
            self._trusted()
            return opened.loss

    def _take(self, opened: Opened) -> None:
        self._connection, self.read_only = opened.connection, opened.read_only
        if opened.loss:
            self.loss, self.gone_at = opened.loss, opened.gone_at
        self._begin_watching()

    def _begin_watching(self) -> None:
        if self.path is None:
            return
        try:
            self._watch = FileWatch(self.path)
        except OSError as error:
            self._connection.close()
            raise LedgerError(DAMAGED, f"ledger {self.path} is gone ({error.strerror})") from error

    def _end_watching(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _trusted(self) -> None:
        if self._spill is not None:
            self._spill.mkdir(parents=True, exist_ok=True)
            self.spill_to(self._spill)
        self._trouble = None
        self.troubled.clear()

    @contextmanager
    def _entered(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._entrance:
            if self._closed:
                raise self._refusal()
            if self._trouble is not None:
                self._open_again(self._trouble)
            connection = self._cursor()
            self._in_use.append(connection)
            self._used = True
        try:
            yield connection
        finally:
            connection.close()
            with self._entrance:
                self._in_use.remove(connection)
                self._entrance.notify_all()

    def _refusal(self) -> LedgerError:
        return LedgerError("ledger_unusable", f"ledger {self.path} is closed: the exporter is stopping")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.cursor()
        except duckdb.Error as error:
            raise self._distrusted(error) from error

    def _open_again(self, trouble: LedgerError) -> None:
        """Open the same file again, where it is not damaged and nobody is inside. Raises LedgerError."""
        if trouble.reason == DAMAGED or self._in_use or self.path is None:
            raise trouble
        self._close_quietly()
        self._take(Opened(*open_ledger_file(self.path, self._memory_limit)))
        self._trusted()

    def _unwritten(self, error: duckdb.Error) -> LedgerError:
        text = first_line(error)
        if is_disk_full(error):
            failure = LedgerError(
                DISK_FULL,
                f"no room to write ledger {self.path}: free space there; nothing was stored in part, and "
                f"it is tried again at the next refresh ({text})",
            )
        else:
            failure = LedgerError("ledger_write", f"cannot write ledger {self.path}: {text}")
        self.write_failure = failure.reason
        if concerns_ledger(error):
            distrusted = self._distrusted(error)
            return distrusted if distrusted.reason == DAMAGED else failure
        if not self._answers():
            self._distrust(failure)
        return failure

    def _answers(self) -> bool:
        """Whether DuckDB still works: after a failed write it may refuse all further work on the file."""
        try:
            with self._entrance, self._connection.cursor() as connection:
                connection.execute("SELECT count(*) FROM partition").fetchall()
        except duckdb.Error:
            return False
        return True

    def _distrusted(self, error: duckdb.Error) -> LedgerError:
        text = first_line(error)
        if is_damage(error) and not is_disk_full(error):
            why = LedgerError(
                DAMAGED,
                f"ledger {self.path} is damaged ({text}): `spend-exporter serve` sets it aside, at its start "
                "or while it runs, and fills a new one from the sources",
                text,
            )
        else:
            why = LedgerError(
                "ledger_unusable", f"ledger {self.path} is opened again, because of: {text}", text
            )
        self._distrust(why)
        return why

    def _distrust(self, why: LedgerError) -> None:
        with self._entrance:
            if self.path is not None and self._trouble is None:
                self._trouble = why
                self.troubled.set()

    def _rescue_counters(self, path: Path) -> None:
        """Keep the latest counters where they can still be read; otherwise those kept before have to do."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            keep_counters(self._connection.cursor(), path)
        except (duckdb.Error, OSError) as error:
            logger.debug("the latest counters of %s cannot be read: %s", path, error)

    def _close_quietly(self) -> None:
        with suppress(duckdb.Error):
            self._connection.close()
        self._end_watching()
