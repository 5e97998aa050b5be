"""Files as partitions of a source: which changed since they were read, and what was set aside in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.errors import SourceError
from exporter.sources.base import Change, RefreshContext, Rejected
from exporter.sources.files.absence import absences
from exporter.sources.files.changes import FileChanges
from exporter.sources.files.comparison import FileComparison
from exporter.sources.files.file_reading import ReadFile
from exporter.sources.files.formats import broken_json_lines, file_format
from exporter.sources.files.reading import matching

_PLACES_SHOWN: Final = 3


def changed_files(
    patterns: Sequence[str],
    context: RefreshContext,
    read: ReadFile,
    *,
    same: FileComparison,
    version: str,
    key: str,
) -> Iterator[Change]:
    """Yield every file whose size, time or identity changed, and a retraction for each one gone.

    A file that repeats another one's rows is refused whole, as exporter.sources.files.overlap decides; `same`
    is the last word before. `version` is part of every cursor: where it changes, all files are read again.
    `key` is the configuration key of the patterns. Raises SourceError `no_files` when nothing matches, rather
    than retracting everything: an unmounted folder must not erase good data.
    """
    found = files_of(patterns)
    if not found:
        raise SourceError(
            "no_files",
            f"no file matches {', '.join(patterns)}: check {key} and that the "
            "folder is mounted and readable; the last good data stays",
        )
    # The hashes of fingerprints are DuckDB's own, which another version may change.
    absent = absences(context.known.keys() - {str(path) for path in found}, found, patterns)
    yield from absent.changes()
    refresh = FileChanges(context, read, same, f"{version}/{duckdb.__version__}", absent)
    yield from refresh.changes(found)
    if refresh.all_failed(found):
        raise SourceError("unreadable_file", f"none of the {len(found)} files could be read")


def refused_rows(
    connection: duckdb.DuckDBPyConnection, path: Path, judged: str, reasons: Mapping[str, str]
) -> list[Rejected]:
    """Read the file once more, to say where its refused rows are. Rows count from 1, in the file's order.

    `judged` is a SELECT of one row per row of the file, with `reason`; reasons that are not among `reasons`
    are no refusals. On a connection of its own, since it keeps rows in order from here on.
    """
    connection.execute("SET preserve_insertion_order = true")
    found = connection.execute(
        f"""SELECT reason, count(*), list(place)[:{_PLACES_SHOWN}] FROM (
              SELECT reason, row_number() OVER () AS place FROM ({judged})
            ) WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"""
    ).fetchall()
    return [
        Rejected(reason, count, _place(path, reason, rows), reasons[reason])
        for reason, count, rows in found
        if reason in reasons
    ]


def unparsed_lines(connection: duckdb.DuckDBPyConnection, path: Path) -> frozenset[int]:
    """Return the numbers of the lines that DuckDB could not take apart in the file that it has read."""
    if file_format(path) != ".csv":
        return frozenset()
    return frozenset(line for (line,) in connection.execute("SELECT line FROM reject_errors").fetchall())


def files_of(patterns: Sequence[str]) -> list[Path]:
    """Return the existing files by path, each once, however many patterns or links lead to it."""
    by_identity: dict[Path, Path] = {}
    for pattern in patterns:
        for path in matching(pattern):
            by_identity.setdefault(path.resolve(), path)
    return sorted(by_identity.values())


def _place(path: Path, reason: str, rows: list[int]) -> str:
    if reason == "bad_json" and file_format(path) != ".csv":
        lines = broken_json_lines(path, _PLACES_SHOWN)
        return f"{path} line {', '.join(map(str, lines))}" if lines else str(path)
    return f"{path} row {', '.join(map(str, sorted(rows)))}"
