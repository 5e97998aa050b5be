"""What reading one file of a bill returns, and where its charges go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import duckdb

from exporter.sources.base import RefreshContext, Rejected
from exporter.sources.files.fingerprint import Fingerprint
from exporter.sources.files.reading import READ_FAILURES, Attempt, read_within_memory
from exporter.sources.files.reconciling import reconciled


@dataclass(frozen=True, slots=True)
class FileReading:
    """One file, read whole."""

    charges: Path
    """Its spool file."""
    rows: int
    rejected: tuple[Rejected, ...]
    fingerprint: Fingerprint
    records: int
    """All rows that DuckDB took from the file, those that are set aside as well."""
    unparsed: frozenset[int] = frozenset()
    """Numbers of the lines, from 1, that DuckDB could not take apart."""


ReadFile = Callable[[Path, str, RefreshContext], FileReading]
"""Reads one file whole, given its path, its state and the refresh. Raises one of READ_FAILURES."""


def read_reconciled(
    read: Callable[[duckdb.DuckDBPyConnection, Path], FileReading],
    path: Path,
    spool: Path,
    attempts: Sequence[Attempt],
) -> FileReading:
    """Return what `read` makes of a file, with what is set aside of it. Nothing is left where it fails.

    `read` gets a connection and what to read, as `reconciled` chooses it. `spool` is where the charges go.
    Raises one of READ_FAILURES.
    """

    def once(data: Path) -> FileReading:
        return read_within_memory(lambda each: read(each, data), path, spool.parent, attempts)

    try:
        reading, broken = reconciled(once, path, spool.with_suffix(".csv"))
    except READ_FAILURES:
        spool.unlink(missing_ok=True)
        raise
    return replace(reading, rejected=(*reading.rejected, *broken))


def spool_path(context: RefreshContext, path: Path, state: str) -> Path:
    """Return where the charges of a file go."""
    return context.spool / f"{blake2b(f'{path}{state}'.encode(), digest_size=12).hexdigest()}.parquet"
