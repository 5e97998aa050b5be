"""Writes to the ledger: replaces a partition's charges in one transaction, removes one, deletes old ones.

Reading twice, restarting or a crash at any moment does no harm: a partition's charges, its cursor and the
counters over them change together or not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.charges import CHARGE_COLUMNS, SERIES_COLUMNS
from exporter.core.sql_texts import quoted
from exporter.core.sql_times import naive_utc, sql_time
from exporter.ledger.charges.replacing import (
    COUNT_RESTATED,
    COUNT_SERIES,
    FORGET_INVOICES,
    INSERT_CHARGES,
    INSERT_INVOICE_PARTS,
    KEEP_INVOICES,
    NEW_SERIES,
    RETIRE,
)
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.open_file import OpenFile

_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ArrivedPartition:
    """A partition as it was read: its charges are in a spool file."""

    name: str
    cursor: str
    charges: Path
    export_rows: int


class Ledger:
    """The charges of all sources. Safe to use from several threads; one process at a time."""

    def __init__(
        self, path: Path | None, *, memory_limit: str = "96MB", mend_at: datetime | None = None
    ) -> None:
        """Open or create the ledger at `path`, or one in memory for None. Raises LedgerError.

        With `mend_at`, the present time, one that is damaged or was lost is replaced by a new one.
        """
        self.path = path
        self.file = OpenFile(path, memory_limit, mend_at)

    @property
    def read_only(self) -> bool:
        """Whether the file exists and this process may not write it."""
        return self.file.read_only

    def spill_to(self, folder: Path) -> None:
        """From now on put what does not fit into memory into an existing folder.

        Otherwise it goes next to the ledger's file, where writing may not be allowed and a killed process
        leaves it for good; or, for a ledger in memory, into the working directory.
        """
        self.file.spill_to(folder)

    def close(self) -> None:
        """Close the file; committed data stays."""
        self.file.close()

    def cursors(self, source: str) -> dict[str, str]:
        """Return the cursor of every partition of the source that the ledger holds."""
        with self.reading() as connection:
            rows = connection.execute("SELECT name, cursor FROM partition WHERE source = ?", [source])
            return dict(rows.fetchall())

    def put(self, source: str, partition: str, cursor: str, charges: Path, export_rows: int) -> None:
        """Replace all charges of a partition by those of a spool file, and remember its cursor.

        The spool file is Parquet or CSV with the columns CHARGE_COLUMNS. Raises LedgerError, after which the
        partition is as it was before.
        """
        self.exchange(source, (), [ArrivedPartition(partition, cursor, charges, export_rows)])

    def retract(self, source: str, partition: str) -> None:
        """Remove a partition's charges, because the source no longer has it. Raises LedgerError."""
        self.exchange(source, [partition], ())

    def exchange(self, source: str, gone: Iterable[str], arrived: Sequence[ArrivedPartition]) -> None:
        """Remove partitions and put others, all at once: what moved between them was there all the time.

        So the charges of a renamed file have no gap, and are neither counted nor restated. Raises
        LedgerError, after which all partitions are as they were before.
        """
        with self.transaction() as connection:
            names = [*gone, *(each.name for each in arrived)]
            known = dict(
                connection.execute(
                    """SELECT name, partition_id FROM partition
                       WHERE source = $source AND name IN (SELECT unnest($names))""",
                    {"source": source, "names": names},
                ).fetchall()
            )
            columns = ", ".join(f"{name} {kind}" for name, kind in CHARGE_COLUMNS.items())
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE incoming (partition_id INTEGER NOT NULL, {columns})"
            )
            ids = list(known.values())
            connection.execute(
                "DELETE FROM partition WHERE partition_id IN (SELECT unnest(?::INTEGER[]))", [ids]
            )
            free = itertools.count(self._free_partition_id(connection, ids))
            numbered = {each.name: known.get(each.name) or next(free) for each in arrived}
            for charges in _incoming(arrived, numbered):
                connection.execute(f"INSERT INTO incoming BY NAME {charges}")
            rows = [
                (numbered[each.name], source, each.name, each.cursor, each.export_rows) for each in arrived
            ]
            if rows:
                connection.executemany("INSERT INTO partition VALUES (?, ?, ?, ?, ?)", rows)
            self._replace(connection, source, ids)

    def forget_before(self, moment: datetime) -> None:
        """Remove charges of usage before `moment`, for good; counters and invoices keep what they counted.

        The limit only moves forward, so that nothing is counted twice after a clock jumps back. Raises
        LedgerError.
        """
        if self.read_only or moment <= self.kept_from():
            return
        with self.transaction() as connection:
            connection.execute("DELETE FROM setting WHERE name = 'kept_from'")
            connection.execute("INSERT INTO setting VALUES ('kept_from', ?)", [naive_utc(moment).isoformat()])
            connection.execute(RETIRE, {"moment": naive_utc(moment)})
            connection.execute(KEEP_INVOICES, {"moment": naive_utc(moment)})
            connection.execute(FORGET_INVOICES, {"moment": naive_utc(moment)})
            connection.execute("DELETE FROM charge WHERE charge_period_start < ?", [naive_utc(moment)])

    def kept_from(self) -> datetime:
        """Return the time before which charges have been deleted; long ago where none were."""
        with self.reading() as connection:
            rows = connection.execute(f"SELECT {_kept_from_sql()}").fetchall()
        kept: datetime = rows[0][0]
        return kept.replace(tzinfo=UTC)

    def latest_export(self) -> datetime | None:
        """Return the latest time at which any charge was exported, or None for an empty ledger."""
        with self.reading() as connection:
            latest: datetime | None = connection.execute("SELECT max(exported_at) FROM charge").fetchall()[0][
                0
            ]
        return latest.replace(tzinfo=UTC) if latest else None

    def publish(self, own: Sequence[int], folded: Sequence[int]) -> None:
        """Remember for good which series (by id) are exposed on their own and which are folded into `other`.

        A folded series that is now exposed on its own starts at zero, and its earlier count stays in
        `other`: neither counter falls and their sum is exact. Raises LedgerError.
        """
        if self.read_only or not (own or folded):
            return
        with self.transaction() as connection:
            connection.execute(
                """UPDATE series SET published = 'own',
                     billed_base_usd = CASE WHEN published = 'folded' THEN billed_usd_total ELSE 0 END,
                     credit_base_usd = CASE WHEN published = 'folded' THEN credit_usd_total ELSE 0 END
                   WHERE series_id IN (SELECT unnest(?::INTEGER[])) AND published IS DISTINCT FROM 'own'""",
                [list(own)],
            )
            connection.execute(
                "UPDATE series SET published = 'folded' WHERE series_id IN (SELECT unnest(?::INTEGER[]))",
                [list(folded)],
            )

    @contextmanager
    def view(
        self,
        sources: Sequence[str],
        exported_before: datetime | None = None,
        *,
        used_before: datetime | None = None,
    ) -> Iterator[LedgerView]:
        """Open one consistent state of the charges of `sources` for reading, independent of later writes.

        With `exported_before`, a whole hour, the state is what was known then. With `used_before` it is the
        charges of usage before that hour, with everything that is known about it now.
        """
        with self.reading() as connection:
            if used_before is None:
                yield LedgerView(connection, sources, exported_before)
                return
            [(database,)] = connection.execute("SELECT current_database()").fetchall()
            # Unqualified names mean it before the table of the same name, for all that reads the view.
            connection.execute(
                f"""CREATE TEMP VIEW charge AS FROM "{database}".main.charge
                    WHERE charge_period_start < {sql_time(used_before)}"""
            )
            # Still a state of a past time: counters are not the ledger's own, and nothing is live.
            yield LedgerView(connection, sources, exported_before or _END_OF_TIME)

    def reading(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open one consistent state of the ledger for reading, whatever is written meanwhile."""
        return self.file.reading()

    def transaction(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Run the block as one transaction of the one writer. Raises LedgerError where DuckDB fails."""
        return self.file.transaction()

    def _replace(self, connection: duckdb.DuckDBPyConnection, source: str, ids: Sequence[int]) -> None:
        """Replace the charges of some partitions by the temporary table `incoming`."""
        kept_from = naive_utc(self.kept_from())
        of_them = "partition_id IN (SELECT unnest($ids::INTEGER[]))"
        parameters = {"ids": list(ids)}
        connection.execute(f"DELETE FROM invoice_part WHERE {of_them}", parameters)
        connection.execute(INSERT_INVOICE_PARTS, {"kept_from": kept_from})
        connection.execute(
            "DELETE FROM incoming WHERE charge_period_start < ? OR billed_cost_usd IS NULL", [kept_from]
        )
        connection.execute(NEW_SERIES, {"source": source})
        same = " AND ".join(f"series.{name} = incoming.{name}" for name in SERIES_COLUMNS)
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE arrived AS
                SELECT series.series_id, incoming.* EXCLUDE ({", ".join(SERIES_COLUMNS)})
                FROM incoming JOIN series ON series.source = $source AND {same}""",
            {"source": source},
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE before AS SELECT * FROM charge WHERE {of_them}", parameters
        )
        connection.execute(COUNT_RESTATED, {"source": source})
        connection.execute(COUNT_SERIES)
        connection.execute(f"DELETE FROM charge WHERE {of_them}", parameters)
        connection.execute(INSERT_CHARGES)

    def _free_partition_id(self, connection: duckdb.DuckDBPyConnection, taken: Sequence[int]) -> int:
        """The first id that no partition has, or had before it was replaced just now."""
        rows = connection.execute("SELECT coalesce(max(partition_id), 0) FROM partition").fetchall()
        return max([int(rows[0][0]), *taken]) + 1


def _incoming(arrived: Sequence[ArrivedPartition], numbered: Mapping[str, int]) -> Iterator[str]:
    """Yield SELECTs of all charges with the number of their partition: one for all files of Parquet."""
    columns = ", ".join(CHARGE_COLUMNS)
    of_parquet = {
        str(each.charges): numbered[each.name] for each in arrived if each.charges.suffix == ".parquet"
    }
    if len(of_parquet) > 1:
        files = ", ".join(map(quoted, of_parquet))
        listed = ", ".join(f"({quoted(path)}, {number})" for path, number in of_parquet.items())
        yield f"""SELECT numbered.number::INTEGER AS partition_id, {columns}
            FROM read_parquet([{files}], filename = 'spool_file')
            -- Rows of a file that it calls otherwise have no number, which `incoming` refuses: none is lost.
            LEFT JOIN (VALUES {listed}) AS numbered(spool_file, number) USING (spool_file)"""
    for each in arrived:
        if len(of_parquet) < 2 or each.charges.suffix != ".parquet":
            relation = spool_relation(each.charges)
            yield f"SELECT {numbered[each.name]}::INTEGER AS partition_id, {columns} FROM {relation}"


def spool_relation(path: Path) -> str:
    """Return the table function call that reads a spool file of charges."""
    if path.suffix == ".parquet":
        return f"read_parquet({quoted(path)})"
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in CHARGE_COLUMNS.items())
    return (
        f"read_csv({quoted(path)}, header = true, auto_detect = false, columns = {{{columns}}}, delim = ',', "
        "quote = '\"', escape = '\"', nullstr = '\\0', max_line_size = 10000000, buffer_size = 20000000)"
    )


def _kept_from_sql() -> str:
    return "coalesce((SELECT value::TIMESTAMP FROM setting WHERE name = 'kept_from'), TIMESTAMP '1970-01-01')"
