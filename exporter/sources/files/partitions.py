"""Files as partitions of a source: which changed since they were read, and what was set aside in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.errors import SourceError
from exporter.core.object_addresses import is_address
from exporter.sources.base import Change, RefreshContext, Rejected
from exporter.sources.files.absence import absences, nothing_found
from exporter.sources.files.changes import FileChanges
from exporter.sources.files.comparison import FileComparison
from exporter.sources.files.file_reading import ReadFile
from exporter.sources.files.formats import broken_json_lines, file_format
from exporter.sources.files.group_reading import GroupReader
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading_ahead import ReadingAhead

_PLACES_SHOWN: Final = 3


def changed_files(
    places: FilePlaces,
    context: RefreshContext,
    read: ReadFile,
    together: GroupReader,
    *,
    same: FileComparison,
    version: str,
    key: str,
) -> Iterator[Change]:
    """Yield every file whose size, time or identity changed, and a retraction for each one gone.

    A file that repeats another one's rows is refused whole, as exporter.sources.files.overlap decides; `same`
    is the last word before. `together` reads small files, `read` all others. `version` is part of every
    cursor: where it changes, all files are read again.
    `key` is the configuration key of the patterns. Raises SourceError `no_files` when nothing matches, rather
    than retracting everything: an unmounted folder must not erase good data; and as `places` does where a
    bucket cannot be listed.
    """
    found = places.all_files()
    if not found:
        raise SourceError("no_files", nothing_found(places.patterns, key, "the last good data stays"))
    if emptied := places.emptied(found, context.known):
        raise SourceError(
            "no_files",
            f"no object matches {', '.join(emptied)} any more: check that the export is still written there; "
            f"the last good data stays until the address is taken out of {key}",
        )
    # A bucket that was listed shows what is gone; a folder may not be mounted.
    in_folders = {name for name in context.known if not is_address(name)}
    folders = [pattern for pattern in places.patterns if not is_address(pattern)]
    absent = absences(in_folders - {str(path) for path in found}, found, folders)
    context = places.with_paths(context)
    # The hashes of fingerprints are DuckDB's own, which another version may change.
    yield from absent.changes()
    ahead = ReadingAhead(places, context, together)
    refresh = FileChanges(context, read, ahead, same, f"{version}/{duckdb.__version__}", places, absent)
    try:
        for change in refresh.changes(found):
            yield places.with_addresses(change)
    finally:
        ahead.discard()
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


def _place(path: Path, reason: str, rows: list[int]) -> str:
    if reason == "bad_json" and file_format(path) != ".csv":
        lines = broken_json_lines(path, _PLACES_SHOWN)
        return f"{path} line {', '.join(map(str, lines))}" if lines else str(path)
    return f"{path} row {', '.join(map(str, sorted(rows)))}"
