"""What a check says of files before it reads them: what the patterns match, what cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from exporter.core.byte_sizes import size_text
from exporter.sources.base import Finding, RefreshContext, Rejected
from exporter.sources.files.places import FilePlaces, FileStatus
from exporter.sources.files.reading import READ_FAILURES, first_line

_UNREADABLE_SHOWN: Final = 5
_OBJECTS_OPENED: Final = 20
_BYTES_DOWNLOADED: Final = 256 * 2**20
"""A check costs seconds and cents: of what is in buckets it downloads no more than this."""


class FoundFile(NamedTuple):
    """An existing file."""

    path: Path
    status: FileStatus


def found_files(places: FilePlaces, paths: Iterable[Path]) -> list[FoundFile]:
    """Return the files with their status; nothing is known of those that may not be looked at."""
    files = []
    for path in paths:
        try:
            files.append(FoundFile(path, places.status(path)))
        except OSError:
            files.append(FoundFile(path, FileStatus(0, 0, 0)))
    return files


def openable_files(
    places: FilePlaces,
    context: RefreshContext,
    opened: Callable[[Path], object],
    *,
    key: str,
    every: timedelta,
) -> Generator[Finding, None, list[FoundFile]]:
    """Yield what the patterns match and what cannot be opened; return the files that can, by path.

    `opened` opens one file and raises one of READ_FAILURES. `key` is the configuration key of the
    patterns, `every` the interval of refreshes. Of objects in buckets only the newest are opened.
    """
    found: dict[Path, FoundFile] = {}
    for pattern in places.patterns:
        files = {
            Path(os.path.realpath(file.path)): file for file in found_files(places, places.matching(pattern))
        }
        yield _of_pattern(pattern, files.values(), already=len(files.keys() & found.keys()))
        found = files | found
    if not found:
        detail = (
            f"no file matches any pattern: check {key}, and that the folder is mounted "
            "and may be read by this user"
        )
        yield Finding(False, "files", detail)
        return []
    if places.objects is not None:
        yield Finding(True, "cost of reading", places.objects.cost_text(every, context.now))
    found, left = _to_open(places, found)
    if left:
        detail = f"{left:,} older objects were not downloaded for this check; `serve` reads all"
        yield Finding(True, "older objects", detail)
    readable: list[FoundFile] = []
    failed: list[str] = []
    for number, file in enumerate(sorted(found.values()), 1):
        try:
            with places.readable([file.path]):
                opened(file.path)
            readable.append(file)
        except READ_FAILURES as error:
            failed.append(f"{file.path}: {first_line(error)}")
        context.tally.progress(f"{number} of {len(found)} files opened")
    for text in failed[:_UNREADABLE_SHOWN]:
        yield Finding(False, "unreadable file", text)
    if len(failed) > _UNREADABLE_SHOWN:
        yield Finding(False, "unreadable files", f"{len(failed) - _UNREADABLE_SHOWN:,} more")
    return readable


def _to_open(places: FilePlaces, found: Mapping[Path, FoundFile]) -> tuple[dict[Path, FoundFile], int]:
    """Return the files in folders, the newest objects, and how many older objects there are."""
    objects = [(key, file) for key, file in found.items() if places.in_bucket(file.path)]
    chosen = {key: file for key, file in found.items() if not places.in_bucket(file.path)}
    left = _BYTES_DOWNLOADED
    for key, file in sorted(objects, key=lambda each: -each[1].status.mtime_ns)[:_OBJECTS_OPENED]:
        left -= file.status.size
        if left >= 0:
            chosen[key] = file
    return chosen, len(found) - len(chosen)


def broken_findings(broken: Iterable[Rejected]) -> Iterator[Finding]:
    """Yield what was set aside of a file because it is no CSV."""
    for each in broken:
        detail = f"{each.count:,} x {each.reason} in {each.place}: {each.detail}"
        yield Finding(True, "rows set aside", detail, warning=True)


def _of_pattern(pattern: str, files: Collection[FoundFile], already: int) -> Finding:
    if not files:
        return Finding(True, "pattern", f"{pattern}: no file matches", warning=True)
    size = sum(file.status.size for file in files)
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    twice = f"; {already:,} also matched above, which counts once" if already else ""
    return Finding(True, "pattern", f"{pattern}: {count}, {size_text(size)}{twice}")
