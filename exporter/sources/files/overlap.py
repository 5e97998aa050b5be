"""Which files of one source repeat the rows of others, so that no charge counts twice.

Rows of a bill have no key, so single rows are never compared: a file is refused whole, or counts whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from exporter.sources.files.fingerprint import Cell, Fingerprint, day_of

_MOST: Final = 0.5
"""The share of a file's days that a later file must have alike to be the same export, written again."""


class Relation(Enum):
    """What one file is to another that counts."""

    COPY = "copy"
    """Both have the same rows."""
    PART = "part"
    """The other one has all its rows, and more."""
    OLDER = "older"
    """The other one is the same export, written later, for the same days or more."""
    CUT = "cut"
    """It is the newer one, but breaks off where the other one goes on."""


class Known(NamedTuple):
    """A file, or several that belong together, as far as their rows are known."""

    name: str
    written: int
    """When: of two that have the same days, the later one counts."""
    content: Fingerprint
    parts: tuple[Fingerprint, ...] = ()
    """Of each file, where there are several."""


class Loss(NamedTuple):
    """A file that does not count."""

    winner: str
    """Name of the one that counts in its place."""
    relation: Relation


class Doubt(NamedTuple):
    """Two files that share charges, both of which count, since it cannot be known which one should not."""

    name: str
    other: str
    days: int
    """Days of an account that both have."""
    equal: bool
    """Whether some of these times are equal in every charge; else they only have the same things."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What counts."""

    losses: dict[str, Loss]
    doubts: tuple[Doubt, ...]


SameSubjects = Callable[[str, str, Relation], bool]
"""Whether the rows of the first are for the same resources as those of the second: the last word before a
file is refused, since two machines of one kind cost the same and have the same text in the bill."""


SharedRows = Callable[[str, str], float]
"""The share of the rows of the first that the second has as well; 0 where it cannot be known."""


def decide(
    known: Iterable[Known],
    same: SameSubjects = lambda _name, _other, _relation: True,
    shared_rows: SharedRows = lambda _name, _other: 0.0,
) -> Decision:
    """Return which files do not count, and which pairs are in doubt. The order of `known` has no influence.

    Of equal files the oldest counts, so that a copy changes nothing. Else the one with the most hours or days
    counts, and of two with the same ones the one written last.
    """
    files = sorted((file for file in _in_one_step(known) if file.content.cells), key=_strength, reverse=True)
    losses = _copies(files, same)
    rows = {file.name: sum(cell.rows for cell in file.content.cells.values()) for file in files}
    counting: dict[str, Known] = {}
    by_cell: defaultdict[int, list[tuple[str, Cell]]] = defaultdict(list)
    doubts: list[Doubt] = []
    for file in files:
        if file.name in losses:
            continue
        shared: defaultdict[str, bool] = defaultdict(bool)
        for key, cell in file.content.cells.items():
            for name, of_other in by_cell[key]:
                # As in Cell.alike, which equal cells are too.
                shared[name] |= cell[:2] == of_other[:2]
        others = [counting[name] for name in sorted(shared) if name in counting]
        # Of all pairs of files only those can lose or be in doubt.
        likely = {other.name for other in others if shared[other.name] or other.parts}
        loss = _loss(file, (other for other in others if other.name in likely), same)
        if loss is not None:
            losses[file.name] = loss
            continue
        found = [_doubt(file, other, same) if other.name in likely else None for other in others]
        unlike = [other for other, doubt in zip(others, found, strict=True) if not doubt]
        by_rows = _by_rows(file, unlike, shared_rows, rows)
        for lost, winner in by_rows.within:
            losses[lost] = Loss(winner, Relation.PART)
            counting.pop(lost, None)
        if file.name in losses:
            continue
        doubts += (doubt for doubt in (*found, *by_rows.doubts) if doubt is not None)
        counting[file.name] = file
        for key, cell in file.content.cells.items():
            by_cell[key].append((file.name, cell))
    return Decision(
        {
            name: loss._replace(winner=_counting_in_place(loss.winner, losses))
            for name, loss in losses.items()
        },
        tuple(doubt for doubt in doubts if not losses.keys() & {doubt.name, doubt.other}),
    )


def _counting_in_place(winner: str, losses: Mapping[str, Loss]) -> str:
    while winner in losses:
        winner = losses[winner].winner
    return winner


class _ByRows(NamedTuple):
    within: list[tuple[str, str]]
    """Names of files with all rows in another one, and of that one."""
    doubts: list[Doubt]


def _by_rows(
    file: Known, others: Sequence[Known], shared_rows: SharedRows, rows: Mapping[str, int]
) -> _ByRows:
    """Compare row by row what has no hour alike: a few rows more in each hour make all of them unlike.

    `rows` has how many rows each file has.
    """
    found = _ByRows([], [])
    for other in others:
        less, more = (file, other) if rows[file.name] <= rows[other.name] else (other, file)
        share = shared_rows(less.name, more.name)
        if share >= 1 and rows[less.name] < rows[more.name]:
            found.within.append((less.name, more.name))
            if less is file:
                return _ByRows(found.within[-1:], [])
        elif share >= _MOST:
            days = {day_of(key) for key in file.content.cells.keys() & other.content.cells.keys()}
            found.doubts.append(Doubt(file.name, other.name, len(days), True))
    return found


def relation(file: Known, other: Known) -> Relation | None:
    """Return what makes the other file, which has as many days or more, count in place of this one."""
    cells, others = file.content.cells, other.content.cells
    if not cells.keys() <= others.keys():
        return None
    equal = sum(cell == others[key] for key, cell in cells.items())
    if equal == len(cells):
        return Relation.COPY if len(cells) == len(others) else Relation.PART
    if not equal or sum(cell.alike(others[key]) for key, cell in cells.items()) < _MOST * len(cells):
        return None
    if (other.written, len(others)) >= (file.written, len(cells)):
        return Relation.OLDER
    return Relation.CUT if equal == len(cells) - 1 and len(cells) < len(others) else None


def _in_one_step(known: Iterable[Known]) -> list[Known]:
    """Return all by the hour, or all by the day where one of them is known by the day."""
    files = list(known)
    if all(part.hourly for file in files for part in (file.content, *file.parts)):
        return files
    return [
        file._replace(content=file.content.by_day(), parts=tuple(part.by_day() for part in file.parts))
        for file in files
    ]


def _strength(file: Known) -> tuple[int, int, str]:
    return len(file.content.cells), file.written, file.name


def _copies(files: Sequence[Known], same: SameSubjects) -> dict[str, Loss]:
    alike: defaultdict[frozenset[tuple[int, Cell]], list[Known]] = defaultdict(list)
    for file in files:
        alike[frozenset(file.content.cells.items())].append(file)
    losses: dict[str, Loss] = {}
    for group in alike.values():
        kept: list[Known] = []
        for file in sorted(group, key=lambda file: (file.written, file.name)):
            first = next((each for each in kept if same(file.name, each.name, Relation.COPY)), None)
            if first is None:
                kept.append(file)
            else:
                losses[file.name] = Loss(first.name, Relation.COPY)
    pieces = [(piece, file) for file in files for piece in file.parts]
    for piece, whole in pieces:
        for file in alike.get(frozenset(piece.cells.items()), ()):
            if file.name != whole.name and same(file.name, whole.name, Relation.COPY):
                losses.setdefault(file.name, Loss(whole.name, Relation.COPY))
    return losses


def _loss(file: Known, others: Iterable[Known], same: SameSubjects) -> Loss | None:
    for other in others:
        whole = [other, *(Known(other.name, other.written, part) for part in other.parts)]
        for each in whole:
            found = relation(file, each)
            if found is not None and (each is other or found in (Relation.COPY, Relation.PART)):
                if same(file.name, other.name, found):
                    return Loss(other.name, found)
                break
    return None


def _doubt(file: Known, other: Known, same: SameSubjects) -> Doubt | None:
    cells, others = file.content.cells, other.content.cells
    shared = cells.keys() & others.keys()
    equal = sum(cells[key] == others[key] for key in shared)
    alike = sum(cells[key].alike(others[key]) for key in shared)
    if not equal and alike < _MOST * min(len(cells), len(others)):
        return None
    if not same(file.name, other.name, Relation.OLDER):
        return None
    return Doubt(file.name, other.name, len({day_of(key) for key in shared}), bool(equal))
