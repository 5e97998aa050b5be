"""Moves what the ledger has from one source's name to another: an entry was renamed, or became a list.

Charges, cursors and counters go together in one transaction, so that no dollar is lost or is there twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from exporter.core.charges import SERIES_COLUMNS
from exporter.ledger.accounts import forget_claim
from exporter.ledger.charges.replacing import BILLED_USD, CREDIT_USD, SAME_CHARGE
from exporter.ledger.charges.store import Ledger
from exporter.ledger.counter_starts import FIRST_READ_OF

_DIMENSIONS: Final = ", ".join(SERIES_COLUMNS)
_TABLES: Final = ("partition", "series", "restated", "usage_cursor", "usage_series", "counted_usage")
"""All tables with a column `source`."""


def held_partitions(ledger: Ledger) -> dict[str, list[str]]:
    """Return the partitions that the ledger has, by source; of usage `project_id/meter`."""
    with ledger.reading() as connection:
        rows = connection.execute(
            "SELECT source, name FROM partition "
            "UNION SELECT source, project_id || '/' || meter FROM usage_cursor ORDER BY ALL"
        ).fetchall()
    found: dict[str, list[str]] = {}
    for source, name in rows:
        found.setdefault(source, []).append(name)
    return found


def known_sources(ledger: Ledger) -> set[str]:
    """Return the sources of which the ledger has a bill or usage."""
    with ledger.reading() as connection:
        rows = connection.execute(
            "SELECT source FROM partition UNION SELECT source FROM usage_cursor "
            "UNION SELECT source FROM series UNION SELECT source FROM usage_series"
        ).fetchall()
    return {source for (source,) in rows}


def rename_source(ledger: Ledger, old: str, new: str, *, account: str | None = None) -> None:
    """Give everything of a source to another one, of which the ledger has nothing yet. Raises LedgerError.

    With `account` its series have that billing account from now on, empty for none.
    """
    with ledger.transaction() as connection:
        _rename(connection, old, new)
        if account is not None:
            connection.execute("UPDATE series SET billing_account_id = ? WHERE source = ?", [account, new])


def divide_source(ledger: Ledger, old: str, takers: Mapping[str, Sequence[str]], *, stays: bool) -> None:
    """Give partitions of a source to others: `takers` has the partitions by the source that gets them.

    With `stays` the old source goes on with the rest; otherwise the first taker gets what is of no partition,
    such as counters of charges that retention removed. Raises LedgerError.
    """
    with ledger.transaction() as connection:
        if not stays and len(takers) == 1 and _has_nothing(connection, next(iter(takers))):
            _rename(connection, old, next(iter(takers)))
            return
        begun = _is_marked(connection, old)
        for new, names in takers.items():
            if begun and _has_nothing(connection, new):
                connection.execute("INSERT INTO setting VALUES (?, ?)", [FIRST_READ_OF, new])
            _move(connection, old, new, names)
            _move_usage(connection, old, new, names)
        if not stays:
            _move_rest(connection, old, next(iter(takers)))


def _rename(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    forget_claim(connection, old)
    for table in _TABLES:
        connection.execute(f"UPDATE {table} SET source = ? WHERE source = ?", [new, old])
    connection.execute("UPDATE setting SET value = ? WHERE name = ? AND value = ?", [new, FIRST_READ_OF, old])


def _has_nothing(connection: duckdb.DuckDBPyConnection, source: str) -> bool:
    found = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE source = $source" for table in _TABLES)
    return not connection.execute(f"{found} LIMIT 1", {"source": source}).fetchall()


def _is_marked(connection: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether the first read of a source has begun and not ended."""
    rows = connection.execute("SELECT 1 FROM setting WHERE name = ? AND value = ?", [FIRST_READ_OF, source])
    return bool(rows.fetchall())


def _move(connection: duckdb.DuckDBPyConnection, old: str, new: str, names: Sequence[str]) -> None:
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE moved_partition AS
           SELECT partition_id FROM partition
           WHERE source = $old AND name IN (SELECT unnest($names::VARCHAR[]))""",
        {"old": old, "names": list(names)},
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE moved_series AS
            SELECT series_id, sum({BILLED_USD}) AS billed, sum({CREDIT_USD}) AS credit,
              NOT bool_or(series_id IN (
                SELECT series_id FROM charge ANTI JOIN moved_partition USING (partition_id))) AS whole
            FROM (
              SELECT series_id, sum(billed_cost_usd) AS billed_cost_usd
              FROM charge SEMI JOIN moved_partition USING (partition_id)
              GROUP BY partition_id, {SAME_CHARGE}
            ) JOIN series USING (series_id) GROUP BY series_id"""
    )
    _transfer(connection, new)
    connection.execute(
        "UPDATE partition SET source = ? WHERE partition_id IN (SELECT partition_id FROM moved_partition)",
        [new],
    )


def _move_usage(connection: duckdb.DuckDBPyConnection, old: str, new: str, names: Sequence[str]) -> None:
    """Move usage with its counters; no project is read by two sources, so that none has both names."""
    projects = sorted({name.rpartition("/")[0] for name in names})
    for table in ("usage_series", "usage_cursor"):
        connection.execute(
            f"""UPDATE {table} SET source = $new
                WHERE source = $old AND project_id IN (SELECT unnest($projects::VARCHAR[]))""",
            {"old": old, "new": new, "projects": projects},
        )


def _move_rest(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    """Move the series that have no charge any more, and what is counted by source alone."""
    connection.execute("CREATE OR REPLACE TEMP TABLE moved_partition (partition_id INTEGER)")
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE moved_series AS
           SELECT series_id, 0::DECIMAL(38,18) AS billed, 0::DECIMAL(38,18) AS credit, true AS whole
           FROM series WHERE source = ?""",
        [old],
    )
    _transfer(connection, new)
    connection.execute("UPDATE restated SET source = ? WHERE source = ?", [new, old])
    connection.execute("DELETE FROM setting WHERE name = ? AND value = ?", [FIRST_READ_OF, old])


def _transfer(connection: duckdb.DuckDBPyConnection, new: str) -> None:
    """Give `moved_series` to another source: as they are, or added to its series of the same dimensions."""
    connection.execute(
        f"""UPDATE series SET source = $new WHERE series_id IN (
              SELECT series_id FROM moved_series JOIN series USING (series_id)
                ANTI JOIN (FROM series WHERE source = $new) AS theirs USING ({_DIMENSIONS})
              WHERE whole)""",
        {"new": new},
    )
    connection.execute(
        "DELETE FROM moved_series WHERE series_id IN (SELECT series_id FROM series WHERE source = ?)", [new]
    )
    connection.execute(_NEW_PARTS, {"new": new})
    connection.execute(_PAIRS, {"new": new})
    connection.execute(_ADD)
    connection.execute(_SUBTRACT)
    connection.execute(
        """UPDATE charge SET series_id = pair.new_id FROM moved_pair AS pair
           WHERE charge.series_id = pair.old_id
             AND partition_id IN (SELECT partition_id FROM moved_partition)"""
    )
    connection.execute("DELETE FROM series WHERE series_id IN (SELECT old_id FROM moved_pair WHERE whole)")


_NEW_PARTS: Final = f"""
INSERT INTO series BY NAME
SELECT (SELECT coalesce(max(series_id), 0) FROM series) + row_number() OVER () AS series_id,
  $new AS source, {_DIMENSIONS}, counted_from, unseen, published,
  0 AS billed_present_usd, 0 AS billed_retired_usd, 0 AS billed_usd_total, 0 AS billed_base_usd,
  0 AS credit_present_usd, 0 AS credit_retired_usd, 0 AS credit_usd_total, 0 AS credit_base_usd
FROM moved_series JOIN series USING (series_id)
  ANTI JOIN (FROM series WHERE source = $new) AS theirs USING ({_DIMENSIONS})
"""
"""A series of which a part stays: the part that goes begins at zero and gets its share below."""

_PAIRS: Final = f"""
CREATE OR REPLACE TEMP TABLE moved_pair AS
SELECT mine.series_id AS old_id, theirs.series_id AS new_id, whole, published,
  {
    ", ".join(
        f'''CASE WHEN whole THEN {kind}_present_usd ELSE {kind} END AS {kind}_present,
  CASE WHEN whole THEN {kind}_retired_usd ELSE 0 END AS {kind}_retired,
  CASE WHEN whole THEN {kind}_usd_total
    ELSE least({kind}, {kind}_usd_total - {kind}_base_usd) END AS {kind}_total,
  CASE WHEN whole THEN {kind}_base_usd ELSE 0 END AS {kind}_base'''
        for kind in ("billed", "credit")
    )
}
FROM moved_series JOIN series AS mine USING (series_id)
  JOIN (SELECT series_id, {_DIMENSIONS} FROM series WHERE source = $new) AS theirs USING ({_DIMENSIONS})
"""


def _changed(sign: str) -> str:
    return ", ".join(
        f"{kind}_{column} = {kind}_{column} {sign} pair.{kind}_{part}"
        for kind in ("billed", "credit")
        for column, part in (
            ("present_usd", "present"),
            ("retired_usd", "retired"),
            ("usd_total", "total"),
            ("base_usd", "base"),
        )
    )


_ADD: Final = f"""
UPDATE series SET {_changed("+")}, published = coalesce(series.published, pair.published)
FROM moved_pair AS pair WHERE series.series_id = pair.new_id
"""

_SUBTRACT: Final = f"""
UPDATE series SET {_changed("-")} FROM moved_pair AS pair WHERE series.series_id = pair.old_id
"""
