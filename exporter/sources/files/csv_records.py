"""Counts the records of a CSV file without DuckDB, names broken ones, and writes a copy without them.

A broken record costs its own line: reading goes on with the line after it, also where a stray quote would run
on to the next one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from exporter.sources.files.formats import CsvShape, UnknownFormatError, csv_shape, open_bytes, open_text

MOST_BROKEN: Final = 10_000
"""Of a file with more broken records none counts: it was written by other rules than those of CSV."""

_CHUNK_BYTES: Final = 1 << 20
_ALL_BUT_QUOTES_AND_NEWLINES: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(slots=True)
class CsvRecords:
    """The records of one file, without its header and empty lines."""

    good: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    """Number of the line, from 1 -> what is wrong with the record that begins there."""


def quick_count(path: Path) -> int | None:
    """Return how many lines end outside of quotes: header, records and empty lines, at the speed of the disk.

    None where that says nothing: of a quote that never ends, single carriage returns, and bytes that are 0.
    Raises OSError, EOFError.
    """
    ended, quoted, last = 0, False, b"\n"
    with open_bytes(path) as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            # So that no line end is cut in two.
            if chunk.endswith(b"\r"):
                chunk += handle.read(1)
            if b"\0" in chunk or (b"\r" in chunk and chunk.count(b"\r") != chunk.count(b"\r\n")):
                return None
            # Two quotes next to each other, escaped or not, leave it as it was.
            parts = chunk.translate(None, _ALL_BUT_QUOTES_AND_NEWLINES).replace(b'""', b"").split(b'"')
            ended += sum(part.count(b"\n") for part in parts[quoted::2])
            quoted ^= len(parts) % 2 == 0
            last = chunk[-1:]
    return None if quoted else ended + (last != b"\n")


def records_of(path: Path, copy: Path | None = None) -> CsvRecords:
    """Return the records of a file, each judged; write the good ones to `copy`, with its header.

    A record is good where its quotes are as RFC 4180 has them, its text is UTF-8 without bytes that are 0,
    and it has as many columns as the header; empty columns at its end may be missing from the header.

    Raises UnknownFormatError where no record is good, or more than MOST_BROKEN are broken; OSError, EOFError.
    """
    shape = csv_shape(path)
    found = CsvRecords()
    # A byte that is not UTF-8 becomes a half of a pair of surrogates, which no text has.
    with open_text(path, errors="surrogateescape") as handle:
        rows = _rows(_Lines(handle), shape)
        next(rows, None)
        if copy is None:
            for record in rows:
                _judge(found, record, shape, path)
        else:
            with copy.open("w", newline="", encoding="utf-8") as out:
                writer = csv.writer(out, delimiter=shape.delimiter, lineterminator="\n")
                writer.writerow(shape.columns)
                columns = len(shape.columns)
                for record in rows:
                    if _judge(found, record, shape, path):
                        writer.writerow((*record[1], *[""] * columns)[:columns])
    if found.broken and not found.good:
        line, wrong = next(iter(found.broken.items()))
        raise UnknownFormatError(f"no record of {path.name!r} can be read: line {line} {wrong}")
    return found


def _judge(found: CsvRecords, record: tuple[int, Sequence[str], str], shape: CsvShape, path: Path) -> bool:
    """Count one record, and return whether it is good."""
    line, row, wrong = record
    if not row and not wrong:
        return False
    if not wrong and not _fits(row, shape):
        wrong = f"has {len(row)} columns and not {len(shape.columns)}"
    if not wrong:
        found.good += 1
        return True
    found.broken[line] = wrong
    if len(found.broken) > MOST_BROKEN:
        first, of_first = next(iter(found.broken.items()))
        raise UnknownFormatError(
            f"more than {MOST_BROKEN:,} records of {path.name!r} cannot be read, the first because line "
            f"{first} {of_first}; the file was refused whole"
        )
    return False


def _fits(row: Sequence[str], shape: CsvShape) -> bool:
    """Return whether a record has the columns of the header, but for empty ones at its end."""
    return len(row) == len(shape.columns) or (len(row) >= shape.named and not any(row[shape.named :]))


def _rows(lines: _Lines, shape: CsvShape) -> Iterator[tuple[int, Sequence[str], str]]:
    """Yield each record: the line where it begins, its values, and what is wrong with it, if anything is."""
    # As DuckDB does, a value may be quoted after spaces.
    reader = csv.reader(lines, delimiter=shape.delimiter, skipinitialspace=True, strict=True)
    while True:
        lines.begin()
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield lines.first, (), _in_words(error)
            lines.take_back()
            reader = csv.reader(lines, delimiter=shape.delimiter, skipinitialspace=True, strict=True)
            continue
        if row is None:
            return
        if lines.unreadable:
            yield lines.first, (), lines.unreadable
        else:
            yield lines.first, row, ""
        if lines.several and not _fits(row, shape):
            # Perhaps a stray quote that met another one: only the line with the first can be blamed.
            lines.take_back()


def _in_words(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "has a quote that never ends"
    if "expected after" in text:
        return "has a quote in the middle of a quoted value; within quotes, a quote is written twice"
    if "field limit" in text:
        return "has a value of more than 131,072 characters, or a quote that never ends"
    return f"is not CSV: {text}"


class _Lines:
    """The lines of a file, with their numbers; of the present record all but the first can be taken back."""

    def __init__(self, handle: IO[str]) -> None:
        self._ahead: deque[str] = deque()
        self._source = handle
        self._taken: list[str] = []
        self._number = 0
        self.first = 1
        """Number of the line where the present record begins."""
        self.unreadable = ""
        """What makes the text of the present record unusable."""

    @property
    def several(self) -> bool:
        """Whether the present record has more than one line."""
        return len(self._taken) > 1

    def begin(self) -> None:
        """Begin with a record."""
        self._taken = []
        self.first = self._number + 1
        self.unreadable = ""

    def take_back(self) -> None:
        """Return to the second line of the present record."""
        self._ahead.extendleft(reversed(self._taken[1:]))
        self._number = self.first

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._source)
        self._number += 1
        self._taken.append(line)
        if "\0" in line:
            self.unreadable = "has a byte that is 0"
        elif not line.isascii() and any("\udc80" <= letter <= "\udcff" for letter in line):
            self.unreadable = "is not UTF-8 text"
        return line
