"""Looks at a billing export in files without storing anything: what matches, what is damaged, what is new.

Every file is opened; only the newest is read whole, so that a check of a year of files takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from exporter.byte_sizes import size_text
from exporter.sources.base import Finding, RefreshContext
from exporter.sources.export_columns import EXPORT_COLUMNS
from exporter.sources.export_findings import columns_finding
from exporter.sources.export_sql import judged_rows
from exporter.sources.file_formats import file_format
from exporter.sources.file_reading import READ_FAILURES, described, first_line, matching

_UNREADABLE_SHOWN: Final = 5


def findings(
    connection: duckdb.DuckDBPyConnection, patterns: Sequence[str], context: RefreshContext
) -> Iterator[Finding]:
    """Yield what there is to say of the files. `connection` is one of `reading_connection`."""
    found: dict[Path, _File] = {}
    for pattern in patterns:
        files = {path.resolve(): _File(path, path.stat()) for path in matching(pattern)}
        yield _of_pattern(pattern, files.values(), already=len(files.keys() & found.keys()))
        found = files | found
    if not found:
        detail = (
            "no file matches any pattern: check gcp.billing_export.files, and that the folder is mounted "
            "and may be read by this user"
        )
        yield Finding(False, "files", detail)
        return
    readable: list[_File] = []
    failed: list[str] = []
    for number, file in enumerate(sorted(found.values()), 1):
        try:
            described(connection, file.path)
            readable.append(file)
        except READ_FAILURES as error:
            failed.append(f"{file.path}: {first_line(error)}")
        context.meter.progress(f"{number} of {len(found)} files opened")
    for text in failed[:_UNREADABLE_SHOWN]:
        yield Finding(False, "unreadable file", text)
    if len(failed) > _UNREADABLE_SHOWN:
        yield Finding(False, "unreadable files", f"{len(failed) - _UNREADABLE_SHOWN:,} more")
    if readable:
        newest = max(readable, key=lambda file: file.status.st_mtime_ns)
        yield from _of_newest(connection, newest.path, context)


class _File(NamedTuple):
    path: Path
    status: os.stat_result


def _of_pattern(pattern: str, files: Collection[_File], already: int) -> Finding:
    if not files:
        return Finding(True, "pattern", f"{pattern}: no file matches", warning=True)
    size = sum(file.status.st_size for file in files)
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    twice = f"; {already:,} also matched above, which counts once" if already else ""
    return Finding(True, "pattern", f"{pattern}: {count}, {size_text(size)}{twice}")


def _of_newest(
    connection: duckdb.DuckDBPyConnection, path: Path, context: RefreshContext
) -> Iterator[Finding]:
    """Read the newest file whole: its columns, the times it covers, and rows that would be set aside."""
    try:
        table, columns = described(connection, path)
        present: Collection[str] = columns.types.keys()
        if file_format(path) not in (".parquet", ".csv"):
            present = _filled(connection, table)
        judged = judged_rows(table, columns, context.latest_plausible)
        rows, first, last, exported_first, exported_last = connection.execute(
            f"""SELECT count(*), min(period), max(period), min(exported), max(exported)
                FROM ({judged}) WHERE reason IS NULL"""
        ).fetchall()[0]
        refused = connection.execute(
            f"SELECT reason, count(*) FROM ({judged}) WHERE reason IS NOT NULL GROUP BY ALL ORDER BY reason"
        ).fetchall()
    except READ_FAILURES as error:
        yield Finding(False, "newest file", f"{path} cannot be read to its end: {first_line(error)}")
        return
    yield columns_finding(present, path.name)
    if rows:
        yield Finding(
            True,
            "newest file",
            f"{path.name}: {_rows(rows)}, usage from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, "
            f"exported from {exported_first:%Y-%m-%d %H:%M} to {exported_last:%Y-%m-%d %H:%M} UTC",
        )
    else:
        detail = f"{path.name}: no row that can be used"
        yield Finding(not refused, "newest file", detail, warning=not refused)
    if refused:
        told = ", ".join(f"{count:,} x {reason}" for reason, count in refused)
        yield Finding(True, "rows set aside", f"{told} in {path.name}; `serve` logs where", warning=True)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _filled(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Columns of a JSON file that any row has; it does not say beforehand which ones it has."""
    names = list(EXPORT_COLUMNS)
    counts = connection.execute(
        f"SELECT {', '.join(f'count({name})' for name in names)} FROM {table}"
    ).fetchall()[0]
    return {name for name, count in zip(names, counts, strict=True) if count}
