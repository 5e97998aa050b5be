"""What has to look into files where their fingerprints do not suffice: see resources.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from exporter.sources.files.overlap import Relation


class FileComparison(Protocol):
    """Looks into files where their fingerprints do not suffice."""

    def __call__(self, files: Sequence[Path], others: Sequence[Path], relation: Relation) -> bool:
        """Return whether the rows of some files are for the same resources as those of others.

        True where that cannot be known.
        """

    def shared_rows(self, units: Mapping[str, Sequence[Path]]) -> Callable[[str, str], float]:
        """Return what says, by name, the share of the rows of a unit of files that another one has too.

        It is 0 where that cannot be known.
        """
