"""Live usage in the ledger: hours that are read again replace their old usage, or points are added to it.

Reading twice, restarting or a crash at any moment does no harm: points, cursors and counters change together,
and counters never fall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import duckdb

from exporter.core.charges import USAGE_COLUMNS
from exporter.core.sql_texts import quoted
from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.store import Ledger
from exporter.ledger.counter_starts import began_after_first_read
from exporter.ledger.usage.queries import THROUGH_NO_TIME, UsageView

_DIMENSIONS: Final = tuple(name for name in USAGE_COLUMNS if name not in ("start", "end", "value"))
_NAMES: Final = ", ".join(_DIMENSIONS)
_SAME: Final = " AND ".join(f"usage_series.{name} = incoming.{name}" for name in _DIMENSIONS)


class Read(Protocol):
    """One meter of one project as read for whole hours."""

    @property
    def project_id(self) -> str:
        """Its project."""
        ...

    @property
    def meter(self) -> str:
        """Its row of the usage table."""
        ...

    @property
    def since(self) -> datetime:
        """Start of the first hour."""
        ...

    @property
    def until(self) -> datetime:
        """End of the last hour."""
        ...

    @property
    def through(self) -> datetime:
        """Up to here all usage that can be known was read."""
        ...

    @property
    def cursor(self) -> str:
        """The source's own mark."""
        ...


class UsageLedger:
    """The usage points of all sources, in the ledger's file and its transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def cursors(self, source: str) -> dict[str, str]:
        """Return the source's cursors by `project_id/meter`."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT project_id || '/' || meter, cursor FROM usage_cursor WHERE source = ?", [source]
            )
            return dict(rows.fetchall())

    def put(self, source: str, reads: Sequence[Read], points: Path) -> None:
        """Replace the usage of the hours that were read by the points of a spool file, and keep the cursors.

        Points outside of those hours, or older than what is kept, are left out. Raises LedgerError,
        after which everything is as it was before.
        """
        with self._ledger.transaction() as connection:
            _load(connection, reads, points)
            connection.execute(_NEW_SERIES, {"source": source})
            connection.execute(_ARRIVED, {"source": source})
            connection.execute(_REPLACED, {"source": source})
            connection.execute(_COUNT)
            for table, start in (("usage_hour", "hour"), ("usage_point", "begins")):
                connection.execute(
                    f"DELETE FROM {table} USING replaced WHERE {table}.usage_series_id = "
                    f"replaced.usage_series_id AND {start} >= since AND {start} < until"
                )
            connection.execute(
                """INSERT INTO usage_hour SELECT usage_series_id, date_trunc('hour', begins), sum(amount)
                   FROM arrived GROUP BY ALL"""
            )
            connection.execute(
                "INSERT INTO usage_point SELECT * FROM arrived WHERE ends < begins + INTERVAL 1 HOUR"
            )
            connection.execute(
                """DELETE FROM usage_cursor USING hours_read AS read WHERE source = ?
                   AND usage_cursor.project_id = read.project_id AND usage_cursor.meter = read.meter""",
                [source],
            )
            connection.execute(
                "INSERT INTO usage_cursor SELECT ?, project_id, meter, cursor, through FROM hours_read",
                [source],
            )

    def add(
        self, source: str, partition: str, cursor: str, points: Path, obsolete: Sequence[str] = ()
    ) -> None:
        """Add the points of a spool file to what there is, and keep the partition's cursor.

        Cursors of obsolete partitions are removed. The name of a partition contains a slash. Points older
        than what is kept are left out. Raises LedgerError, after which everything is as it was before.
        """
        with self._ledger.transaction() as connection:
            _load(connection, None, points)
            connection.execute(_NEW_SERIES, {"source": source})
            connection.execute(_ARRIVED, {"source": source})
            connection.execute(_REPLACED, {"source": source})
            connection.execute(_COUNT)
            connection.execute(_ADD_TO_HOURS)
            connection.execute(_ADD_TO_POINTS)
            keys = [_key(name) for name in (partition, *obsolete)]
            connection.executemany(
                "DELETE FROM usage_cursor WHERE source = ? AND project_id = ? AND meter = ?",
                [[source, *key] for key in keys],
            )
            connection.execute(
                f"INSERT INTO usage_cursor VALUES (?, ?, ?, ?, {THROUGH_NO_TIME})", [source, *keys[0], cursor]
            )

    def price(self, usd_per_unit: Mapping[int, float]) -> None:
        """Price what series (by id) have counted since they were last priced, at the present rates.

        So a dollar counter only rises, also when rates fall. Raises LedgerError.
        """
        if not usd_per_unit or self._ledger.read_only:
            return
        with self._ledger.transaction() as connection:
            connection.execute(
                """UPDATE usage_series SET
                     usd_total = usd_total + greatest((total - priced_total) * usd, 0), priced_total = total
                   FROM (SELECT unnest(?::INTEGER[]) AS id, unnest(?::DOUBLE[]) AS usd)
                   WHERE usage_series_id = id AND total > priced_total""",
                [list(usd_per_unit), list(usd_per_unit.values())],
            )

    def forget_before(self, hours: datetime, points: datetime) -> None:
        """Remove hours, and points within hours, that began before two moments; counters keep what they have.

        The limit of hours only moves forward, so that nothing comes back twice. Raises LedgerError.
        """
        if self._ledger.read_only:
            return
        with self._ledger.transaction() as connection:
            moment = naive_utc(hours).replace(minute=0, second=0, microsecond=0)
            connection.execute("DELETE FROM usage_point WHERE begins < ?", [naive_utc(points)])
            if moment <= connection.execute(f"SELECT {_KEPT_FROM}").fetchall()[0][0]:
                return
            connection.execute("DELETE FROM setting WHERE name = 'usage_kept_from'")
            connection.execute("INSERT INTO setting VALUES ('usage_kept_from', ?)", [moment.isoformat()])
            connection.execute(_RETIRE, {"moment": moment})
            connection.execute("DELETE FROM usage_hour WHERE hour < ?", [moment])

    def latest_hour(self) -> datetime | None:
        """Return the latest hour of which any usage is known."""
        with self._ledger.reading() as connection:
            latest: datetime | None = connection.execute("SELECT max(hour) FROM usage_hour").fetchall()[0][0]
        return latest.replace(tzinfo=UTC) if latest else None

    @contextmanager
    def view(self) -> Iterator[UsageView]:
        """Open one consistent state of usage for reading."""
        with self._ledger.reading() as connection:
            yield UsageView(connection)


_KEPT_FROM: Final = """
coalesce((SELECT value::TIMESTAMP FROM setting WHERE name = 'usage_kept_from'), TIMESTAMP '1970-01-01')
"""

_NEWEST: Final = "SELECT max(hour) FROM usage_hour SEMI JOIN stored USING (usage_series_id)"

_NEW_SERIES: Final = f"""
INSERT INTO usage_series BY NAME
WITH stored AS (FROM usage_series WHERE source = $source)
SELECT (SELECT coalesce(max(usage_series_id), 0) FROM usage_series) + row_number() OVER () AS usage_series_id,
  $source AS source, {_NAMES}, 0 AS present, 0 AS retired, 0 AS total, 0 AS priced_total, 0 AS usd_total,
  counted_from, {began_after_first_read(_NEWEST)} AS unseen
FROM (SELECT {_NAMES}, date_trunc('hour', min(start)) AS counted_from FROM incoming GROUP BY {_NAMES})
  ANTI JOIN stored USING ({_NAMES})
"""

_ARRIVED: Final = f"""
CREATE OR REPLACE TEMP TABLE arrived AS
SELECT usage_series_id, incoming.start AS begins, incoming."end" AS ends, incoming.value AS amount
FROM incoming JOIN usage_series ON usage_series.source = $source AND {_SAME}
"""

_REPLACED: Final = """
CREATE OR REPLACE TEMP TABLE replaced AS
SELECT usage_series_id, since, until FROM usage_series JOIN hours_read USING (project_id, meter)
WHERE source = $source
"""
"""Which series lose which hours: all of the meters that were read, also those that no longer have points."""

_COUNT: Final = """
UPDATE usage_series SET
  present = present + moved.amount, total = greatest(total, retired + present + moved.amount)
FROM (
  SELECT usage_series_id, sum(amount) AS amount FROM (
    SELECT usage_series_id, amount FROM arrived
    UNION ALL
    SELECT usage_series_id, -amount FROM usage_hour JOIN replaced USING (usage_series_id)
    WHERE hour >= since AND hour < until
  ) GROUP BY usage_series_id
) AS moved
WHERE usage_series.usage_series_id = moved.usage_series_id AND moved.amount <> 0
"""
"""Move the counters by what changed. They are the highest sum seen, so that an answer that was short once and
whole again later is not counted twice."""

_ADD_TO_HOURS: Final = """
MERGE INTO usage_hour USING (
  SELECT usage_series_id, date_trunc('hour', begins) AS hour, sum(amount) AS amount FROM arrived GROUP BY ALL
) AS added
ON usage_hour.usage_series_id = added.usage_series_id AND usage_hour.hour = added.hour
WHEN MATCHED THEN UPDATE SET amount = usage_hour.amount + added.amount
WHEN NOT MATCHED THEN INSERT VALUES (added.usage_series_id, added.hour, added.amount)
"""

_ADD_TO_POINTS: Final = """
MERGE INTO usage_point USING (
  SELECT usage_series_id, begins, ends, sum(amount) AS amount FROM arrived
  WHERE ends < begins + INTERVAL 1 HOUR GROUP BY ALL
) AS added
ON usage_point.usage_series_id = added.usage_series_id AND usage_point.begins = added.begins
  AND usage_point.ends = added.ends
WHEN MATCHED THEN UPDATE SET amount = usage_point.amount + added.amount
WHEN NOT MATCHED THEN INSERT VALUES (added.usage_series_id, added.begins, added.ends, added.amount)
"""

_RETIRE: Final = """
UPDATE usage_series SET present = present - gone.amount, retired = retired + gone.amount
FROM (SELECT usage_series_id, sum(amount) AS amount FROM usage_hour WHERE hour < $moment GROUP BY ALL) AS gone
WHERE usage_series.usage_series_id = gone.usage_series_id
"""


def _load(connection: duckdb.DuckDBPyConnection, reads: Sequence[Read] | None, points: Path) -> None:
    """Make the temporary tables `hours_read` and `incoming`, which has points in those hours alone.

    Without reads `hours_read` is empty, and all points are taken that are not older than what is kept.
    """
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE hours_read (project_id VARCHAR, meter VARCHAR, since TIMESTAMP,
             until TIMESTAMP, through TIMESTAMP, cursor VARCHAR)"""
    )
    if reads:
        connection.executemany(
            f"INSERT INTO hours_read VALUES (?, ?, greatest(?::TIMESTAMP, {_KEPT_FROM}), ?, ?, ?)",
            [
                [
                    each.project_id,
                    each.meter,
                    *map(naive_utc, (each.since, each.until, each.through)),
                    each.cursor,
                ]
                for each in reads
            ],
        )
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in USAGE_COLUMNS.items())
    wanted = (
        f"WHERE start >= {_KEPT_FROM}"
        if reads is None
        else "JOIN hours_read USING (project_id, meter) WHERE start >= since AND start < until"
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE incoming AS SELECT points.*
            FROM read_csv({quoted(points)}, header = true, auto_detect = false, columns = {{{columns}}},
              delim = ',', quote = '"', escape = '"', nullstr = '\\0') AS points {wanted}"""
    )


def _key(partition: str) -> tuple[str, str]:
    """Split the name of a partition as UsageLedger.cursors puts it together."""
    project_id, slash, meter = partition.partition("/")
    if not slash:
        raise ValueError(f"partition {partition!r} has no slash")
    return project_id, meter
