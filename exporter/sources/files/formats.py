"""How DuckDB is to read one file of a billing export, by its name; and where its broken lines are.

Text formats are read without guessing, so that a file's first rows never decide how the others are read.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from exporter.core.sql_texts import quoted
from exporter.sources.google.export.names import EXPORT_COLUMNS

FORMATS = (".parquet", ".csv", ".json", ".jsonl", ".ndjson")
"""File name endings that are read; text formats also with `.gz` behind, and compressed under any name."""

_DELIMITERS = (",", ";", "\t", "|")
"""The first of those that part the header into most columns."""
_LONGEST_HEADER = 1_000_000

_GZIP = b"\x1f\x8b"
"""How compressed files begin."""

_HEAD_CHARACTERS = 1_000_000
"""So much of a JSON file is looked at for its keys."""


_SHOWN = 40


class CsvShape(NamedTuple):
    """How the rows of a CSV file are taken apart."""

    delimiter: str
    columns: tuple[str, ...]
    """A name for each column of the rows."""
    named: int
    """How many of them there are up to the last one that the header names."""


class UnknownFormatError(Exception):
    """The file's name names no format, or the file has nothing of that format."""


def relation(path: Path, json_columns: Mapping[str, str] | None = None) -> str:
    """Return the table function call that reads the file. Raises UnknownFormatError, OSError.

    Of JSON, only `json_columns` are read, as these types.
    """
    json_columns = EXPORT_COLUMNS if json_columns is None else json_columns
    kind = file_format(path)
    if kind == ".parquet":
        return f"read_parquet({quoted(path)})"
    if kind == ".csv":
        shape = csv_shape(path)
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in shape.columns)
        return (
            f"read_csv({quoted(path)}, header = true, auto_detect = false, columns = {{{columns}}}, "
            f"delim = {quoted(shape.delimiter)}, quote = '\"', escape = '\"', "
            "ignore_errors = true, store_rejects = true, strict_mode = true, "
            f"max_line_size = 2000000, buffer_size = 4000000, compression = '{_compression(path)}')"
        )
    columns = ", ".join(f"{quoted(name)}: '{type_name}'" for name, type_name in json_columns.items())
    if _starts_with_bracket(path):
        layout = "format = 'array'"
    else:
        layout = "format = 'newline_delimited', records = true, ignore_errors = true"
    return (
        f"read_json({quoted(path)}, {layout}, columns = {{{columns}}}, compression = '{_compression(path)}')"
    )


def file_format(path: Path) -> str:
    """Return the member of FORMATS that the file's name says. Raises UnknownFormatError."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in FORMATS:
        raise UnknownFormatError(f"{path.name!r} has an unknown format: name it {', '.join(FORMATS)}")
    return suffixes[-1]


def broken_json_lines(path: Path, most: int) -> list[int]:
    """Return the numbers, from 1, of the first lines that are no JSON object (blank lines are fine)."""
    with open_text(path) as handle:
        broken = (number for number, line in enumerate(handle, 1) if line.strip() and not _is_object(line))
        return list(islice(broken, most))


def json_lines(path: Path) -> int | None:
    """Return how many lines of a JSON Lines file are not blank; None for a file that is one JSON array."""
    if _starts_with_bracket(path):
        return None
    with open_bytes(path) as handle:
        return sum(not line.isspace() for line in handle)


def json_keys(path: Path) -> set[str]:
    """Return the keys of the first objects of a JSON file; none where nothing of it can be read."""
    with open_text(path) as handle:
        head = handle.read(_HEAD_CHARACTERS)
    keys: set[str] = set()
    if head.lstrip().startswith("["):
        position, decoder = head.index("[") + 1, json.JSONDecoder()
        with suppress(ValueError):
            while (begin := head.find("{", position)) >= 0:
                found, position = decoder.raw_decode(head, begin)
                keys |= found.keys()
        return keys
    for line in head.splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            keys |= found.keys() if isinstance(found, dict) else set()
    return keys


def first_text(path: Path) -> str:
    """Return how the text of a file begins, for people."""
    with open_text(path) as handle:
        return handle.read(_SHOWN)


def column_key(name: str) -> str:
    """Return what is the same for all spellings of a column's name."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


def _is_object(line: str) -> bool:
    try:
        return bool(json.loads(line)) and line.lstrip().startswith("{")
    except ValueError:
        return False


def _delimiter(path: Path) -> str:
    """Return what separates the columns: spreadsheets write semicolons where a comma is in numbers.

    Raises UnknownFormatError for a file that is no text.
    """
    with open_text(path) as handle:
        header = handle.readline(_LONGEST_HEADER)
    if "\0" in header or header.startswith("PK\x03"):
        raise UnknownFormatError(
            f"{path.name!r} is no text in UTF-8, perhaps UTF-16 or a spreadsheet: save it as CSV in UTF-8"
        )
    try:
        return max(_DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each), [])))
    except csv.Error as error:
        raise UnknownFormatError(f"the header of {path.name!r} is not CSV: {error}") from None


def csv_shape(path: Path) -> CsvShape:
    """Return how the rows of a CSV file are taken apart, by its header and its first row.

    A delimiter at the end of the header may or may not be a column. Raises UnknownFormatError for a file
    without a header, or with a name twice; OSError, EOFError.
    """
    delimiter = _delimiter(path)
    with open_text(path) as handle:
        header, first = _first_rows(handle, delimiter, path)
    names = [name.strip() for name in header]
    if not any(names):
        raise UnknownFormatError(f"{path.name!r} is empty: a CSV file begins with the names of its columns")
    while not names[-1] and len(first) < len(names):
        names.pop()
    last_named = max(number for number, name in enumerate(names, 1) if name)
    names += [""] * (len(first) - len(names) if not any(first[len(names) :]) else 0)
    named = [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]
    counts = Counter(name.casefold() for name in named)
    twice = next((name for name in named if counts[name.casefold()] > 1), None)
    if twice is not None:
        raise UnknownFormatError(
            f"{path.name!r} has the column {twice!r} twice, so that it is unknown which one counts; "
            "the file was refused whole, export it with each column once"
        )
    return CsvShape(delimiter, tuple(named), last_named)


def _first_rows(handle: IO[str], delimiter: str, path: Path) -> tuple[list[str], list[str]]:
    """Return the header and the first row that can be read, each empty where there is none."""
    rows = csv.reader(handle, delimiter=delimiter)
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise UnknownFormatError(f"the header of {path.name!r} is not CSV: {error}") from None
    try:
        return header, next(rows, [])
    except csv.Error:
        return header, []


def _starts_with_bracket(path: Path) -> bool:
    with open_text(path) as handle:
        return handle.read(4096).lstrip().startswith("[")


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed, whatever its name: some lose .gz, and others their compression.

    Raises OSError.
    """
    with path.open("rb") as handle:
        return handle.read(len(_GZIP)) == _GZIP


def _compression(path: Path) -> str:
    return "gzip" if is_gzip(path) else "none"


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading its bytes, unpacked. Raises OSError; reading it EOFError and zlib.error too."""
    return cast("IO[bytes]", gzip.open(path)) if is_gzip(path) else path.open("rb")


def open_text(path: Path, errors: str = "replace") -> IO[str]:
    """Open a file for reading its text, unpacked, its line ends as they are. Raises as open_bytes does."""
    if is_gzip(path):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors=errors, newline="")
    return path.open(encoding="utf-8-sig", errors=errors, newline="")
