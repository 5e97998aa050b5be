"""Looks at a billing export in files without storing anything: what matches, what is damaged, what is new.

Every file is opened; only the newest is read whole, so that a check of a year of files takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from exporter.sources.base import Finding, RefreshContext
from exporter.sources.files.findings import broken_findings, openable_files
from exporter.sources.files.formats import file_format
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import READ_FAILURES, described, first_line
from exporter.sources.files.reconciling import reconciled
from exporter.sources.google.export.columns import ExportColumns
from exporter.sources.google.export.findings import columns_finding
from exporter.sources.google.export.names import found_columns
from exporter.sources.google.export.sql import REASONS, examples, judged_rows

PATTERNS_KEY: Final = "gcp.billing_export.files"
"""The configuration key of the patterns."""


def findings(
    connection: duckdb.DuckDBPyConnection, places: FilePlaces, context: RefreshContext, every: timedelta
) -> Iterator[Finding]:
    """Yield what the check finds out about the files. `connection` is one of `reading_connection`.

    `every` is the interval of refreshes.
    """
    readable = yield from openable_files(
        places, context, lambda path: described(connection, path), key=PATTERNS_KEY, every=every
    )
    if readable:
        newest = max(readable, key=lambda file: file.status.mtime_ns)
        with places.readable([newest.path]):
            yield from _of_newest(connection, newest.path, context)


def _of_newest(
    connection: duckdb.DuckDBPyConnection, path: Path, context: RefreshContext
) -> Iterator[Finding]:
    """Read the newest file whole: its columns, the times it covers, and rows that would be set aside."""
    try:
        newest, broken = reconciled(
            lambda data: _newest(connection, data, context), path, context.spool / "newest.csv"
        )
    except READ_FAILURES as error:
        yield Finding(False, "newest file", f"{path} cannot be read to its end: {first_line(error)}")
        return
    yield columns_finding(newest.present, path.name)
    if newest.rows:
        first, last, exported_first, exported_last = newest.times
        yield Finding(
            True,
            "newest file",
            f"{path.name}: {_rows(newest.rows)}, usage from {first:%Y-%m-%d %H:%M} to "
            f"{last:%Y-%m-%d %H:%M} UTC, exported from {exported_first:%Y-%m-%d %H:%M} to "
            f"{exported_last:%Y-%m-%d %H:%M} UTC",
        )
    else:
        detail = f"{path.name}: no row that can be used"
        yield Finding(not newest.refused, "newest file", detail, warning=not newest.refused)
    yield from broken_findings(broken)
    for reason, count in newest.refused:
        example = f" (for example {newest.examples[reason]})" if newest.examples.get(reason) else ""
        yield Finding(
            True,
            "rows set aside",
            f"{count:,} x {reason} in {path.name}: {REASONS[reason]}{example}; `serve` logs where",
            warning=True,
        )


@dataclass(frozen=True, slots=True)
class _Newest:
    """What the newest file has."""

    present: set[str]
    """Its columns, as found_columns names them."""
    rows: int
    times: tuple[datetime, datetime, datetime, datetime]
    """First and last usage, first and last export; of a file without rows none of them is a time."""
    refused: Sequence[tuple[str, int]]
    """Rows by reason."""
    examples: Mapping[str, str | None]
    unparsed: frozenset[int] = frozenset()

    @property
    def records(self) -> int:
        """All its rows."""
        return self.rows + sum(count for _, count in self.refused)


def _newest(connection: duckdb.DuckDBPyConnection, path: Path, context: RefreshContext) -> _Newest:
    table, columns = described(connection, path)
    present = columns.found()
    if file_format(path) not in (".parquet", ".csv"):
        present = _filled(connection, table, columns)
    judged = judged_rows(table, columns, context.latest_plausible)
    rows, *times = connection.execute(
        f"""SELECT count(*), min(period), max(period), min(exported), max(exported)
            FROM ({judged}) WHERE reason IS NULL"""
    ).fetchall()[0]
    refused = connection.execute(
        f"SELECT reason, count(*) FROM ({judged}) WHERE reason IS NOT NULL GROUP BY ALL ORDER BY reason"
    ).fetchall()
    found = dict(connection.execute(examples(judged)).fetchall()) if refused else {}
    first, last, exported_first, exported_last = times
    return _Newest(present, rows, (first, last, exported_first, exported_last), refused, found)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _filled(connection: duckdb.DuckDBPyConnection, table: str, columns: ExportColumns) -> set[str]:
    """Columns of a JSON file that any row has; it does not say beforehand which ones it has."""
    names = list(columns.types)
    counts = connection.execute(
        "SELECT " + ", ".join(f'count("{name}")' for name in names) + f" FROM {table}"
    ).fetchall()[0]
    return found_columns(name for name, count in zip(names, counts, strict=True) if count)
