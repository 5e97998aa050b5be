"""Opens one file of a billing export in DuckDB: which files a pattern means, how one is read, what it has."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
from duckdb.sqltypes import DuckDBPyType

from exporter.core.database import Setting, connect
from exporter.core.kept_tags import KeptTag
from exporter.sources.files.formats import UnknownFormatError, file_format, json_keys, relation
from exporter.sources.files.layouts import is_manifest
from exporter.sources.google.export.columns import ExportColumns
from exporter.sources.google.export.names import json_columns, refusal

READ_FAILURES: Final = (duckdb.Error, OSError, EOFError, UnknownFormatError)
"""Everything that reading a file can raise."""


def matching(pattern: str) -> list[Path]:
    """Return the existing files that an absolute glob matches, by name; `**` reaches into subfolders.

    Manifests that an export writes next to its files are left out.
    """
    # Path.glob takes no absolute pattern.
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    return [path for path in map(Path, names) if path.is_file() and not is_manifest(path)]


@contextmanager
def reading_connection(spool: Path, memory_limit: str, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection for reading files, in UTC; what does not fit the limit is spilled to `spool`."""
    settings: dict[str, Setting] = {
        "memory_limit": memory_limit,
        "threads": threads,
        "temp_directory": str(spool),
        "preserve_insertion_order": False,
    }
    with connect(settings=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def opened(
    connection: duckdb.DuckDBPyConnection, path: Path, json_columns: Mapping[str, str] | None = None
) -> tuple[str, dict[str, DuckDBPyType]]:
    """Return how the file is read and the type of each column. Raises one of READ_FAILURES."""
    table = relation(path, json_columns)
    empty = connection.sql(f"SELECT * FROM {table} LIMIT 0")
    return table, dict(zip(empty.columns, empty.types, strict=True))


def described(
    connection: duckdb.DuckDBPyConnection, path: Path, kept: tuple[KeptTag, ...] = ()
) -> tuple[str, ExportColumns]:
    """Return how the file is read and what columns it has, refusing one that is not a billing export.

    `kept` are the labels and tags to be kept of its rows. Raises one of READ_FAILURES.
    """
    keys = json_keys(path) if file_format(path) not in (".parquet", ".csv") else None
    table, types = opened(connection, path, None if keys is None else json_columns(keys, tags=bool(kept)))
    names = list(types) if keys is None else sorted(keys)
    # Of a JSON file without a single object nothing is known: its lines are refused one by one.
    if (keys is None or keys) and (why := refusal(names)):
        raise duckdb.InvalidInputException(why)
    return table, ExportColumns(types, kept)


def first_line(error: Exception) -> str:
    """Return what a failure says, on one line."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__
