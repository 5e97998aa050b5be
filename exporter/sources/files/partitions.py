"""Files as partitions of a source: which changed since they were read, and what was set aside in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, Rejected, Retraction, Unreadable
from exporter.sources.files.formats import broken_json_lines, file_format
from exporter.sources.files.reading import READ_FAILURES, first_line, matching

_PLACES_SHOWN: Final = 3

ReadFile = Callable[[Path, str, RefreshContext], Batch]
"""Reads one file whole; told its path, its cursor and the refresh. Raises one of READ_FAILURES."""


def changed_files(
    patterns: Sequence[str], context: RefreshContext, read: ReadFile, *, version: str, key: str
) -> Iterator[Change]:
    """Yield every file whose size, time or identity changed, and a retraction for each one gone.

    `version` is part of every cursor: where it changes, all files are read again. `key` is the configuration
    key of the patterns. Raises SourceError `no_files` when nothing matches, rather than retracting
    everything: an unmounted folder must not erase good data.
    """
    found = _files(patterns)
    if not found:
        raise SourceError(
            "no_files",
            f"no file matches {', '.join(patterns)}: check {key} and that the "
            "folder is mounted and readable; the last good data stays up",
        )
    # First what is gone, so that no dollar is in the ledger twice where a file was renamed or moved.
    for partition in sorted(context.known.keys() - {str(path) for path in found}):
        yield Retraction(partition)
    failed = 0
    for number, path in enumerate(found, 1):
        if context.stopping():
            return
        change = _changed(path, context, read, version)
        if change is not None:
            failed += isinstance(change, Unreadable)
            context.tally.progress(f"{number} of {len(found)} files read")
            yield change
    if failed == len(found):
        raise SourceError("unreadable_file", f"none of the {failed} files could be read")


def spool_path(context: RefreshContext, path: Path, cursor: str) -> Path:
    """Return where the charges of a file go."""
    return context.spool / f"{blake2b(f'{path}{cursor}'.encode(), digest_size=12).hexdigest()}.parquet"


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


def refused_csv_lines(connection: duckdb.DuckDBPyConnection, path: Path) -> list[Rejected]:
    """Return what DuckDB could not take apart in the CSV file that the connection has read."""
    if file_format(path) != ".csv":
        return []
    lines = connection.execute(
        "SELECT line, first(error_message) FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    if not lines:
        return []
    shown = ", ".join(str(line) for line, _ in lines[:_PLACES_SHOWN])
    return [Rejected("bad_csv", len(lines), f"{path} line {shown}", f"{lines[0][1]}; the line was left out")]


def _files(patterns: Sequence[str]) -> list[Path]:
    """Existing files by path, each once, however many patterns or links lead to it."""
    by_identity: dict[Path, Path] = {}
    for pattern in patterns:
        for path in matching(pattern):
            by_identity.setdefault(path.resolve(), path)
    return sorted(by_identity.values())


def _changed(path: Path, context: RefreshContext, read: ReadFile, version: str) -> Batch | Unreadable | None:
    try:
        cursor = _fingerprint(path, version)
        if context.known.get(str(path)) == cursor:
            return None
        context.tally.requests += 1
        return read(path, cursor, context)
    except READ_FAILURES as error:
        detail = f"{first_line(error)}; the file's last good charges stay, it is tried again at each refresh"
        return Unreadable(str(path), Rejected("unreadable_file", 1, str(path), detail))


def _fingerprint(path: Path, version: str) -> str:
    status = path.stat()
    return f"{version}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _place(path: Path, reason: str, rows: list[int]) -> str:
    if reason == "bad_json" and file_format(path) != ".csv":
        lines = broken_json_lines(path, _PLACES_SHOWN)
        return f"{path} line {', '.join(map(str, lines))}" if lines else str(path)
    return f"{path} row {', '.join(map(str, sorted(rows)))}"
