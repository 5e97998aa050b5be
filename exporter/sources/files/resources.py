"""Distinguishes files whose charges look the same: two machines of one kind cost the same on every day.

Only small files are compared; of large ones no two have the same charges by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

import duckdb

from exporter.sources.files.formats import column_key, file_format, json_keys
from exporter.sources.files.overlap import Relation
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import READ_FAILURES, opened
from exporter.sources.files.row_shares import CountedRows, shares_of

_MOST_BYTES: Final = 20 * 2**20
"""Files that are larger than this together are not compared."""

_MOST_BYTES_BY_ROW: Final = 4 * 2**20
"""Files that are larger than this together are not compared row by row; it takes a tenth of a second."""
_MOST_PAIRS: Final = 50
"""So many pairs of files that are not compared all at once are compared row by row at a refresh; what was
compared is remembered."""
_MOST_BYTES_AT_ONCE: Final = 64 * 2**20
"""Files are compared all at once up to this size together, the smallest first."""
_UNPACKED: Final = 8
"""How many times larger a compressed text is when it is read."""

_ENOUGH: Final = 0.5
"""The share of rows for the same resources that a later export of the same days has: some come, some go."""


@dataclass(frozen=True, slots=True)
class ResourceColumns:
    """What distinguishes resources."""

    of_one_format: tuple[str, ...]
    """Columns of two files of one format."""
    of_any_format: tuple[str, ...] = ()
    """Columns that read the same in every format; others one format nests and another one writes as text."""


@dataclass(slots=True)
class SameResourcesOnce:
    """Compares files by their resources and rows, and remembers it for as long as they stay the same."""

    columns: ResourceColumns
    connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    compared: dict[tuple[str, ...], float]
    places: FilePlaces
    pairs: int = field(default=_MOST_PAIRS, init=False)
    """How many pairs may still be compared row by row."""

    def __call__(self, files: Sequence[Path], others: Sequence[Path], relation: Relation) -> bool:
        """Return whether the rows of `files` are for the same resources as those of `others`.

        True where the files are too large for chance, or cannot be read.
        """
        try:
            key = self._states("resources", files, others)
            if key is None:
                return True
            if key not in self.compared:
                with self.places.readable([*files, *others]), self.connect() as connection:
                    self.compared[key] = shared_resources(connection, files, others, self.columns)
        except READ_FAILURES:
            return True
        least = 1.0 if relation in (Relation.COPY, Relation.PART) else _ENOUGH
        return self.compared[key] >= least

    def shared_rows(self, units: Mapping[str, Sequence[Path]]) -> Callable[[str, str], float]:
        """Return what says, by name, the share of the rows of a unit that have one of their own in another.

        Rows are equal in all columns. 0 where the files are too large or too many, have other columns or
        formats, or cannot be read.
        """
        together, shares = self._at_once(units) if len(units) > 2 else (frozenset[str](), {})

        def share(name: str, other: str) -> float:
            if name in together and other in together:
                return shares.get((name, other), 0.0)
            return self._shared_rows(units[name], units[other])

        return share

    def _at_once(
        self, units: Mapping[str, Sequence[Path]]
    ) -> tuple[frozenset[str], Mapping[tuple[str, str], float]]:
        """Return which units were compared with each other at once, and the shares that are not 0."""
        chosen = self._small(units)
        state = blake2b(repr(sorted(chosen.items())).encode(), digest_size=16).hexdigest()
        if ("at once", state) not in self.compared:
            shares = self._compared_at_once({name: units[name] for name in chosen})
            self.compared["at once", state] = float(shares is not None)
            for (name, other), share in (shares or {}).items():
                self.compared["at once", state, name, other] = share
        if not self.compared["at once", state]:
            return frozenset(), {}
        marked = {key: share for key, share in self.compared.items() if key[:2] == ("at once", state)}
        return frozenset(chosen), {(key[2], key[3]): share for key, share in marked.items() if len(key) > 2}

    def _small(self, units: Mapping[str, Sequence[Path]]) -> dict[str, tuple[str, ...]]:
        """Return the units that are small enough to be compared at once, with their states."""
        sizes, states = {}, {}
        for name, files in units.items():
            try:
                # Any two of them may be compared with each other.
                states[name] = self._states("rows", files, (), _MOST_BYTES_BY_ROW // 2, _UNPACKED)
            except OSError:
                states[name] = None
            sizes[name] = sum(
                self.places.size(path) * (_UNPACKED if path.suffix.lower() == ".gz" else 1) for path in files
            )
        chosen: dict[str, tuple[str, ...]] = {}
        left = _MOST_BYTES_AT_ONCE
        for name in sorted(sizes, key=lambda name: (sizes[name], name)):
            left -= sizes[name]
            state = states[name]
            if state is not None and left >= 0:
                chosen[name] = state
        return chosen

    def _compared_at_once(
        self, units: Mapping[str, Sequence[Path]]
    ) -> Mapping[tuple[str, str], float] | None:
        try:
            with (
                self.places.readable([path for files in units.values() for path in files]),
                self.connect() as connection,
            ):
                counted = [each for item in units.items() if (each := _counted_rows(connection, *item))]
                return shares_of(connection, counted)
        except READ_FAILURES:
            return None

    def _shared_rows(self, files: Sequence[Path], others: Sequence[Path]) -> float:
        try:
            key = self._states("rows", files, others, _MOST_BYTES_BY_ROW, _UNPACKED)
            if key is None or len({file_format(path) for path in (*files, *others)}) > 1:
                return 0.0
            if key not in self.compared:
                if self.pairs == 0:
                    return 0.0
                self.pairs -= 1
                with self.places.readable([*files, *others]), self.connect() as connection:
                    self.compared[key] = equal_rows(connection, files, others)
        except READ_FAILURES:
            return 0.0
        return self.compared[key]

    def _states(
        self,
        what: str,
        files: Sequence[Path],
        others: Sequence[Path],
        most_bytes: int = _MOST_BYTES,
        unpacked: int = 1,
    ) -> tuple[str, ...] | None:
        """Return what changes when a file does; None where they are too large. Raises OSError."""
        named = [(path, self.places.status(path)) for path in (*files, *others)]
        sizes = (status.size * (unpacked if path.suffix.lower() == ".gz" else 1) for path, status in named)
        if sum(sizes) > most_bytes:
            return None
        return (
            what,
            str(len(files)),
            *(f"{path}:{status.size}:{status.mtime_ns}" for path, status in named),
        )


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
    sides = [[_spelled(connection, path, names) for path in each] for each in (files, others)]
    found = set.intersection(*(set(spelled) for side in sides for _, spelled in side))
    return _shared(connection, sides, found) if found else 1.0


def equal_rows(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], others: Sequence[Path]) -> float:
    """Return the share of the rows of `files` that have a row of their own in `others`.

    Rows are equal in all columns; 0 where the files have other columns. Raises one of READ_FAILURES.
    """
    sides = [[_spelled(connection, path, None) for path in each] for each in (files, others)]
    first, *rest = (set(spelled) for side in sides for _, spelled in side)
    return _shared(connection, sides, first) if all(each == first for each in rest) else 0.0


def _counted_rows(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]
) -> CountedRows | None:
    """Return the rows of some files by all columns; None where these are not the same, or cannot be read."""
    try:
        side = [_spelled(connection, path, None) for path in files]
    except READ_FAILURES:
        return None
    first = set(side[0][1])
    if any(set(spelled) != first for _, spelled in side):
        return None
    select = " UNION ALL ".join(
        _counted(table, [spelled[key] for key in sorted(first)]) for table, spelled in side
    )
    return CountedRows(name, frozenset((*first, file_format(files[0]))), select)


_Side = list[tuple[str, dict[str, str]]]
"""How each file is read, and how it spells its columns."""


def _shared(connection: duckdb.DuckDBPyConnection, sides: Sequence[_Side], columns: set[str]) -> float:
    own, other = (
        "SELECT row, sum(rows) AS rows FROM ("
        + " UNION ALL ".join(
            _counted(table, [spelled[name] for name in sorted(columns)]) for table, spelled in side
        )
        + ") GROUP BY row"
        for side in sides
    )
    shared, rows = connection.execute(
        f"""SELECT sum(least(own.rows, coalesce(other.rows, 0))), sum(own.rows)
            FROM ({own}) AS own LEFT JOIN ({other}) AS other USING (row)"""
    ).fetchall()[0]
    return float(shared / rows) if rows else 1.0


def _spelled(
    connection: duckdb.DuckDBPyConnection, path: Path, names: Sequence[str] | None
) -> tuple[str, dict[str, str]]:
    """Return how a file is read, and how it spells the names that it has, or all of its columns."""
    keys = json_keys(path) if file_format(path) not in (".parquet", ".csv") else None
    table, types = opened(connection, path, None if keys is None else dict.fromkeys(sorted(keys), "VARCHAR"))
    spelled = {column_key(name): name for name in types}
    wanted = spelled if names is None else {column_key(name) for name in names} & spelled.keys()
    return table, {key: spelled[key] for key in wanted}


def _counted(table: str, columns: Sequence[str]) -> str:
    # A list without labels may be there as such, or left out.
    texts = ", ".join(f"coalesce(nullif(\"{name}\"::VARCHAR, '[]'), '')" for name in columns)
    return f"SELECT hash({texts}) AS row, count(*) AS rows FROM {table} GROUP BY ALL"
