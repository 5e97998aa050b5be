"""What has to look into files where their fingerprints do not suffice: see resources.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from exporter.sources.files.overlap import Relation


class FileComparison(Protocol):
    """Looks into files where their fingerprints do not suffice."""

    def __call__(self, files: Sequence[Path], others: Sequence[Path], relation: Relation) -> bool:
        """Return whether the rows of some files are for the same resources as those of others.

        True where that cannot be known.
        """

    def shared_rows(self, files: Sequence[Path], others: Sequence[Path]) -> float:
        """Return the share of the rows of some files that others have too; 0 where it cannot be known."""
