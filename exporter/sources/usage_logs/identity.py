"""Finds out which log a file is: one that was read before under any name, a copy, or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exporter.sources.usage_logs.marks import REMEMBERED_BYTES, Mark, digest
from exporter.sources.usage_logs.tailing import READ_FAILURES, LogFile

_COMPARED_FIRST: Final = 64
"""Bytes; a log line has more."""

Copies = dict[LogFile, tuple[int, int]]
"""Copies that were found, with the identity of what they are a copy of."""


class Log(NamedTuple):
    """A file to read on."""

    file: LogFile
    partition: str
    mark: Mark | None
    """How far it was read; None for a new one."""


@dataclass(slots=True)
class Logs:
    """What is known about some files."""

    logs: list[Log] = field(default_factory=list)
    failures: list[tuple[LogFile, Exception]] = field(default_factory=list)
    """Files that could not be looked into."""
    gone: list[str] = field(default_factory=list)
    """Partitions that no file continues, oldest first."""
    copies: Copies = field(default_factory=dict)
    """Files that are left alone, as what they hold is read elsewhere."""


def tell_apart(files: Iterable[LogFile], marks: Mapping[str, Mark], copies: Copies) -> Logs:
    """Find for each file how far it was read.

    A file is known by device and inode as long as it holds what was read. Where it does not, a mark goes over
    to a file that does: a log rotated by copying and truncating, or compressed. While the original is there,
    its copy is left alone. `copies` are those that the last refresh found.
    """
    found = Logs()
    by_identity = {
        (marks[partition].device, marks[partition].inode): partition
        for partition in sorted(marks, key=partition_number)
    }
    unclaimed = dict(marks)
    fresh: list[LogFile] = []
    for file in files:
        partition = by_identity.get(file.identity)
        try:
            if partition is None or not _holds(file, marks[partition]):
                fresh.append(file)
                continue
            found.logs.append(Log(file, partition, marks[partition]))
        except FileNotFoundError:
            continue
        except READ_FAILURES as error:
            found.failures.append((file, error))
        unclaimed.pop(str(partition), None)
    # The longest first, as a copy may be incomplete; of equals the shorter name, which is the one written to.
    fresh.sort(key=lambda file: (-file.size, len(file.path.name), file.path))
    _tell_fresh_apart([file for file in fresh if file.size], unclaimed, copies, found, marks)
    found.gone = sorted(unclaimed, key=partition_number)
    found.logs.sort(key=lambda log: (log.file.mtime_ns, log.file.path))
    return found


def partition_number(partition: str) -> int:
    """Return the number that a partition got when its log was first seen; later ones are higher."""
    return int(partition.rpartition("#")[2])


def _tell_fresh_apart(
    fresh: Sequence[LogFile],
    unclaimed: dict[str, Mark],
    copies: Copies,
    found: Logs,
    marks: Mapping[str, Mark],
) -> None:
    claimed = {log.partition: log for log in found.logs}
    originals = _Originals([log.file for log in found.logs] if fresh else ())
    number = max(map(partition_number, marks), default=0)
    for file in fresh:
        try:
            partition = _continued(file, unclaimed)
            if partition is None:
                original = originals.of(file, copies.get(file))
                if original is None and file.in_bucket:
                    original = _read_before(file, claimed)
                if original is not None:
                    found.copies[file] = original
                    continue
                if _undecided(file, claimed):
                    continue
        except FileNotFoundError:
            continue
        except READ_FAILURES as error:
            found.failures.append((file, error))
            continue
        if partition is None:
            number += 1
            found.logs.append(Log(file, f"{file.path}#{number}", None))
        else:
            found.logs.append(Log(file, partition, unclaimed.pop(partition)))
        originals.add(file)


def _holds(file: LogFile, mark: Mark) -> bool:
    return file.unchanged_since(mark) or file.continues(mark)


def _continued(file: LogFile, unclaimed: Mapping[str, Mark]) -> str | None:
    """Return the partition that a file continues, of several the one that was read furthest."""
    if not unclaimed:
        return None
    first_bytes = file.first_bytes(REMEMBERED_BYTES)
    digests = {length: digest(first_bytes[:length]) for length in _head_lengths(unclaimed.values())}
    alike = [
        partition
        for partition, mark in unclaimed.items()
        if digests[min(mark.offset, REMEMBERED_BYTES)] == mark.head and file.continues(mark)
    ]
    return max(alike, key=lambda partition: unclaimed[partition].offset, default=None)


def _read_before(file: LogFile, claimed: Mapping[str, Log]) -> tuple[int, int] | None:
    """Return the identity of an object that an object is a copy of, as far as that one has been read.

    The other one may have no copy on disk any more, so that its mark has to say what it holds.
    """
    marks = {
        partition: log.mark
        for partition, log in claimed.items()
        if log.mark is not None and log.file.in_bucket
    }
    partition = _continued(file, marks)
    return None if partition is None else claimed[partition].file.identity


def _undecided(file: LogFile, claimed: Mapping[str, Log]) -> bool:
    """Return whether a file looks like the copy of one that was truncated during this refresh.

    The next refresh finds that out.
    """
    marks = {partition: log.mark for partition, log in claimed.items() if log.mark is not None}
    partition = _continued(file, marks)
    return partition is not None and not claimed[partition].file.continues(marks[partition])


def _head_lengths(marks: Iterable[Mark]) -> set[int]:
    return {min(mark.offset, REMEMBERED_BYTES) for mark in marks}


class _Originals:
    """Files that are read, by how they begin."""

    def __init__(self, files: Iterable[LogFile]) -> None:
        self._by_beginning: dict[bytes, list[LogFile]] = {}
        self._identities: set[tuple[int, int]] = set()
        for file in files:
            self._identities.add(file.identity)
            if not file.in_bucket:
                self.add(file)

    def add(self, file: LogFile) -> None:
        self._identities.add(file.identity)
        try:
            beginning = file.first_bytes(_COMPARED_FIRST)
        except READ_FAILURES:
            return
        self._by_beginning.setdefault(beginning, []).append(file)

    def of(self, file: LogFile, known: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the identity of a file that another one is a copy of, or of a beginning of."""
        if known in self._identities:
            return known
        alike = self._by_beginning.get(file.first_bytes(_COMPARED_FIRST), [])
        return next((each.identity for each in alike if each.begins_with_all_of(file)), None)
