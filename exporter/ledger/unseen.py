"""The series whose counters begin now and were never exposed: they are exposed as zero first, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from exporter.ledger.charges.store import Ledger

_IDS: Final = {"series": "series_id", "usage_series": "usage_series_id"}


@dataclass(frozen=True, slots=True)
class Unseen:
    """Ids of such series, of charges and of usage."""

    series: Sequence[int] = ()
    usage_series: Sequence[int] = ()


def unseen(ledger: Ledger, sources: Sequence[str]) -> Unseen:
    """Return what is to be exposed for the first time; nothing where it could not be remembered."""
    if ledger.read_only:
        return Unseen()
    with ledger.reading() as connection:
        return Unseen(*(_ids(connection, table, sources) for table in _IDS))


def mark_seen(ledger: Ledger, exposed: Unseen) -> None:
    """Remember for good that these have been exposed. Raises LedgerError."""
    if not (exposed.series or exposed.usage_series):
        return
    with ledger.transaction() as connection:
        for table, ids in (("series", exposed.series), ("usage_series", exposed.usage_series)):
            connection.execute(
                f"UPDATE {table} SET unseen = false WHERE {_IDS[table]} IN (SELECT unnest(?::INTEGER[]))",
                [list(ids)],
            )


def _ids(connection: duckdb.DuckDBPyConnection, table: str, sources: Sequence[str]) -> list[int]:
    rows = connection.execute(
        f"SELECT {_IDS[table]} FROM {table} WHERE unseen AND source IN (SELECT unnest(?::VARCHAR[]))",
        [list(sources)],
    ).fetchall()
    return [one for (one,) in rows]
