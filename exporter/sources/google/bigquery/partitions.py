"""How an export table is cut into partitions, and how SQL names and bounds them.

A table that BigQuery does not partition by time is still divided by the day of export_time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, Literal

Unit = Literal["HOUR", "DAY", "MONTH", "YEAR"]
Kind = Literal["ingestion", "column", "virtual"]

NULL_PARTITION: Final = "__NULL__"
"""BigQuery's own id of the partition of rows whose partitioning column is NULL."""

_ID_FORMATS: Final[dict[Unit, str]] = {
    "HOUR": "%Y-%m-%dT%H",
    "DAY": "%Y-%m-%d",
    "MONTH": "%Y-%m",
    "YEAR": "%Y",
}
LITERAL_FORMATS: Final = {
    "TIMESTAMP": "TIMESTAMP '%Y-%m-%d %H:%M:%S+00'",
    "DATETIME": "DATETIME '%Y-%m-%d %H:%M:%S'",
    "DATE": "DATE '%Y-%m-%d'",
}
"""How a constant of each type is written in SQL, as a format of a UTC time."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """Rule that gives each row of a table its partition. Partitions start at a UTC time."""

    kind: Kind
    column: str
    """Pseudo-column or column that the partition is taken from."""
    column_type: str
    """TIMESTAMP, DATETIME or DATE."""
    unit: Unit
    expiration: timedelta | None = None
    """Age at which BigQuery deletes a partition by itself."""

    @property
    def start_expression(self) -> str:
        """SQL expression of a row's partition start, a TIMESTAMP."""
        if self.kind == "ingestion":
            return self.column
        truncated = f"{self.column_type}_TRUNC({self.column}, {self.unit})"
        return truncated if self.column_type == "TIMESTAMP" else f"TIMESTAMP({truncated})"

    @property
    def has_null_partition(self) -> bool:
        """Whether rows without a partition time are there to stay.

        In a table partitioned by ingestion time they are in the streaming buffer, and get a partition when
        it is flushed.
        """
        return self.kind != "ingestion"

    def floor(self, moment: datetime) -> datetime:
        """Start of the partition that holds a time."""
        start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if self.unit == "HOUR":
            return start
        start = start.replace(hour=0)
        if self.unit == "DAY":
            return start
        return start.replace(day=1) if self.unit == "MONTH" else start.replace(month=1, day=1)

    def following(self, start: datetime) -> datetime:
        """Start of the partition after the one that starts at `start`."""
        longest = {"HOUR": 1, "DAY": 24, "MONTH": 31 * 24, "YEAR": 366 * 24}[self.unit]
        return self.floor(start + timedelta(hours=longest))

    def starts(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Start of every partition from the one that holds `first` to the one that holds `last`."""
        start = self.floor(first)
        while start <= last:
            yield start
            start = self.following(start)

    def oldest_lasting(self, oldest: datetime, now: datetime) -> datetime:
        """Return `oldest`, or if later the start of the first partition that BigQuery does not delete yet."""
        return oldest if self.expiration is None else max(oldest, self.following(now - self.expiration))

    def partition_id(self, start: datetime | None) -> str:
        """Short name of a partition, sorting by time: `2026-11-20`, `2026-11-20T05`, `2026-11`."""
        return NULL_PARTITION if start is None else start.strftime(_ID_FORMATS[self.unit])

    def start_of(self, partition_id: str) -> datetime | None:
        """Inverse of partition_id; None for the null partition.

        Raises ValueError for an id that this partitioning does not give.
        """
        if partition_id == NULL_PARTITION:
            return None
        return datetime.strptime(partition_id, _ID_FORMATS[self.unit]).replace(tzinfo=UTC)

    def since(self, start: datetime, *, with_null: bool) -> str:
        """SQL condition for every partition from `start` on, with an open end."""
        bound = f"{self.column} >= {self._literal(start)}"
        return f"({bound} OR {self.column} IS NULL)" if with_null and self.has_null_partition else bound

    def among(self, starts: Iterable[datetime | None]) -> str:
        """SQL condition for exactly these partitions, in constants alone, so that BigQuery can prune."""
        known = sorted(start for start in starts if start is not None)
        if not known:
            return f"{self.column} IS NULL"
        ranges = [
            f"({self.column} >= {self._literal(first)} AND {self.column} < {self._literal(end)})"
            for first, end in self._merged(known)
        ]
        return f"({' OR '.join(ranges)})"

    def _merged(self, starts: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
        runs: list[list[datetime]] = []
        for start in starts:
            if runs and self.following(runs[-1][-1]) == start:
                runs[-1].append(start)
            else:
                runs.append([start])
        for run in runs:
            yield run[0], self.following(run[-1])

    def _literal(self, moment: datetime) -> str:
        return moment.strftime(LITERAL_FORMATS[self.column_type])


VIRTUAL_DAYS: Final = Partitioning("virtual", "export_time", "TIMESTAMP", "DAY")
"""Of a view or a table without time partitioning."""


def by_month(starts: Iterable[datetime | None]) -> list[tuple[str, list[datetime | None]]]:
    """Group partition starts by calendar month in UTC, oldest first; the null partition comes last."""
    ordered = sorted(starts, key=lambda start: (start is None, start or datetime.min.replace(tzinfo=UTC)))
    return [(month, list(group)) for month, group in groupby(ordered, key=_month)]


def _month(start: datetime | None) -> str:
    # An underscore sorts after every digit.
    return NULL_PARTITION if start is None else start.strftime("%Y-%m")
