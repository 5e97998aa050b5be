"""Writes the world's billing export to a folder: one file for each UTC day of export, like its partitions.

A file is replaced in one step, so that a reader sees the old rows or the new ones, never half of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from exporter.core.database import connect
from exporter.simulator.google.export_schema import EXPORT_COLUMNS
from exporter.simulator.google.rows import ExportRow
from exporter.simulator.google.world import World
from exporter.simulator.moment import utc

Format = Literal["parquet", "jsonl", "csv"]
"""Also the suffix of the files."""

Writer = Callable[[Path, Iterable[ExportRow]], None]

_SHARED: Final = (
    "service",
    "sku",
    "project",
    "labels",
    "system_labels",
    "location",
    "tags",
    "price",
    "consumption_model",
    "resource",
    "subscription",
)
"""Columns that every row has, and whose values many rows share: most of a row's text."""

_OWN: Final = tuple(column for column in EXPORT_COLUMNS if column not in _SHARED)


def write_export(
    world: World, folder: Path, until: datetime, format: Format = "parquet", since: datetime | None = None
) -> list[Path]:
    """Bring the files in an existing folder from `since` (or the start) up to rows exported before `until`.

    Every day's file with new rows is written again as a whole, under a temporary name that ends in `.tmp`,
    and then renamed. Returns the files that changed, oldest first. Raises OSError if one cannot be written.
    """
    changed: list[Path] = []
    begin, until = (utc(time) for time in (since or world.start, until))
    with ExitStack() as stack:
        write = _writer(format, stack)
        while begin < until:
            day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(until, day + timedelta(days=1))
            new = world.rows_exported(begin, end)
            first = next(new, None)
            if first is not None:
                path = folder / f"billing_export_{day:%Y-%m-%d}.{format}"
                _replace(path, chain(world.rows_exported(day, begin), [first], new), write)
                changed.append(path)
            begin = end
    return changed


def _writer(format: Format, stack: ExitStack) -> Writer:
    if format == "parquet":
        return partial(write_parquet, connection=stack.enter_context(connect(settings={"threads": 1})))
    return write_jsonl if format == "jsonl" else write_csv


def _replace(path: Path, rows: Iterable[ExportRow], write: Writer) -> None:
    part = path.with_name(f".{path.name}.tmp")
    try:
        write(part, rows)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_jsonl(path: Path, rows: Iterable[ExportRow]) -> None:
    """Write rows as BigQuery exports JSON: NUMERIC as strings, no NULL fields, times as `… UTC`."""
    kinds = _Kinds()
    with path.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(f"{kinds.texts[kinds.number(row)][:-1]},{_encode(_own(row))[1:]}\n")


def write_csv(path: Path, rows: Iterable[ExportRow]) -> None:
    """Write rows with a header; nested columns hold JSON text, NULL is empty."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(EXPORT_COLUMNS)
        for row in rows:
            writer.writerow([_csv_value(row.get(column)) for column in EXPORT_COLUMNS])


def write_parquet(path: Path, rows: Iterable[ExportRow], connection: duckdb.DuckDBPyConnection) -> None:
    """Write rows as Parquet with the nested types of EXPORT_COLUMNS.

    What rows share is handed to DuckDB once and joined there: writing and parsing it for every row would
    take most of the time.
    """
    own, shared = path.with_name(f"{path.name}.own.tmp"), path.with_name(f"{path.name}.shared.tmp")
    kinds = _Kinds()
    try:
        with own.open("w", encoding="utf-8") as handle:
            for row in rows:
                handle.write(f'{{"kind":{kinds.number(row)},{_encode(_own(row))[1:]}\n')
        with shared.open("w", encoding="utf-8") as handle:
            handle.writelines(f'{{"kind":{number},{text[1:]}\n' for number, text in enumerate(kinds.texts))
        connection.execute(
            f"COPY (SELECT {', '.join(EXPORT_COLUMNS)} FROM {_json_table('own', _OWN)}"
            f" JOIN {_json_table('shared', _SHARED)} USING (kind))"
            " TO $path (FORMAT parquet, COMPRESSION zstd)",
            {"own": str(own), "shared": str(shared), "path": str(path)},
        )
    finally:
        own.unlink(missing_ok=True)
        shared.unlink(missing_ok=True)


def _json_table(parameter: str, columns: tuple[str, ...]) -> str:
    types = ", ".join(["kind: 'INTEGER'", *(f"{column}: '{EXPORT_COLUMNS[column]}'" for column in columns)])
    return f"read_json(${parameter}, format='newline_delimited', columns={{{types}}})"


class _Kinds:
    """The different combinations of shared values among some rows, each with its JSON text, in order."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._kept: list[tuple[Any, ...]] = []

    def number(self, row: ExportRow) -> int:
        """Position of a row's combination in `texts`."""
        values = _shared_values(row)
        key = tuple(map(id, values))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.texts)
            self.texts.append(_encode(dict(zip(_SHARED, values, strict=True))))
            self._kept.append(values)  # alive, so that no other object takes over an id
        return found


_shared_values: Final = itemgetter(*_SHARED)


def _own(row: ExportRow) -> ExportRow:
    return {column: row[column] for column in _OWN if column in row}


@lru_cache(maxsize=4096)
def _plain(value: datetime | Decimal) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    fraction = f".{value.microsecond:06d}" if value.microsecond else ""
    return f"{value:%Y-%m-%d %H:%M:%S}{fraction} UTC"


_encode: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_plain
).encode


def _csv_value(value: Any) -> Any:
    if isinstance(value, datetime | Decimal):
        return _plain(value)
    return _encode(value) if isinstance(value, dict | list) else value
