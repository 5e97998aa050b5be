"""A short fingerprint of a file's charges: how many rows of each hour, and which. Files are compared by it.

It is kept in the file's cursor, and adds up: files that belong together are compared by their sum. Where a
file has many hours it has the days.
"""

from __future__ import annotations

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import duckdb

_PRIME: Final = 2**61 - 1
"""Sums are kept modulo this, so that they stay short however many rows there are."""

_WHAT_A_ROW_IS_FOR: Final = (
    "provider",
    "billing_account_id",
    "project_id",
    "service_id",
    "service_name",
    "sku_id",
    "sku",
    "region_id",
    "charge_category",
    "charge_period_start",
    "invoice_month",
    "billing_currency",
    "consumed_unit",
)

_MOST_HOURS: Final = 400
"""A file with more hours is kept by the day, so that cursors stay short."""

_HOURS: Final = 2**19
"""Room for an hour in a key: sixty years of hours since _FIRST_DAY."""
_FIRST_DAY: Final = "TIMESTAMP '1990-01-01'"

_CELL: Final = struct.Struct(">QQQQ")

_CURSOR: Final = re.compile(r"(?P<state>[^|]*)\|(?P<counted>[cr])(?P<step>[hd])\|(?P<packed>[A-Za-z0-9_=-]*)")


class Cell(NamedTuple):
    """The rows of one provider, billing account and hour, or day."""

    rows: int
    subjects: int
    """Sum over the rows of a hash of what they are for, without the amount."""
    amounts: int
    """Sum over the charges of a hash of what they are for and of their amounts."""

    def plus(self, other: Cell) -> Cell:
        """Return the cell of the rows of both."""
        return Cell(
            self.rows + other.rows,
            (self.subjects + other.subjects) % _PRIME,
            (self.amounts + other.amounts) % _PRIME,
        )

    def alike(self, other: Cell) -> bool:
        """Return whether both have as many rows for the same things, whatever they cost."""
        return self.rows == other.rows and self.subjects == other.subjects


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is in a file, or in several that belong together."""

    cells: Mapping[int, Cell]
    """Account and time, as one number -> its rows."""
    hourly: bool = True
    """Whether the times are hours; else they are days."""

    def by_day(self) -> Fingerprint:
        """Return the same by the day."""
        return Fingerprint(_added((day_of(key), cell) for key, cell in self.cells.items()), hourly=False)

    @classmethod
    def total(cls, parts: Sequence[Fingerprint]) -> Fingerprint:
        """Return the fingerprint of all parts together; by the day where one of them is."""
        hourly = all(part.hourly for part in parts)
        same = parts if hourly else [part.by_day() for part in parts]
        return Fingerprint(_added(cell for part in same for cell in part.cells.items()), hourly)


class FileCursor(NamedTuple):
    """What a cursor says of a file."""

    state: str
    """Its size, time and identity, and how it was read."""
    counted: bool
    """Whether its charges count; a file that repeats another one has none in the ledger."""
    packed: bytes
    """Its fingerprint. Not unpacked, since most files have no day in common with another."""
    hourly: bool

    @property
    def days(self) -> set[int]:
        """The days of accounts that it has, as numbers."""
        return {day_of(key) for key, *_ in _CELL.iter_unpack(self.packed)}

    @property
    def fingerprint(self) -> Fingerprint:
        """What is in the file."""
        cells = {key: Cell(*values) for key, *values in _CELL.iter_unpack(self.packed)}
        return Fingerprint(cells, self.hourly)

    def __str__(self) -> str:
        """Return the cursor as text."""
        how = f"{'c' if self.counted else 'r'}{'h' if self.hourly else 'd'}"
        return f"{self.state}|{how}|{urlsafe_b64encode(self.packed).decode()}"


def new_cursor(state: str, fingerprint: Fingerprint, *, counted: bool) -> FileCursor:
    """Return the cursor of a file that was read."""
    packed = b"".join(_CELL.pack(key, *cell) for key, cell in sorted(fingerprint.cells.items()))
    return FileCursor(state, counted, packed, fingerprint.hourly)


def file_cursor(text: str) -> FileCursor | None:
    """Return what `str` of a FileCursor wrote; None for any other text."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    try:
        packed = urlsafe_b64decode(found["packed"])
    except ValueError:
        return None
    if len(packed) % _CELL.size:
        return None
    return FileCursor(found["state"], found["counted"] == "c", packed, found["step"] == "h")


def day_of(key: int) -> int:
    """Return the number of the day that an hour, or a day, of an account is on."""
    account, hours = divmod(key, _HOURS * _HOURS)
    used, exported = divmod(hours, _HOURS)
    return (account * _HOURS + used - used % 24) * _HOURS + exported - exported % 24


def fingerprint_of(
    connection: duckdb.DuckDBPyConnection,
    aggregated: str,
    amounts: Sequence[str],
    *,
    by_export: bool,
    counting: Sequence[str],
) -> Fingerprint:
    """Return the fingerprint of a table of charges summed per hour, without the rows that are left out.

    `amounts` are its columns of money. With `by_export`, the hour in which a row was exported counts
    as well: for bills that only grow. Rows with a reason among `counting` are not left out.
    """
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE hours AS SELECT {_cells(amounts, by_export=by_export)}
            FROM {aggregated} WHERE reason IS NULL OR list_contains(?, reason) GROUP BY ALL""",
        [list(counting)],
    )
    hourly = connection.execute("SELECT count(*) FROM hours").fetchall()[0][0] <= _MOST_HOURS
    day = f"key - ((key // {_HOURS}) % {_HOURS} % 24) * {_HOURS} - key % {_HOURS} % 24"
    found = connection.execute(
        f"SELECT {'key' if hourly else day}, sum(rows), sum(subjects), sum(amounts) FROM hours GROUP BY ALL"
    ).fetchall()
    return Fingerprint({int(key): _cell(*values) for key, *values in found}, hourly)


def fingerprints_by_file(
    connection: duckdb.DuckDBPyConnection, aggregated: str, amounts: Sequence[str], *, by_export: bool
) -> dict[int, Fingerprint]:
    """Return the fingerprint of each `file` of a table, as fingerprint_of does; for tables of small files."""
    found = connection.execute(
        f"""SELECT file, {_cells(amounts, by_export=by_export)} FROM {aggregated} WHERE reason IS NULL
            GROUP BY ALL"""
    ).fetchall()
    by_file: defaultdict[int, dict[int, Cell]] = defaultdict(dict)
    for file, key, *values in found:
        by_file[int(file)][int(key)] = _cell(*values)
    hourly = {file: Fingerprint(cells) for file, cells in by_file.items()}
    return {file: each if len(each.cells) <= _MOST_HOURS else each.by_day() for file, each in hourly.items()}


def _cells(amounts: Sequence[str], *, by_export: bool) -> str:
    """Return the columns of a SELECT from charges: the key of an hour, and what its Cell has."""
    subject = f"{', '.join(_WHAT_A_ROW_IS_FOR)}{', export_hour' if by_export else ''}"
    return f"""{_key(by_export)} AS key, sum(export_rows) AS rows,
      sum(hash({subject})::HUGEINT * export_rows) AS subjects,
      sum(hash({subject}, export_rows, {", ".join(amounts)})) AS amounts"""


def _cell(rows: int, subjects: int, amounts: int) -> Cell:
    return Cell(int(rows), int(subjects) % _PRIME, int(amounts) % _PRIME)


def _added(cells: Iterable[tuple[int, Cell]]) -> dict[int, Cell]:
    added: dict[int, Cell] = {}
    for key, cell in cells:
        added[key] = added[key].plus(cell) if key in added else cell
    return added


def _key(by_export: bool) -> str:
    """Return an expression of account, hour of usage and hour of export as one number of 64 bits."""
    account = f"hash(provider, billing_account_id) % {2**26}::UBIGINT"
    exported = _hour("export_hour") if by_export else "0::UBIGINT"
    return f"(({account} * {_HOURS} + {_hour('charge_period_start')}) * {_HOURS} + {exported})"


def _hour(time: str) -> str:
    # Hours before the first day count from the end, so that none is lost.
    return f"((date_diff('hour', {_FIRST_DAY}, {time}) % {_HOURS} + {_HOURS}) % {_HOURS})::UBIGINT"
