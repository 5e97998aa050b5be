"""Writes the world's billing export to a folder: one file for each UTC day of export, like its partitions.

A file is replaced in one step, so that a reader sees the old rows or the new ones, never half of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from exporter.simulator.export_schema import EXPORT_COLUMNS
from exporter.simulator.rows import ExportRow
from exporter.simulator.world import World

Format = Literal["parquet", "jsonl", "csv"]
"""Also the suffix of the files."""

_OWN_COLUMNS: Final = ("cost", "usage", "credits", "invoice", "adjustment_info", "cost_at_list")
"""Columns whose values are a row's own; all nested others are shared between many rows."""


_NESTED: Final = (dict, list)


def write_export(
    world: World, folder: Path, until: datetime, format: Format = "parquet", since: datetime | None = None
) -> list[Path]:
    """Bring the files in an existing folder from `since` (or the start) up to rows exported before `until`.

    Every day's file that gets new rows is written anew, whole, under a temporary name that ends in `.tmp`,
    and then renamed. Returns the files that changed, oldest first. Raises OSError if one cannot be written.
    """
    changed: list[Path] = []
    begin = world.start if since is None else since
    while begin < until:
        day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(until, day + timedelta(days=1))
        if next(world.rows_exported(begin, end), None) is not None:
            path = folder / f"billing_export_{day:%Y-%m-%d}.{format}"
            _replace(path, world.rows_exported(day, end), _WRITERS[format])
            changed.append(path)
        begin = end
    return changed


def _replace(
    path: Path, rows: Iterable[ExportRow], write: Callable[[Path, Iterable[ExportRow]], None]
) -> None:
    part = path.with_name(f".{path.name}.tmp")
    try:
        write(part, rows)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_jsonl(path: Path, rows: Iterable[ExportRow]) -> None:
    """Write rows as BigQuery exports JSON: NUMERIC as strings, no NULL fields, times as `… UTC`."""
    text = _Text()
    with path.open("w", encoding="utf-8") as handle:
        handle.writelines(text.row(row) for row in rows)


def write_csv(path: Path, rows: Iterable[ExportRow]) -> None:
    """Write rows with a header; nested columns hold JSON text, NULL is empty."""
    text = _Text()
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(EXPORT_COLUMNS)
        for row in rows:
            writer.writerow([_csv_value(column, row.get(column), text) for column in EXPORT_COLUMNS])


def write_parquet(path: Path, rows: Iterable[ExportRow]) -> None:
    """Write rows as Parquet with the nested types of EXPORT_COLUMNS."""
    spool = path.with_name(f"{path.name}.rows.tmp")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in EXPORT_COLUMNS.items())
    try:
        write_jsonl(spool, rows)
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute(
                f"COPY (SELECT * FROM read_json($rows, format='newline_delimited', columns={{{columns}}}))"
                " TO $path (FORMAT parquet, COMPRESSION zstd)",
                {"rows": str(spool), "path": str(path)},
            )
    finally:
        spool.unlink(missing_ok=True)


_WRITERS: Final[dict[Format, Callable[[Path, Iterable[ExportRow]], None]]] = {
    "parquet": write_parquet,
    "jsonl": write_jsonl,
    "csv": write_csv,
}


class _Text:
    """Values as JSON text. Nested values that rows share are encoded once: they are most of the text."""

    def __init__(self) -> None:
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
        self._known: dict[int, tuple[Any, str]] = {}

    def row(self, row: ExportRow) -> str:
        """One line of JSON; the columns that rows share come first."""
        own: ExportRow = {}
        shared: list[str] = []
        for column, value in row.items():
            if type(value) in _NESTED and column not in _OWN_COLUMNS:
                shared.append(f'"{column}":{self.shared(value)},')
            else:
                own[column] = value
        return f"{{{''.join(shared)}{self._encode(own)[1:]}\n"

    def nested(self, column: str, value: Any) -> str:
        """One nested value."""
        return self._encode(value) if column in _OWN_COLUMNS else self.shared(value)

    def shared(self, value: Any) -> str:
        """One nested value that other rows may hold too."""
        found = self._known.get(id(value))
        if found is None:
            # The value is kept beside its text, so that no other object can take over its id.
            found = self._known[id(value)] = (value, self._encode(value))
        return found[1]


@lru_cache(maxsize=4096)
def _plain(value: datetime | Decimal) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    fraction = f".{value.microsecond:06d}" if value.microsecond else ""
    return f"{value:%Y-%m-%d %H:%M:%S}{fraction} UTC"


def _csv_value(column: str, value: Any, text: _Text) -> Any:
    if isinstance(value, datetime | Decimal):
        return _plain(value)
    return text.nested(column, value) if type(value) in _NESTED else value
