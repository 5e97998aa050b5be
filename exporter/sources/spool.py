"""Spool files: rows of charges or usage on their way from a source to the ledger."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Final

from exporter.core.charges import CHARGE_COLUMNS, USAGE_COLUMNS, Charge, UsagePoint
from exporter.core.disk_space import DISK_FULL, is_disk_full
from exporter.core.errors import SourceError

NULL_TEXT: Final = "\\0"
"""How a CSV spool file writes that there is no value."""


def write_usage_csv(path: Path, points: Iterable[UsagePoint]) -> Path:
    """Write usage points row by row as a CSV spool file (exact floats, UTC times) and return its path.

    Raises SourceError `disk_full` where there is no room for it, `spool` where it cannot be written for
    another reason; then nothing is left behind.
    """
    return _write_csv(path, tuple(USAGE_COLUMNS), points)


def write_spool_csv(path: Path, charges: Iterable[Charge]) -> Path:
    """Write charges row by row as a CSV spool file (exact decimals, UTC times) and return its path.

    Raises SourceError as write_usage_csv does.
    """
    return _write_csv(path, tuple(CHARGE_COLUMNS), charges)


def refuse_full_disk(error: BaseException, spool: Path) -> None:
    """Raise SourceError `disk_full` where a failure came from a full disk below the spool folder."""
    if is_disk_full(error):
        raise SourceError(
            DISK_FULL,
            f"no room in {spool}: free space there; nothing was stored in part, the last good charges stay, "
            "and it is tried again within a minute",
        ) from error


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[Charge] | Iterable[UsagePoint]) -> Path:
    try:
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            # Not dataclasses.astuple: it copies every value deeply, which takes longer than all the rest.
            fields = attrgetter(*columns)
            for row in rows:
                writer.writerow([_csv_value(value) for value in fields(row)])
    except OSError as error:
        path.unlink(missing_ok=True)
        refuse_full_disk(error, path.parent)
        raise SourceError(
            "spool",
            f"writing {path} failed ({error.strerror}): make its folder writable, or set TMPDIR to another",
        ) from error
    except SourceError:
        path.unlink(missing_ok=True)
        raise
    return path


def _csv_value(value: object) -> object:
    if value is None:
        return NULL_TEXT
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
