"""Reads many small files of one shape at once: planning the SQL of one takes longer than reading it.

Only files without anything to set aside are read so; of every other file the caller reads each by itself.
"""

from __future__ import annotations

import shutil
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from exporter.core.sql_texts import quoted
from exporter.core.sql_times import sql_time
from exporter.sources.files.csv_records import quick_count
from exporter.sources.files.file_reading import FileReading
from exporter.sources.files.fingerprint import fingerprints_by_file
from exporter.sources.files.formats import file_format, json_lines
from exporter.sources.files.reading import ATTEMPTS, READ_FAILURES, aggregated_in, reading_connection

MOST_BYTES: Final = 256 * 2**10
"""A file that is larger is read by itself; compressed text counts as if it was unpacked."""
MOST_TOGETHER_BYTES: Final = 8 * 2**20
MOST_FILES: Final = 100
UNPACKED: Final = 12
"""How many times larger a compressed text is when it is read."""

_PATH: Final = "spend_exporter_path"
FILE: Final = "spend_exporter_file"
"""Column with the number of the file that a row is from."""
WRITTEN: Final = "spend_exporter_written"
"""Column with the time when that file was written."""


class Member(NamedTuple):
    """One file to be read."""

    path: Path
    spool: Path
    """Where its charges go."""


class Shaped(NamedTuple):
    """How a file is read. Files of the same shape are read by the same statements."""

    shape: Hashable
    relation: Callable[[Sequence[Path]], str]
    """The table function call that reads some files of this shape."""
    aggregated: Callable[[str], str]
    """From a table with FILE and WRITTEN to a SELECT of its charges, with `file` and `reason`."""


@dataclass(frozen=True, slots=True)
class GroupReader:
    """How one source reads its files."""

    shaped: Callable[[duckdb.DuckDBPyConnection, Path], Shaped]
    """Raises one of READ_FAILURES for a file that cannot be read, or not together with others."""
    charges: str
    """SELECT of `file` and the columns CHARGE_COLUMNS from the table `aggregated`."""
    amounts: Sequence[str]
    """As of fingerprint_of, like the next."""
    by_export: bool
    written: Callable[[Path], datetime]
    """When a file was written."""

    def read(self, members: Iterable[Member], spool: Path) -> dict[Path, FileReading]:
        """Return what was read; files that are missing from it have to be read alone. `spool` exists."""
        readings: dict[Path, FileReading] = {}
        shapes: defaultdict[Hashable, list[tuple[Member, Shaped]]] = defaultdict(list)
        with reading_connection(spool, *ATTEMPTS[1]) as connection:
            for member in members:
                try:
                    shaped = self.shaped(connection, member.path)
                except (*READ_FAILURES, zlib.error):
                    continue
                shapes[shaped.shape].append((member, shaped))
        for alike in shapes.values():
            if len(alike) > 1:
                readings |= self._read_alike([member for member, _ in alike], alike[0][1], spool)
        return readings

    def _read_alike(self, members: Sequence[Member], shaped: Shaped, spool: Path) -> dict[Path, FileReading]:
        folder = members[0].spool.with_suffix(".group")
        try:
            with reading_connection(spool, *ATTEMPTS[1]) as connection:
                return self._read_with(connection, members, shaped, folder)
        except (*READ_FAILURES, zlib.error):
            # Which of them it is shows when each is read by itself.
            return {}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _read_with(
        self, connection: duckdb.DuckDBPyConnection, members: Sequence[Member], shaped: Shaped, folder: Path
    ) -> dict[Path, FileReading]:
        table = self._numbered(shaped.relation([member.path for member in members]), members)
        # By way of a file, as when one is read alone: it decides the types, and so the fingerprints.
        with aggregated_in(connection, shaped.aggregated(table), members[0].spool):
            rows = connection.execute(
                "SELECT file, sum(export_rows) FROM aggregated GROUP BY file HAVING count(reason) = 0"
            ).fetchall()
            records = _records(connection, [member.path for member in members])
            clean = {int(file): int(count) for file, count in rows}
            clean = {file: count for file, count in clean.items() if records.get(members[file].path) == count}
            connection.execute(
                f"""COPY (SELECT * FROM ({self.charges}) WHERE list_contains({list(clean)}::INTEGER[], file))
                    TO {quoted(folder)} (FORMAT parquet, PARTITION_BY (file))"""
            )
            prints = fingerprints_by_file(connection, "aggregated", self.amounts, by_export=self.by_export)
        for file in clean:
            (charges,) = (folder / f"file={file}").iterdir()
            charges.replace(members[file].spool)
        return {
            members[file].path: FileReading(members[file].spool, count, (), prints[file], count)
            for file, count in clean.items()
        }

    def _numbered(self, relation: str, members: Sequence[Member]) -> str:
        """Return a table of the rows of all files with FILE and WRITTEN; `relation` has _PATH."""
        listed = ", ".join(
            f"({quoted(member.path)}, {number}, {sql_time(self.written(member.path))})"
            for number, member in enumerate(members)
        )
        return (
            f"(SELECT rows.*, members.{FILE}, members.{WRITTEN} FROM {relation} AS rows "
            f"JOIN (VALUES {listed}) AS members({_PATH}, {FILE}, {WRITTEN}) USING ({_PATH}))"
        )


def bytes_to_read(path: Path, size: int) -> int:
    """Return how much a file of this size is when it is read."""
    return size * (UNPACKED if path.suffix.lower() == ".gz" else 1)


def several(relation: str, paths: Sequence[Path]) -> str:
    """Return the call that reads several files as `relation` reads one, with the path of each row."""
    name, rest = relation.split("(", 1)
    first = quoted(paths[0])
    if not rest.startswith(first):
        raise ValueError(f"{relation} does not read {paths[0]} first")
    options = rest.removeprefix(first).removesuffix(")")
    return f"{name}([{', '.join(map(quoted, paths))}]{options}, filename = '{_PATH}')"


def _records(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Mapping[Path, int]:
    """Return how many records each file has, by a count that the reading has no part in."""
    kind = file_format(paths[0])
    if kind == ".parquet":
        rows = connection.execute(
            f"""SELECT file_name, sum(num_rows)
                FROM parquet_file_metadata([{", ".join(map(quoted, paths))}]) GROUP BY file_name"""
        ).fetchall()
        return {Path(name): int(count) for name, count in rows}
    count = _csv_records if kind == ".csv" else json_lines
    return {path: found for path in paths if (found := count(path)) is not None}


def _csv_records(path: Path) -> int | None:
    lines = quick_count(path)
    # The header is a record to quick_count.
    return None if lines is None else lines - 1
