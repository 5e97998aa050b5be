"""How many rows small files share, of all at once: each is read once, however many pairs there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import duckdb

MOST_COMPARISONS: Final = 50_000_000
"""Where more rows than this meet an equal one of another file, pairs are compared one by one."""


class CountedRows(NamedTuple):
    """The rows of some files that belong together."""

    name: str
    columns: frozenset[str]
    """Files with other columns have no row in common."""
    select: str
    """SELECT of `row`, a hash, and `rows`, how many there are."""


def shares_of(
    connection: duckdb.DuckDBPyConnection, counted: Iterable[CountedRows]
) -> Mapping[tuple[str, str], float] | None:
    """Return by pair of names which share of the rows of the first has one of its own in the second.

    Pairs that share none are missing. None where it would take too long. Raises duckdb.Error.
    """
    shares: dict[tuple[str, str], float] = {}
    alike: defaultdict[frozenset[str], list[CountedRows]] = defaultdict(list)
    for each in counted:
        alike[each.columns].append(each)
    for group in alike.values():
        if len(group) < 2:
            continue
        found = _of_group(connection, group)
        if found is None:
            return None
        shares |= found
    return shares


def _of_group(
    connection: duckdb.DuckDBPyConnection, group: list[CountedRows]
) -> dict[tuple[str, str], float] | None:
    connection.execute("CREATE OR REPLACE TEMP TABLE counted (file INTEGER, row UBIGINT, rows BIGINT)")
    for number, each in enumerate(group):
        connection.execute(
            f"INSERT INTO counted SELECT {number}, row, sum(rows) FROM ({each.select}) GROUP BY row"
        )
    [(comparisons,)] = connection.execute(
        "SELECT coalesce(sum(files * files), 0) FROM (SELECT count(*) AS files FROM counted GROUP BY row)"
    ).fetchall()
    if comparisons > MOST_COMPARISONS:
        return None
    total = dict(connection.execute("SELECT file, sum(rows) FROM counted GROUP BY file").fetchall())
    found = connection.execute(
        """SELECT own.file, other.file, sum(least(own.rows, other.rows))
           FROM counted AS own JOIN counted AS other ON own.row = other.row AND own.file <> other.file
           GROUP BY ALL"""
    ).fetchall()
    return {
        (group[own].name, group[other].name): float(shared) / float(total[own])
        for own, other, shared in found
    }
