"""Distinguishes files whose charges look the same: two machines of one kind cost the same on every day.

Only small files are compared; of large ones no two have the same charges by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from exporter.sources.files.formats import file_format
from exporter.sources.files.overlap import Relation
from exporter.sources.files.reading import READ_FAILURES, opened

_MOST_BYTES: Final = 20 * 2**20
"""Files that are larger than this together are not compared."""

_ENOUGH: Final = 0.5
"""The share of rows for the same resources that a later export of the same days has: some come, some go."""


@dataclass(frozen=True, slots=True)
class ResourceColumns:
    """What distinguishes resources."""

    of_one_format: tuple[str, ...]
    """Columns of two files of one format."""
    of_any_format: tuple[str, ...] = ()
    """Columns that read the same in every format; others one format nests and another one writes as text."""


@dataclass(frozen=True, slots=True)
class SameResourcesOnce:
    """Says whether files are for the same resources, and remembers it for as long as they stay the same."""

    columns: ResourceColumns
    connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    compared: dict[tuple[str, ...], float]

    def __call__(self, files: Sequence[Path], others: Sequence[Path], relation: Relation) -> bool:
        """Return whether the rows of `files` are for the same resources as those of `others`.

        True where the files are too large for chance, or cannot be read.
        """
        try:
            statuses = [path.stat() for path in (*files, *others)]
            if sum(status.st_size for status in statuses) > _MOST_BYTES:
                return True
            named = zip((*files, *others), statuses, strict=True)
            states = (f"{path}:{status.st_size}:{status.st_mtime_ns}" for path, status in named)
            key = (str(len(files)), *states)
            if key not in self.compared:
                with self.connect() as connection:
                    self.compared[key] = shared_resources(connection, files, others, self.columns)
        except READ_FAILURES:
            return True
        least = 1.0 if relation in (Relation.COPY, Relation.PART) else _ENOUGH
        return self.compared[key] >= least


def shared_resources(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    others: Sequence[Path],
    columns: ResourceColumns,
) -> float:
    """Return the share of the rows of `files` that have a row of their own in `others` for the same resource.

    Resources are distinguished by those of `columns` that both have; 1 where both have none. Raises one of
    READ_FAILURES.
    """
    formats = {file_format(path) for path in (*files, *others)}
    names = columns.of_one_format if len(formats) == 1 else columns.of_any_format
    sides = [[_columns(connection, path, names) for path in each] for each in (files, others)]
    found = set.intersection(*(set(spelled) for side in sides for _, spelled in side))
    if not found:
        return 1.0
    own, other = (
        "SELECT resource, sum(rows) AS rows FROM ("
        + " UNION ALL ".join(
            _counted(table, [spelled[name] for name in sorted(found)]) for table, spelled in side
        )
        + ") GROUP BY resource"
        for side in sides
    )
    shared, rows = connection.execute(
        f"""SELECT sum(least(own.rows, coalesce(other.rows, 0))), sum(own.rows)
            FROM ({own}) AS own LEFT JOIN ({other}) AS other USING (resource)"""
    ).fetchall()[0]
    return float(shared / rows) if rows else 1.0


def _columns(
    connection: duckdb.DuckDBPyConnection, path: Path, names: Sequence[str]
) -> tuple[str, dict[str, str]]:
    """Return how a file is read, and how it spells each of the names that it has."""
    table, types = opened(connection, path, dict.fromkeys(names, "VARCHAR"))
    spelled = {name.casefold(): name for name in types}
    return table, {name: spelled[name.casefold()] for name in names if name.casefold() in spelled}


def _counted(table: str, columns: Sequence[str]) -> str:
    texts = ", ".join(f"coalesce(\"{name}\"::VARCHAR, '')" for name in columns)
    return f"SELECT hash({texts}) AS resource, count(*) AS rows FROM {table} GROUP BY ALL"
