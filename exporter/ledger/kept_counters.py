"""The counters of a ledger in a small file beside it, so that they go on when the ledger is lost.

The sources have the charges again, but not what they no longer report: without this file the counters would
begin anew. It is an archive of a Parquet file for each table, with a checksum for each, replaced in one step.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.sql_texts import quoted
from exporter.ledger.counter_starts import FIRST_READ_OF

_IDS: Final = {"series": "series_id", "usage_series": "usage_series_id"}
"""Tables with counters, and the id of their rows."""

_BEFORE: Final = "_before_loss"
"""Added to the name of such a table: what was present before the loss, until its source is read again."""

_RESTATED: Final = (
    """SELECT source, provider, direction, sum(usd_total) AS usd_total FROM restated GROUP BY ALL"""
)
_LIMITS: Final = "SELECT name, value FROM setting WHERE name IN ('kept_from', 'usage_kept_from')"
_OTHERS: Final = {"restated": _RESTATED, "counted_usage": "FROM counted_usage", "setting": _LIMITS}


def counters_file(ledger: Path) -> Path:
    """Return the path of the file with the counters of a ledger."""
    return ledger.with_name(ledger.name + ".counters")


def keep_counters(connection: duckdb.DuckDBPyConnection, ledger: Path) -> None:
    """Write the counters of one state of the ledger in one step. Raises duckdb.Error, OSError."""
    target = counters_file(ledger)
    queries = {**{table: _counters(connection, table) for table in _IDS}, **_OTHERS}
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=ledger.parent) as made:
        folder = Path(made)
        archive = folder / target.name
        with zipfile.ZipFile(archive, "w") as whole:
            for table, query in queries.items():
                file = folder / table
                connection.execute(f"COPY ({query}) TO {quoted(file)} (FORMAT parquet)")
                whole.write(file, table)
        with archive.open("rb") as written:
            os.fsync(written.fileno())
        archive.replace(target)


def restore_counters(connection: duckdb.DuckDBPyConnection, ledger: Path) -> datetime | None:
    """Put the counters that were kept into an empty ledger; return when they were kept, None without any.

    Each source counts as not read: its figures are shown when it has been read to its end, and then
    settle_counters.
    Raises duckdb.Error, OSError, KeyError and zipfile.BadZipFile, after which the ledger is as it was.
    """
    source = counters_file(ledger)
    if not source.exists():
        return None
    with tempfile.TemporaryDirectory(prefix=f".{source.name}-", dir=ledger.parent) as made:
        folder = Path(made)
        with zipfile.ZipFile(source) as whole:
            whole.extractall(folder, [*_IDS, *_OTHERS])
        connection.execute("BEGIN")
        try:
            for table, row_id in _IDS.items():
                _restore(connection, table, row_id, folder / table)
            for table in _OTHERS:
                connection.execute(f"INSERT INTO {table} BY NAME FROM {_parquet(folder / table)}")
            connection.execute(
                "INSERT INTO setting SELECT ?, source FROM (SELECT source FROM series UNION "
                "SELECT source FROM usage_series)",
                [FIRST_READ_OF],
            )
            connection.execute("COMMIT")
        except duckdb.Error:
            connection.execute("ROLLBACK")
            raise
    return datetime.fromtimestamp(source.stat().st_mtime, UTC)


def settle_counters(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Let the counters of a source, read to its end after a loss, go on from what they had counted.

    What the source no longer has counts as removed by retention. Otherwise a counter would stand still until
    new cost has made up for it.
    """
    for table, row_id in _IDS.items():
        if not _exists(connection, table + _BEFORE):
            continue
        gone = ", ".join(
            f"{_retired(present)} = {_retired(present)} + greatest(known.{present} - {table}.{present}, 0)"
            for present in _present(connection, table)
        )
        connection.execute(
            f"UPDATE {table} SET {gone} FROM {table}{_BEFORE} AS known "
            f"WHERE {table}.{row_id} = known.{row_id} AND source = ?",
            [source],
        )
        connection.execute(
            f"DELETE FROM {table}{_BEFORE} WHERE {row_id} IN (SELECT {row_id} FROM {table} WHERE source = ?)",
            [source],
        )


def _counters(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """A query of a table with counters; of a source that is not read again yet, what was present before."""
    if not _exists(connection, table + _BEFORE):
        return f"FROM {table}"
    latest = ", ".join(
        f"greatest({table}.{present}, coalesce(known.{present}, 0)) AS {present}"
        for present in _present(connection, table)
    )
    return (
        f"SELECT {table}.* REPLACE ({latest}) FROM {table} "
        f"LEFT JOIN {table}{_BEFORE} AS known USING ({_IDS[table]})"
    )


def _restore(connection: duckdb.DuckDBPyConnection, table: str, row_id: str, file: Path) -> None:
    present = _present(connection, table)
    nothing = ", ".join(f"0 AS {name}" for name in present)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * REPLACE ({nothing}) FROM {_parquet(file)}")
    connection.execute(
        f"CREATE OR REPLACE TABLE {table}{_BEFORE} AS "
        f"SELECT {row_id}, {', '.join(present)} FROM {_parquet(file)}"
    )


def _present(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Columns with the sum over what the ledger holds; each has a column with what retention removed."""
    names = connection.execute(
        "SELECT column_name FROM duckdb_columns() "
        "WHERE table_name = ? AND database_name = current_database()",
        [table],
    ).fetchall()
    return [name for (name,) in names if name == "present" or name.endswith("_present_usd")]


def _retired(present: str) -> str:
    return present.replace("present", "retired")


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall())


def _parquet(file: Path) -> str:
    return f"read_parquet({quoted(file)})"
