"""Why files that were read before are not found any more: removed, hidden, or no longer asked for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from exporter.core.object_addresses import is_address
from exporter.sources.base import Hidden, Rejected

_WILD: Final = frozenset("*?[")


@dataclass(slots=True)
class Absences:
    """What became of files that are not found, each by its path."""

    hidden: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What keeps files from being seen -> the files; whether they still exist is not known."""
    doubts: dict[str, str] = field(default_factory=dict)
    """File -> why it was perhaps not removed on purpose."""
    unwanted: set[str] = field(default_factory=set)
    """Files that are there, and that no pattern means any more."""

    @property
    def unseen(self) -> set[str]:
        """All files that may still be there."""
        return {name for names in self.hidden.values() for name in names}

    def changes(self) -> list[Hidden]:
        """Return what there is to report of hidden files."""
        return [
            Hidden(
                names[0],
                Rejected(
                    "unreadable_folder",
                    len(names),
                    str(Path(names[0]).parent),
                    f"{why}: mount the folder, or let this user read it; the last good charges of "
                    f"{'1 file' if len(names) == 1 else f'{len(names):,} files'} there stay",
                ),
            )
            for why, names in sorted(self.hidden.items())
        ]


def absences(missing: Iterable[str], found: Sequence[Path], patterns: Sequence[str]) -> Absences:
    """Find out what became of files that were read before. Changes nothing, raises nothing."""
    absent = Absences()
    present = {str(each) for path in found for each in (path, *path.parents)}
    roots = [_root(pattern) for pattern in patterns]
    for name in sorted(missing):
        path = Path(name)
        error = _hides(path)
        if error is not None:
            absent.hidden[error].append(name)
        elif path.exists():
            absent.unwanted.add(name)
        else:
            above = {str(each) for each in (path, *path.parents)}
            empty = [root for root in roots if root in above and root not in present]
            if empty and not any(root in above for root in roots if root in present):
                absent.doubts[name] = f"no file is left at {empty[0]}, which may not be mounted"
    return absent


def nothing_found(patterns: Sequence[str], key: str, stays: str) -> str:
    """Return why no file may be found, and what to do. `key` is the configuration key of the patterns."""
    folders = (_root(pattern) for pattern in patterns if not is_address(pattern) and _WILD & set(pattern))
    if hidden := list(dict.fromkeys(filter(None, (_unreadable(Path(folder)) for folder in folders)))):
        return f"no file of {key} can be seen: {', '.join(hidden)}; let this user read it; {stays}"
    return (
        f"no file matches {', '.join(patterns)}: check {key} and that the folder is mounted and readable, "
        f"and of a bucket the part of the address before its first wildcard; {stays}"
    )


def _hides(path: Path) -> str | None:
    """Return what keeps a file from being seen, if something does."""
    if (hidden := _unreadable(path.parent)) is not None:
        return hidden
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{path.parent} cannot be read ({error.strerror})"
    return None


def _unreadable(folder: Path) -> str | None:
    """Return why a folder cannot be read; None where it can, or is not there."""
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    return None


def _root(pattern: str) -> str:
    """Return the folder that all files of a pattern are below, or the file that it names."""
    parts = []
    for part in Path(pattern).parts:
        if _WILD & set(part):
            break
        parts.append(part)
    return str(Path(*parts))
