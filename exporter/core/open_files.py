"""Whether everyone on the machine may read a file that has a secret."""

from __future__ import annotations

import stat
from pathlib import Path


def everyone_reads(path: Path) -> bool:
    """Return whether the file and all folders above it are open to every user; no for a missing file."""
    try:
        actual = path.resolve(strict=True)
        if not actual.stat().st_mode & stat.S_IROTH:
            return False
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in actual.parents)
    except (OSError, RuntimeError):
        # The latter where links lead to themselves.
        return False
