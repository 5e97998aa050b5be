"""An extract of the ledger: what estimates are computed from, as files that another process can read.

DuckDB lets one process have the ledger's file open, and that is the one that serves.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.database import connect
from exporter.core.sql_texts import quoted
from exporter.core.sql_times import sql_time
from exporter.ledger.charges.store import Ledger

_SINCE: Final = {"charge": "charge_period_start", "usage_hour": "hour", "said": "hour"}
"""Tables that are cut, by their time."""

_ROWS_IN_A_GROUP: Final = 20_480
"""A group of rows is in memory for each thread that writes; by default it has six times as many."""

_UNUSED: Final = {"charge": " EXCLUDE (list_above_billed_usd)"}
"""Columns that no estimate reads."""

_WHOLE: Final = ("partition", "series", "usage_cursor", "usage_series")


def write_extract(ledger: Ledger, folder: Path, since: datetime) -> None:
    """Write one consistent state of the ledger from `since` on, a Parquet file for each table.

    Raises duckdb.Error where the disk is full.
    """
    with ledger.reading() as connection:
        for table in (*_WHOLE, *_SINCE):
            cut = f" WHERE {_SINCE[table]} >= {sql_time(since)}" if table in _SINCE else ""
            columns = f"*{_UNUSED.get(table, '')}"
            connection.execute(
                f"COPY (SELECT {columns} FROM {table}{cut}) TO {quoted(folder / f'{table}.parquet')} "
                f"(FORMAT parquet, ROW_GROUP_SIZE {_ROWS_IN_A_GROUP})"
            )


def open_extract(folder: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """Open an extract: the views of a ledger read it as they read the ledger."""
    connection = connect(
        settings={"memory_limit": memory_limit, "threads": 1, "temp_directory": str(folder / "spill")}
    )
    for table in (*_WHOLE, *_SINCE):
        file = quoted(folder / f"{table}.parquet")
        connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({file})")
    return connection
