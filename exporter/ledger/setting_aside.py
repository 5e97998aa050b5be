"""Moves a damaged ledger out of the way, under a name that says when; only the latest few are kept."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

KEPT_FILES: Final = 3
"""How many damaged ledgers stay: one to look into, and some more where a disk fails again and again."""

_TIME: Final = "%Y%m%dT%H%M%SZ"
_LOG: Final = ".wal"


def log_of(path: Path) -> Path:
    """Return the path of DuckDB's log of the latest changes, next to the file."""
    return path.with_name(path.name + _LOG)


def set_aside(path: Path, now: datetime, *, log_only: bool = False) -> Path | None:
    """Move the ledger and its log, or its log alone; remove what is more than KEPT_FILES.

    Returns the new path, None where there is nothing to move. Raises OSError.
    """
    aside = path.with_name(f"{path.name}.damaged-{now.astimezone(UTC):{_TIME}}")
    files = ((log_of(path), log_of(aside)),) if log_only else ((path, aside), (log_of(path), log_of(aside)))
    moved = [each.replace(to) for each, to in files if each.exists()]
    for _, old in damaged_files(path)[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
        log_of(old).unlink(missing_ok=True)
    return moved[0] if moved else None


def damaged_files(path: Path) -> list[tuple[datetime, Path]]:
    """Return when a ledger at this path was set aside, and where it is now, the oldest first."""
    name = re.compile(re.escape(path.name) + r"\.damaged-(\d{8}T\d{6}Z)(\.wal)?")
    found: dict[datetime, Path] = {}
    # A folder that is gone, or may not be read for now, shows none.
    with suppress(OSError):
        for each in path.parent.iterdir():
            if match := name.fullmatch(each.name):
                when = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                found[when] = path.with_name(each.name.removesuffix(_LOG))
    return sorted(found.items())
