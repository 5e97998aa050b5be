"""Makes charges of what BigQuery gives for one month: by the same rules as a FOCUS file, in DuckDB."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from exporter.core.errors import SourceError
from exporter.sources.base import Rejected
from exporter.sources.files.reading import ATTEMPTS, aggregated_in, reading_connection, write_parquet
from exporter.sources.focus.bigquery.sql import ROWS_COLUMN
from exporter.sources.focus.columns import focus_file
from exporter.sources.focus.sql import (
    OWNED_ELSEWHERE,
    REASONS,
    FocusReading,
    aggregate,
    charges_of,
    judged_rows,
)
from exporter.sources.spool import refuse_full_disk

COUNTS: Final = f'CAST("{ROWS_COLUMN}" AS BIGINT)'
"""FocusReading.counts of these rows."""


@dataclass(frozen=True, slots=True)
class MonthCharges:
    """The charges of one month, in a spool file."""

    rows: int
    """Of the table, without those set aside and those of other providers."""
    rejected: tuple[Rejected, ...]
    owned: Mapping[str, int]
    """Provider -> rows that are left out, since another source or entry reads its bill."""


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as a FOCUS file in CSV; return how many rows of the table they stand for.

    Raises SourceError `disk_full` or `spool`, and what reading the rows raises; then no file is left.
    """
    count = 0
    try:
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            for row in rows:
                # Names of columns have no case in SQL, and a result may have those of the table.
                values = {name.lower(): value for name, value in row.items()}
                count += int(values[ROWS_COLUMN])
                found = [values[name.lower()] for name in columns]
                writer.writerow(["" if value is None else value for value in found])
    except OSError as error:
        path.unlink(missing_ok=True)
        refuse_full_disk(error, path.parent)
        text = f"writing {path} failed ({error.strerror}): make its folder writable"
        raise SourceError("spool", text) from error
    except SourceError:
        path.unlink(missing_ok=True)
        raise
    return count


def month_charges(
    rows_file: Path, spool: Path, reading: FocusReading, *, rows: int, place: str
) -> MonthCharges:
    """Write the charges of a file of `write_rows` to `spool`, and count what is set aside.

    `rows` is what write_rows returned; `place` names the month. Raises SourceError where DuckDB fails.
    """
    try:
        with reading_connection(spool.parent, *ATTEMPTS[-1]) as connection:
            table, columns = focus_file(connection, rows_file, reading.cost)
            judged = judged_rows(table, columns, reading)
            with aggregated_in(connection, aggregate(judged), spool):
                write_parquet(connection, charges_of("aggregated", reading.usd_per), spool)
                return _counted(connection, rows, place)
    except duckdb.Error as error:
        spool.unlink(missing_ok=True)
        refuse_full_disk(error, spool.parent)
        raise SourceError(
            "bad_response", f"{place} cannot be read ({str(error).splitlines()[0]}); please report this"
        ) from error


def _counted(connection: duckdb.DuckDBPyConnection, rows: int, place: str) -> MonthCharges:
    found = connection.execute(
        "SELECT reason, provider, billing_currency, sum(export_rows), min(service_name) FROM aggregated "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    read = sum(int(each[3]) for each in found)
    if read != rows:
        raise SourceError(
            "bad_response",
            f"{place}: BigQuery gave {rows:,} rows and {read:,} could be read; its last good charges stay, "
            "please report this",
        )
    owned: dict[str, int] = {}
    refused: dict[str, tuple[int, set[str]]] = {}
    counted = 0
    for reason, provider, currency, number, service in found:
        if reason is None:
            counted += int(number)
        elif reason == OWNED_ELSEWHERE:
            owned[provider] = owned.get(provider, 0) + int(number)
        else:
            known, examples = refused.get(reason, (0, set()))
            example = currency if reason == "no_usd_rate" else f"{provider or 'no provider'}, {service}"
            refused[reason] = (known + int(number), examples | {example})
    rejected = tuple(
        Rejected(reason, count, place, f"{REASONS[reason]}; for example {min(examples)}")
        for reason, (count, examples) in sorted(refused.items())
    )
    return MonthCharges(counted, rejected, owned)
