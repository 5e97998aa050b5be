"""What a failure of DuckDB says about the ledger's file: damaged, or only to be opened again."""

from __future__ import annotations

from typing import Final

import duckdb

EngineError = duckdb.Error
"""Everything that DuckDB raises."""

_DAMAGE: Final = (
    "Corrupt",
    "checksum",
    "Could not read enough bytes",
    "not a valid DuckDB",
    "Failure while replaying WAL",
)
_TO_OPEN_AGAIN: Final = (
    "has been invalidated",
    "onnection already closed",
    "onnection has already been closed",
)

_LOG: Final = "Failure while replaying WAL"


def is_damage(error: BaseException) -> bool:
    """Return whether the file does not hold what was written to it: DuckDB checks a sum over each block."""
    if isinstance(error, duckdb.SerializationException):
        return True
    return isinstance(error, duckdb.Error) and any(words in str(error) for words in _DAMAGE)


def is_damage_of_log(text: str) -> bool:
    """Return whether the text of a failure names the log of latest changes next to the file, not the file."""
    return _LOG in text


def needs_opening(error: BaseException) -> bool:
    """Return whether DuckDB refuses all further work on the open file, whatever the cause was."""
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return True
    return isinstance(error, duckdb.Error) and any(words in str(error) for words in _TO_OPEN_AGAIN)


def concerns_ledger(error: BaseException) -> bool:
    """Return whether the ledger itself failed, rather than what was asked of it."""
    return is_damage(error) or needs_opening(error)


def is_interrupted(error: BaseException) -> bool:
    """Return whether a query was ended from outside, as when the ledger is closed at the end."""
    return isinstance(error, duckdb.InterruptException)


def first_line(error: BaseException) -> str:
    """Return what a failure says, on one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
