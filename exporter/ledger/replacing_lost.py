"""Opens the ledger's file whatever has become of it: one that is damaged or gone is replaced by a new one."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from exporter.ledger.engine_failures import is_damage_of_log
from exporter.ledger.file_watch import BEGIN_BYTES, MARK
from exporter.ledger.kept_counters import counters_file, restore_counters
from exporter.ledger.opening import DAMAGED, LedgerError, failure_of, is_there, open_ledger_file
from exporter.ledger.setting_aside import set_aside
from exporter.ledger.verification import verify

logger = logging.getLogger(__name__)

NOT_REBUILT: Final = (
    "past estimates, so that the nowcast has no grades until new ones are judged; what remote write has "
    "delivered, so that it sends all of it again; charges that no source reports any more"
)
"""What a ledger has and its sources do not."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open ledger."""

    connection: duckdb.DuckDBPyConnection
    read_only: bool
    loss: str = ""
    """What happened to the one before, and what it means, in one line; empty where nothing was lost."""
    gone_at: datetime | None = None
    """When the one before was found to be gone; None where its damaged file has the time."""


def open_or_replace(path: Path, memory_limit: str, now: datetime, *, seen: str = "") -> Opened:
    """Open the ledger; set it aside and begin a new one where it is damaged or gone.

    `seen` is the text of a failure that looked like damage, which counts where reading everything takes too
    long to be sure. Raises LedgerError where it cannot be opened for another reason, or may not be moved.
    """
    if not is_there(path):
        return _new(path, memory_limit, now, f"ledger {path} is gone", begun=counters_file(path).exists())
    try:
        return Opened(*_verified(path, memory_limit, seen))
    except LedgerError as error:
        if error.reason != DAMAGED:
            raise
        if is_damage_of_log(str(error)):
            return _without_log(path, memory_limit, now, error)
        if not _was_ledger(path):
            raise LedgerError(
                DAMAGED,
                f"{path} is not a ledger, and there is no sign that it was one, so it stays where it is: "
                "move it away, or name another file under the key `ledger`",
            ) from error
        return _new(path, memory_limit, now, f"ledger {path} is damaged ({error.cause})", begun=True)


def _verified(path: Path, memory_limit: str, seen: str) -> tuple[duckdb.DuckDBPyConnection, bool]:
    connection, read_only = open_ledger_file(path, memory_limit)
    try:
        result = verify(connection)
    except duckdb.Error as error:
        connection.close()
        raise failure_of(path, error) from error
    if result.left_out and seen:
        connection.close()
        raise LedgerError(DAMAGED, f"ledger {path} is damaged: {seen}", seen)
    if result.left_out:
        logger.info(
            "ledger %s: checked for %.0f s; not read to their end: %s. Damage there is found when it is read",
            path,
            result.seconds,
            ", ".join(result.left_out),
        )
    return connection, read_only


def _without_log(path: Path, memory_limit: str, now: datetime, why: LedgerError) -> Opened:
    """Open the file as it was before the changes that its damaged log has."""
    aside = _moved(path, now, log_only=True)
    loss = (
        f"the log of the latest changes of ledger {path} is damaged ({why.cause}): it was moved to {aside}. "
        "The ledger is as it was before them; the sources are read again from there"
    )
    opened = open_or_replace(path, memory_limit, now)
    return opened if opened.loss else Opened(opened.connection, opened.read_only, loss)


def _new(path: Path, memory_limit: str, now: datetime, what: str, *, begun: bool) -> Opened:
    """Begin a new ledger; `begun` is whether there was one before."""
    moved = _moved(path, now) if begun else None
    connection, read_only = open_ledger_file(path, memory_limit)
    if not begun:
        return Opened(connection, read_only)
    kept, counters = None, "Its counters begin anew: none were kept"
    try:
        kept = restore_counters(connection, path)
    except (duckdb.Error, OSError, KeyError, zipfile.BadZipFile) as error:
        counters = f"Its counters begin anew: {counters_file(path)} cannot be used ({error})"
    if kept is not None:
        counters = f"Its counters go on from where they were at {kept.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    loss = (
        f"{what}: {f'it was moved to {moved}, and ' if moved else ''}a new one is filled from the sources. "
        f"{counters}. Not in it: {NOT_REBUILT}"
    )
    return Opened(connection, read_only, loss, None if moved else now)


def _moved(path: Path, now: datetime, *, log_only: bool = False) -> Path | None:
    try:
        return set_aside(path, now, log_only=log_only)
    except OSError as error:
        raise LedgerError(
            DAMAGED,
            f"ledger {path} is damaged, and cannot be moved away ({error}): make its folder writable, "
            "or move it yourself; a new one fills from the sources",
        ) from error


def _was_ledger(path: Path) -> bool:
    """Whether there was a ledger at the path: a file of something else stays where it is."""
    return path.is_file() and (path.stat().st_size == 0 or counters_file(path).exists() or _has_mark(path))


def _has_mark(path: Path) -> bool:
    """Only for a file that this process has not opened: see file_watch."""
    try:
        with path.open("rb") as file:
            return file.read(BEGIN_BYTES)[8:] == MARK
    except OSError:
        return True
