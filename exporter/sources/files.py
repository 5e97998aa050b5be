"""Source `files`: a Google billing export lying in Parquet, CSV or JSON Lines files, read by DuckDB.

Each file is a partition: one that appears, grows or is replaced is read again whole; one that is gone
takes its charges with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import duckdb

from exporter.sources.base import (
    Batch,
    Change,
    Finding,
    RefreshContext,
    Rejected,
    Retraction,
    SourceError,
    Unreadable,
)
from exporter.sources.export_sql import REASONS, aggregate, charges_of, judged_rows
from exporter.sources.file_formats import broken_json_lines, file_format, quoted
from exporter.sources.file_reading import READ_FAILURES, described, first_line, matching, reading_connection
from exporter.sources.files_check import findings
from exporter.sources.kept_tags import cursor_mark, kept_tags

_READING_VERSION = "1"
"""Raised when the same file would be read to other charges, so that ledgers read it again."""

_PLACES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FilesSource:
    """A billing export in files. `patterns` are absolute globs; `**` reaches into subfolders."""

    patterns: Sequence[str]
    memory_limit: str = "256MB"
    """For reading one file; what does not fit is spilled to the spool folder."""
    threads: int = 2
    kept_tags: tuple[str, ...] = ()
    """Labels and tags that come with the charges, such as `label:team` and `tag:env`."""
    name: str = field(default="files", init=False)
    provider: str = field(default="gcp", init=False)
    billing_timezone: str = field(default="America/Los_Angeles", init=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield every file whose size, time or identity changed, and a retraction for each one gone.

        Raises SourceError `no_files` when nothing matches the patterns, rather than retracting everything:
        an unmounted folder must not erase good data.
        """
        found = self._files()
        if not found:
            raise SourceError(
                "no_files",
                f"no file matches {', '.join(self.patterns)}: check gcp.billing_export.files and that the "
                "folder is mounted and readable; the last good data stays up",
            )
        # First what is gone, so that no dollar is in the ledger twice where a file was renamed or moved.
        for partition in sorted(context.known.keys() - {str(path) for path in found}):
            yield Retraction(partition)
        failed = 0
        for number, path in enumerate(found, 1):
            if context.stopping():
                return
            change = self._changed(path, context)
            if change is not None:
                failed += isinstance(change, Unreadable)
                context.meter.progress(f"{number} of {len(found)} files read")
                yield change
        if failed == len(found):
            raise SourceError("unreadable_file", f"none of the {failed} files could be read")

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Say what the patterns match, what cannot be read, and what the newest file holds."""
        with reading_connection(context.spool, self.memory_limit, self.threads) as connection:
            yield from findings(connection, self.patterns, context)

    def _files(self) -> list[Path]:
        """Existing files by path, each once, however many patterns or links lead to it."""
        by_identity: dict[Path, Path] = {}
        for pattern in self.patterns:
            for path in matching(pattern):
                by_identity.setdefault(path.resolve(), path)
        return sorted(by_identity.values())

    def _changed(self, path: Path, context: RefreshContext) -> Batch | Unreadable | None:
        try:
            cursor = _fingerprint(path) + cursor_mark(kept_tags(self.kept_tags))
            if context.known.get(str(path)) == cursor:
                return None
            context.meter.requests += 1
            return self._read(path, cursor, context)
        except READ_FAILURES as error:
            detail = (
                f"{first_line(error)}; the file's last good charges stay, it is tried again at each refresh"
            )
            return Unreadable(str(path), Rejected("unreadable_file", 1, str(path), detail))

    def _read(self, path: Path, cursor: str, context: RefreshContext) -> Batch:
        with reading_connection(context.spool, self.memory_limit, self.threads) as connection:
            judged = judged_rows(
                *described(connection, path, kept_tags(self.kept_tags)), context.latest_plausible
            )
            connection.execute(f"CREATE TEMP TABLE aggregated AS {aggregate(judged)}")
            spool = (
                context.spool / f"{blake2b(f'{path}{cursor}'.encode(), digest_size=12).hexdigest()}.parquet"
            )
            connection.execute(f"COPY ({charges_of('aggregated')}) TO {quoted(spool)} (FORMAT parquet)")
            rows, refused = connection.execute(
                "SELECT coalesce(sum(export_rows) FILTER (reason IS NULL), 0), "
                "coalesce(sum(export_rows) FILTER (reason IS NOT NULL), 0) FROM aggregated"
            ).fetchall()[0]
            rejected = _refused_rows(connection, path, judged) if refused else []
            return Batch(
                str(path), cursor, spool, int(rows), (*rejected, *_refused_csv_lines(connection, path))
            )


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{_READING_VERSION}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _refused_rows(connection: duckdb.DuckDBPyConnection, path: Path, judged: str) -> list[Rejected]:
    """Read the file once more, to say where its refused rows are. Rows count from 1, in the file's order."""
    connection.execute("SET preserve_insertion_order = true")
    found = connection.execute(
        f"""SELECT reason, count(*), list(place)[:{_PLACES_SHOWN}] FROM (
              SELECT reason, row_number() OVER () AS place FROM ({judged})
            ) WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"""
    ).fetchall()
    return [
        Rejected(reason, count, _place(path, reason, rows), REASONS[reason]) for reason, count, rows in found
    ]


def _place(path: Path, reason: str, rows: list[int]) -> str:
    if reason == "bad_json" and file_format(path) != ".csv":
        lines = broken_json_lines(path, _PLACES_SHOWN)
        return f"{path} line {', '.join(map(str, lines))}" if lines else str(path)
    return f"{path} row {', '.join(map(str, sorted(rows)))}"


def _refused_csv_lines(connection: duckdb.DuckDBPyConnection, path: Path) -> list[Rejected]:
    if file_format(path) != ".csv":
        return []
    lines = connection.execute(
        "SELECT line, first(error_message) FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    if not lines:
        return []
    shown = ", ".join(str(line) for line, _ in lines[:_PLACES_SHOWN])
    return [Rejected("bad_csv", len(lines), f"{path} line {shown}", f"{lines[0][1]}; the line was left out")]
