"""Reads all that a ledger holds, so that damage is found at once and not by a figure, hours later.

DuckDB compares the checksum of each block that it reads. Small tables come first: with a time limit it is
the charges or the usage that are not read to their end.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import duckdb

TIME_LIMIT_SECONDS: Final = 5.0
"""A ledger of a million charges takes a tenth of a second; nothing is served before its end."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read."""

    seconds: float
    left_out: tuple[str, ...] = ()
    """Tables that were not read to their end within the time limit."""


def verify(connection: duckdb.DuckDBPyConnection, limit_seconds: float = TIME_LIMIT_SECONDS) -> Verification:
    """Read every value of every table. Raises duckdb.Error where a block is damaged."""
    started = time.monotonic()
    left_out: list[str] = []
    timer = threading.Timer(limit_seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE NOT temporary AND database_name = current_database() ORDER BY estimated_size, table_name"
        ).fetchall()
        for (table,) in tables:
            if time.monotonic() - started >= limit_seconds or not _read(connection, table):
                left_out.append(table)
    finally:
        timer.cancel()
    return Verification(time.monotonic() - started, tuple(left_out))


def _read(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    # A hash of the row needs every column of it; a count would be answered without reading.
    try:
        connection.execute(f'SELECT bit_xor(hash(every)) FROM "{table}" AS every').fetchall()
    except duckdb.InterruptException:
        return False
    return True
