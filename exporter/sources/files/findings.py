"""What a check says of files before it reads them: what the patterns match, what cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from exporter.core.byte_sizes import size_text
from exporter.sources.base import Finding, RefreshContext, Rejected
from exporter.sources.files.reading import READ_FAILURES, first_line, matching

_UNREADABLE_SHOWN: Final = 5


class FoundFile(NamedTuple):
    """An existing file."""

    path: Path
    status: os.stat_result


def openable_files(
    patterns: Sequence[str], context: RefreshContext, opened: Callable[[Path], object], *, key: str
) -> Generator[Finding, None, list[FoundFile]]:
    """Yield what the patterns match and what cannot be opened; return the files that can, by path.

    `opened` opens one file and raises one of READ_FAILURES. `key` is the configuration key of the patterns.
    """
    found: dict[Path, FoundFile] = {}
    for pattern in patterns:
        files = {path.resolve(): FoundFile(path, path.stat()) for path in matching(pattern)}
        yield _of_pattern(pattern, files.values(), already=len(files.keys() & found.keys()))
        found = files | found
    if not found:
        detail = (
            f"no file matches any pattern: check {key}, and that the folder is mounted "
            "and may be read by this user"
        )
        yield Finding(False, "files", detail)
        return []
    readable: list[FoundFile] = []
    failed: list[str] = []
    for number, file in enumerate(sorted(found.values()), 1):
        try:
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


def broken_findings(broken: Iterable[Rejected]) -> Iterator[Finding]:
    """Yield what was set aside of a file because it is no CSV."""
    for each in broken:
        detail = f"{each.count:,} x {each.reason} in {each.place}: {each.detail}"
        yield Finding(True, "rows set aside", detail, warning=True)


def _of_pattern(pattern: str, files: Collection[FoundFile], already: int) -> Finding:
    if not files:
        return Finding(True, "pattern", f"{pattern}: no file matches", warning=True)
    size = sum(file.status.st_size for file in files)
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    twice = f"; {already:,} also matched above, which counts once" if already else ""
    return Finding(True, "pattern", f"{pattern}: {count}, {size_text(size)}{twice}")
