"""Dollars by day of usage, before credits: of a source, its partitions, and charges to come."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.replacing import BILLED_USD
from exporter.ledger.charges.store import Ledger, spool_relation

DollarsByDay = dict[date, Decimal]


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """What the ledger has of one partition."""

    usd: Decimal
    """Before credits."""
    export_rows: int
    last_day: date | None
    """The last day with a charge."""


def stored_partition(ledger: Ledger, source: str, name: str) -> StoredPartition:
    """Return what the ledger has of a partition; nothing of one that it does not know."""
    with ledger.reading() as connection:
        usd, last, rows = connection.execute(
            f"""SELECT coalesce(sum({BILLED_USD}), 0), max(charge_period_start)::DATE,
                  coalesce(max(export_rows), 0)
                FROM partition LEFT JOIN charge USING (partition_id) LEFT JOIN series USING (series_id)
                WHERE partition.source = $source AND name = $name""",
            {"source": source, "name": name},
        ).fetchall()[0]
    return StoredPartition(Decimal(usd), int(rows), last)


def last_day(ledger: Ledger, source: str) -> date | None:
    """Return the last day of usage that the source has; None without charges."""
    with ledger.reading() as connection:
        found: date | None = connection.execute(
            """SELECT max(charge_period_start)::DATE FROM charge SEMI JOIN (
                 SELECT partition_id FROM partition WHERE source = ?) AS ours USING (partition_id)""",
            [source],
        ).fetchall()[0][0]
    return found


def dollars_of_source(
    ledger: Ledger, source: str, partitions: Collection[str]
) -> tuple[DollarsByDay, DollarsByDay]:
    """Return the dollars of all partitions of the source, and of those that are named."""
    with ledger.reading() as connection:
        rows = connection.execute(
            f"""SELECT charge_period_start::DATE, sum({BILLED_USD}),
                  sum({BILLED_USD}) FILTER (name IN (SELECT unnest($names::VARCHAR[])))
                FROM charge JOIN partition USING (partition_id) JOIN series USING (series_id)
                WHERE partition.source = $source GROUP BY ALL""",
            {"source": source, "names": list(partitions)},
        ).fetchall()
    whole = {day: Decimal(usd) for day, usd, _ in rows}
    return whole, {day: Decimal(usd) for day, _, usd in rows if usd is not None}


def dollars_of_spools(ledger: Ledger, spools: Iterable[Path]) -> DollarsByDay:
    """Return the dollars of charges in spool files, as far as the ledger would keep them."""
    kept_from = naive_utc(ledger.kept_from())
    found: DollarsByDay = {}
    with ledger.reading() as connection:
        for spool in spools:
            for day, usd in connection.execute(
                f"""SELECT charge_period_start::DATE, sum({BILLED_USD}) FROM {spool_relation(spool)}
                    WHERE charge_period_start >= ? GROUP BY ALL""",
                [kept_from],
            ).fetchall():
                found[day] = found.get(day, Decimal(0)) + Decimal(usd)
    return found
