"""One refresh of one entry of `focus.bigquery`: finds the months that changed, and reads only these again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from exporter.core.charges import EARLIEST_PLAUSIBLE
from exporter.core.errors import SourceError
from exporter.core.kept_tags import KeptTag, cursor_mark
from exporter.core.sql_times import sql_time
from exporter.sources.base import Batch, Change, RefreshContext, Retraction
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.opening import opened
from exporter.sources.focus.bigquery.rows import COUNTS, month_charges, write_rows
from exporter.sources.focus.bigquery.sql import (
    NO_MONTH,
    ROWS_COLUMN,
    FocusTable,
    month_of,
    result_columns,
    rows_query,
    state_query,
)
from exporter.sources.focus.columns import Cost
from exporter.sources.focus.sql import FocusReading

if TYPE_CHECKING:
    from exporter.sources.google.bigquery.session import BigQuerySession

_READING_VERSION: Final = "1"
"""Raised when the same rows would be read to other charges, so that ledgers read them again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the rows of all entries become charges."""

    cost: Cost
    usd_per: Mapping[str, Decimal]
    owned_by_others: frozenset[str]
    kept: tuple[KeptTag, ...]


@dataclass(slots=True)
class EntryRefresh:
    """Months are compared by a fingerprint of all values that are read, so that no change goes unseen."""

    entry: FocusEntry
    session: BigQuerySession
    rules: Rules
    context: RefreshContext
    owned: dict[str, int] = field(default_factory=dict, init=False)
    """Provider -> rows that were left out, since another source or entry reads its bill."""

    def changes(self) -> Iterator[Change]:
        """Yield the months that are gone, then those that changed. Raises SourceError."""
        table = opened(self.session, self.entry, self.rules.cost, tags=bool(self.rules.kept))
        states = self._states(table)
        since = month_of(self.context.oldest_kept)
        known = {
            month: cursor
            for partition, cursor in self.context.known.items()
            if (month := self.entry.month_of(partition)) is not None and (month == NO_MONTH or month >= since)
        }
        if known and not states:
            raise SourceError(
                "export_empty",
                f"{self.entry.shown} has no rows since {since} any more, although it had some: the last good "
                f"data stays; if it was emptied on purpose, remove {self.entry.place} from the configuration",
            )
        for month in sorted(known.keys() - states.keys()):
            yield Retraction(self.entry.partition(month))
        moved = [month for month, state in states.items() if known.get(month) != self._cursor(table, state)]
        if moved:
            yield from self._read(table, moved, states, known)

    def _states(self, table: FocusTable) -> dict[str, str]:
        """Month -> what changes with each value that is read of it."""
        sql = state_query(table, self.context.oldest_kept)
        rows = self.session.rows(sql, "cursor", f"looking up changed months of {self.entry.shown}")
        return {str(row["month"]): f"{row[ROWS_COLUMN]}-{row['state']}" for row in rows}

    def _read(
        self, table: FocusTable, months: list[str], states: Mapping[str, str], known: Mapping[str, str]
    ) -> Iterator[Change]:
        """Read all months by one query: a table that is not partitioned is read whole by every query.

        It reads no more than the look at all months before, so the cap allows it.
        """
        shown = f"{len(months)} months" if len(months) > 1 else f"the month {months[0] or 'of no period'}"
        rows = self.session.rows(
            rows_query(table, months), "charges", f"reading {shown} of {self.entry.shown}"
        )
        missing = set(months)
        for month, of_month in groupby(rows, key=lambda row: str(row["month"])):
            if self.context.stopping():
                return
            missing.discard(month)
            same = known.get(month, "").partition("/")[0] == states[month]
            yield self._batch(table, month, of_month, self._cursor(table, states[month]), same=same)
        # Gone between the two queries.
        yield from (Retraction(self.entry.partition(month)) for month in sorted(missing & known.keys()))

    def _batch(
        self, table: FocusTable, month: str, rows: Iterable[Mapping[str, Any]], cursor: str, *, same: bool
    ) -> Batch:
        context, partition = self.context, self.entry.partition(month)
        digest = blake2b(f"{partition}{cursor}".encode(), digest_size=12).hexdigest()
        rows_file, spool = context.spool / f"{digest}.csv", context.spool / f"{digest}.parquet"
        reading = FocusReading(
            cost=self.rules.cost,
            usd_per=self.rules.usd_per,
            owned_by_others=self.rules.owned_by_others,
            written=sql_time(max(context.now, EARLIEST_PLAUSIBLE)),
            now=context.now,
            latest_plausible=context.latest_plausible,
            kept=self.rules.kept,
            only=self.entry.providers,
            counts=COUNTS,
        )
        place = f"{self.entry.shown}, {month or 'rows without a billing period'}"
        count = write_rows(rows_file, result_columns(table), rows)
        try:
            made = month_charges(rows_file, spool, reading, rows=count, place=place)
        finally:
            rows_file.unlink(missing_ok=True)
        for provider, number in made.owned.items():
            self.owned[provider] = self.owned.get(provider, 0) + number
        return Batch(partition, cursor, spool, made.rows, made.rejected, same_data=same)

    def _cursor(self, table: FocusTable, state: str) -> str:
        """What decides the charges of a month: its rows, the columns that are read, and the settings."""
        rules = self.rules
        settings = (
            *(rules.cost, sorted(rules.usd_per.items()), sorted(rules.owned_by_others)),
            *(sorted(self.entry.providers), result_columns(table)),
        )
        options = blake2b(repr(settings).encode(), digest_size=6).hexdigest()
        return f"{state}/{_READING_VERSION}-{options}{cursor_mark(rules.kept)}"
