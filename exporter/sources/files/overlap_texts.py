"""Texts about files that have the same rows: the reasons of errors, and the sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exporter.sources.files.overlap import Doubt, Loss, Relation

REPEATED: Final = "repeated_file"
"""The `reason` of a file whose rows another one has; refused whole, and nothing is missing."""
SUPERSEDED: Final = "superseded_file"
"""The `reason` of a file in whose place a later one of the same export counts."""
OVERLAPPING: Final = "overlapping_file"
"""The `reason` of two files that share charges and both count."""

REASONS: Final = (REPEATED, SUPERSEDED, OVERLAPPING)
"""All of them."""

_WHY: Final = {
    Relation.COPY: (REPEATED, "it has the same rows as {winner}, which counts; it was refused whole"),
    Relation.PART: (REPEATED, "{winner} has all its rows and more, and counts; it was refused whole"),
    Relation.OLDER: (
        SUPERSEDED,
        "{winner} is a later export of the same days and counts in its place; it was refused whole",
    ),
    Relation.CUT: (
        SUPERSEDED,
        "it breaks off where {winner} goes on, which counts in its place; it was refused whole",
    ),
}


def shown_files(files: Sequence[Path]) -> str:
    """Return how files that belong together are named to a person."""
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more of its pieces"


def loss_reason(loss: Loss) -> str:
    """Return the `reason` of a file that does not count."""
    return _WHY[loss.relation][0]


def loss_text(loss: Loss, winner: str) -> str:
    """Return why a file does not count; `winner` is the one that does."""
    return _WHY[loss.relation][1].format(winner=winner)


def doubt_text(doubt: Doubt, other: str) -> str:
    """Return what a person is to know and do about a file that shares charges with another one."""
    days = "1 day" if doubt.days == 1 else f"{doubt.days:,} days"
    same = "some of the same charges" if doubt.equal else "the same things with other amounts"
    return (
        f"it has {days} of an account that {other} has as well, with {same}, and neither file has all of the "
        "other: both count, so money may count twice; keep one export of each period, or narrow the "
        "patterns to it"
    )
