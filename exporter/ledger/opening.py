"""Opens the ledger's file, with plain errors where it cannot be opened or written.

The reasons are label values of spend_source_errors_total.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.database import Setting, connect
from exporter.core.disk_space import DISK_FULL, is_disk_full
from exporter.ledger.engine_failures import concerns_ledger, first_line, is_damage
from exporter.ledger.schema import SCHEMA_VERSION, migrate, version_of

DAMAGED: Final = "ledger_damaged"
"""The reason where the file does not hold what was written to it."""


class LedgerError(Exception):
    """The ledger cannot be used; the text gives the cause and what to do, `reason` is a label value."""

    def __init__(self, reason: str, message: str, cause: str = "") -> None:
        """`cause` is what DuckDB says of it, where it says anything."""
        super().__init__(message)
        self.reason = reason
        self.cause = cause


def open_ledger_file(path: Path | None, memory_limit: str) -> tuple[duckdb.DuckDBPyConnection, bool]:
    """Open or create the ledger's file and bring its schema up to date.

    `path` None opens a ledger in memory. Returns the connection and whether it is read-only: the file exists
    and this process may not write it. Raises LedgerError.
    """
    if path is None:
        connection = connect(settings=_settings(memory_limit))
        return _ready(connection, "in memory", read_only=False), False
    read_only = is_there(path) and not may_write(path)
    connection = _connect(path, memory_limit, read_only=read_only)
    try:
        return _ready(connection, str(path), read_only=read_only), read_only
    except duckdb.Error as error:
        connection.close()
        raise failure_of(path, error) from error


def open_ledger_read_only(path: Path, memory_limit: str) -> tuple[duckdb.DuckDBPyConnection, int]:
    """Open an existing ledger without changing it, and return the connection and its schema's version.

    Raises LedgerError, also for a newer version; an older one stays unchanged.
    """
    connection = _connect(path, memory_limit, read_only=True)
    try:
        found = version_of(connection)
        if found >= SCHEMA_VERSION:
            _ready(connection, str(path), read_only=True)
    except duckdb.Error as error:
        connection.close()
        raise failure_of(path, error) from error
    return connection, found


def is_there(path: Path) -> bool:
    """Return whether the ledger's file exists. Raises LedgerError where this user may not know."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise LedgerError(
            "ledger_unusable",
            f"ledger {path} cannot be reached ({error.strerror}): let this user enter its folder, or name "
            "another file under the key `ledger`",
        ) from error
    return True


def may_write(path: Path) -> bool:
    """Whether this process may write the ledger's file and, for the log next to it, its folder."""
    return _writable(path) and _writable(path.parent)


def _settings(memory_limit: str) -> dict[str, Setting]:
    return {
        "memory_limit": memory_limit,
        "threads": 2,
        "preserve_insertion_order": False,
    }


def _connect(path: Path, memory_limit: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return connect(path, _settings(memory_limit), read_only=read_only)
    except duckdb.Error as error:
        raise failure_of(path, error) from error


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _ready(connection: duckdb.DuckDBPyConnection, name: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    found = version_of(connection)
    if found > SCHEMA_VERSION:
        connection.close()
        raise LedgerError(
            "ledger_newer",
            f"ledger {name} was written by a newer version (its schema is {found}, this version knows "
            f"{SCHEMA_VERSION}): upgrade spend-exporter, or name another file under the key `ledger`",
        )
    if not read_only:
        migrate(connection)
    elif found < SCHEMA_VERSION:
        connection.close()
        raise LedgerError(
            "ledger_read_only",
            f"ledger {name} has an older schema and may not be written: make the file and its folder "
            "writable for this user once, so that it can be upgraded",
        )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def read_failures_named(path: Path) -> Iterator[None]:
    """Raise LedgerError where the block's reading finds the ledger damaged, or DuckDB gives up on it."""
    try:
        yield
    except duckdb.Error as error:
        if concerns_ledger(error):
            raise failure_of(path, error) from error
        raise


def failure_of(path: Path, error: duckdb.Error) -> LedgerError:
    """Return why a ledger cannot be opened or read, and what to do."""
    text = first_line(error)
    if is_disk_full(error):
        return LedgerError(DISK_FULL, f"no room on the disk of ledger {path}: free space there ({text})")
    if "Could not set lock" in text or "Conflicting lock" in text:
        return LedgerError(
            "ledger_in_use",
            f"ledger {path} is in use by another process: stop that one, or name another file under the key "
            f"`ledger` (two exporters cannot share one). {_holder(text)}".rstrip(),
        )
    if "version number" in text:
        return LedgerError(
            "ledger_newer",
            f"ledger {path} was written by a newer version of its database: upgrade spend-exporter, or name "
            "another file under the key `ledger`",
        )
    if is_damage(error):
        return LedgerError(
            DAMAGED,
            f"ledger {path} is not a ledger, or is damaged: move it away; a new one fills from the sources. "
            f"`spend-exporter serve` does both by itself when it starts ({text})",
            text,
        )
    return LedgerError("ledger_unusable", f"ledger {path} cannot be opened: {text}; see the key `ledger`")


def _holder(text: str) -> str:
    """The part of DuckDB's message that names the process holding the lock."""
    _, found, rest = text.partition("(PID ")
    return f"It is held by the process with id {rest.split(')')[0]}." if found else ""
