"""Reads a file so that each of its records counts or is set aside by name; else the file is refused whole.

What DuckDB read is compared with a count that DuckDB has no part in: of a file that lost a row on the way
none counts, and its last good charges stay.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import duckdb

from exporter.core import database
from exporter.core.sql_texts import quoted
from exporter.sources.base import Rejected
from exporter.sources.files.csv_records import CsvRecords, quick_count, records_of
from exporter.sources.files.formats import UnknownFormatError, file_format, json_lines

_PLACES_SHOWN: Final = 3


class Counted(Protocol):
    """What was read of a file."""

    @property
    def records(self) -> int:
        """All rows that DuckDB took from the file, whether they count or not."""
        ...

    @property
    def unparsed(self) -> frozenset[int]:
        """Numbers of the lines, from 1, that DuckDB could not take apart."""
        ...


_Read = TypeVar("_Read", bound=Counted)


def reconciled(read: Callable[[Path], _Read], path: Path, copy: Path) -> tuple[_Read, tuple[Rejected, ...]]:
    """Return what `read` makes of a file, and the records of it that were set aside because they are no CSV.

    `read` gets the file, or where its records do not add up a copy of its good ones at `copy`, which is
    removed afterwards. Raises what `read` raises, and UnknownFormatError, OSError, EOFError.
    """
    if file_format(path) == ".csv":
        try:
            return _of_csv(read, path, copy)
        except zlib.error as error:
            raise UnknownFormatError(f"{path.name!r} is damaged: {error}") from None
    reading = read(path)
    _compare(path, reading.records, _records(path, reading.records))
    return reading, ()


def _of_csv(read: Callable[[Path], _Read], path: Path, copy: Path) -> tuple[_Read, tuple[Rejected, ...]]:
    reading: _Read | None = None
    try:
        reading = read(path)
    except duckdb.InvalidInputException:
        # Strict reading ends at a line that ends unlike the others, which is no reason to refuse it.
        found = CsvRecords()
    else:
        # The header is a record to quick_count.
        if not reading.unparsed and quick_count(path) == reading.records + 1:
            return reading, ()
        found = records_of(path)
        if reading.records == found.good and reading.unparsed == found.broken.keys():
            return reading, _rejected(path, found)
    try:
        found = records_of(path, copy)
        reading = read(copy)
    finally:
        copy.unlink(missing_ok=True)
    _compare(path, reading.records, found.good)
    return reading, _rejected(path, found)


def _rejected(path: Path, found: CsvRecords) -> tuple[Rejected, ...]:
    if not found.broken:
        return ()
    shown = ", ".join(map(str, list(found.broken)[:_PLACES_SHOWN]))
    line, wrong = next(iter(found.broken.items()))
    detail = (
        f"line {line} {wrong}; the line was left out"
        if len(found.broken) == 1
        else (f"line {line} {wrong}; these lines were left out")
    )
    return (Rejected("bad_csv", len(found.broken), f"{path} line {shown}", detail),)


def _records(path: Path, read: int) -> int:
    """Return how many records the file has; of JSON that is one array, as many as were read."""
    if file_format(path) == ".parquet":
        with database.connect() as connection:
            sql = f"SELECT sum(num_rows) FROM parquet_file_metadata({quoted(path)})"
            return int(connection.execute(sql).fetchall()[0][0] or 0)
    lines = json_lines(path)
    return read if lines is None else lines


def _compare(path: Path, read: int, records: int) -> None:
    if read != records:
        raise UnknownFormatError(
            f"{path.name!r} has {records:,} records and {read:,} of them could be read; the file was refused "
            "whole, so that none is lost unseen. If it is being written just now, the next refresh reads it"
        )
