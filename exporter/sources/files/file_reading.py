"""What reading one file of a bill returns, and where its charges go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from exporter.sources.base import RefreshContext, Rejected
from exporter.sources.files.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True)
class FileReading:
    """One file, read whole."""

    charges: Path
    """Its spool file."""
    rows: int
    rejected: tuple[Rejected, ...]
    fingerprint: Fingerprint


ReadFile = Callable[[Path, str, RefreshContext], FileReading]
"""Reads one file whole, given its path, its state and the refresh. Raises one of READ_FAILURES."""


def spool_path(context: RefreshContext, path: Path, state: str) -> Path:
    """Return where the charges of a file go."""
    return context.spool / f"{blake2b(f'{path}{state}'.encode(), digest_size=12).hexdigest()}.parquet"
