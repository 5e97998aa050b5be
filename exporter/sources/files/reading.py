"""Opens one file of a billing export in DuckDB: which files a pattern means, how one is read, what it has."""

from __future__ import annotations

import glob
import logging
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import duckdb
from duckdb.sqltypes import DuckDBPyType

from exporter.core.database import Setting, connect
from exporter.core.kept_tags import KeptTag
from exporter.core.sql_texts import quoted
from exporter.sources.files.formats import (
    UnknownFormatError,
    file_format,
    first_text,
    json_keys,
    json_lines,
    relation,
)
from exporter.sources.files.layouts import is_manifest
from exporter.sources.google.export.columns import ExportColumns
from exporter.sources.google.export.names import json_columns, refusal

logger = logging.getLogger(__name__)

READ_FAILURES: Final = (duckdb.Error, OSError, EOFError, UnknownFormatError)
"""Everything that reading a file can raise."""


class Attempt(NamedTuple):
    """What reading one file may use."""

    memory_limit: str
    """What does not fit is spilled to the spool folder; but not all of it can be."""
    threads: int


ATTEMPTS: Final = (Attempt("160MB", 2), Attempt("160MB", 1), Attempt("256MB", 1))
"""The first is enough for ten million rows that sum to 140,000 charges. A file that does not fit is read
again with the next one, and what was read until then is lost: with 128 MB that file took twice as long."""

_ROWS_IN_A_GROUP: Final = 20_480
"""A writer of Parquet keeps a group of rows for each thread in memory; by default six times as many."""

_Read = TypeVar("_Read")


def matching(pattern: str) -> list[Path]:
    """Return the existing files that an absolute glob matches, by name; `**` reaches into subfolders.

    Manifests that an export writes next to its files are left out. What may not be looked at counts as a
    file, so that whoever reads it hears why that fails.
    """
    # Path.glob takes no absolute pattern.
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    return [path for path in map(Path, names) if _may_be_file(path) and not is_manifest(path)]


def _may_be_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


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


def read_within_memory(
    read: Callable[[duckdb.DuckDBPyConnection], _Read],
    path: Path,
    spool: Path,
    attempts: Sequence[Attempt] = ATTEMPTS,
) -> _Read:
    """Return what `read` makes of a file, trying again more carefully where that needs too much memory.

    Raises what `read` raises, one of READ_FAILURES, and UnknownFormatError.
    """
    text = file_format(path) != ".parquet"
    # The buffers of text are large, are never spilled, and each thread has its own.
    for attempt in [each for each in attempts[:-1] if not text or each.threads == 1]:
        try:
            with reading_connection(spool, *attempt) as connection:
                return read(connection)
        except duckdb.OutOfMemoryException:
            logger.info("%s does not fit into %s; it is read again with more", path, attempt.memory_limit)
    with reading_connection(spool, *attempts[-1]) as connection:
        return read(connection)


@contextmanager
def aggregated_in(connection: duckdb.DuckDBPyConnection, select: str, spool: Path) -> Iterator[None]:
    """Make what a SELECT finds available as `aggregated`, in a file: as a table it would fill the memory.

    `spool` is where the charges of the same file go. Raises duckdb.Error.
    """
    file = spool.with_suffix(".aggregated")
    try:
        write_parquet(connection, select, file)
        connection.execute(f"CREATE TEMP VIEW aggregated AS FROM read_parquet({quoted(file)})")
        yield
    finally:
        file.unlink(missing_ok=True)


def write_parquet(connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    """Write what a SELECT finds to a Parquet file. Raises duckdb.Error."""
    connection.execute(
        f"COPY ({select}) TO {quoted(path)} (FORMAT parquet, ROW_GROUP_SIZE {_ROWS_IN_A_GROUP})"
    )


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
    if keys is not None and not keys and json_lines(path):
        begin = first_text(path)
        raise UnknownFormatError(f"no line of {path.name!r} is a JSON object; it begins with {begin!r}")
    if (keys is None or keys) and (why := refusal(names)):
        raise UnknownFormatError(why)
    return table, ExportColumns(types, kept)


def first_line(error: Exception) -> str:
    """Return what a failure says, on one line."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__
