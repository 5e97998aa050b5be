"""Where the files of a source lie: in folders, or in buckets, of which copies are made when they are read.

Everything else takes paths. For an object it is the path of its copy, which need not exist; what people
see, and the ledger keeps, is the object's address.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from exporter.core.object_addresses import is_address, object_pattern
from exporter.sources.base import (
    Batch,
    Change,
    Finding,
    RefreshContext,
    RefreshTally,
    Rejected,
    Retraction,
    Unreadable,
    UsageBatch,
    UsageChange,
)
from exporter.sources.files.reading import matching
from exporter.sources.objects.copies import version_time_ns
from exporter.sources.objects.mirror import ObjectMirror


class FileStatus(NamedTuple):
    """What changes when a file does."""

    size: int
    mtime_ns: int
    inode: int
    """0 for an object, whose time shows its version too."""

    def __str__(self) -> str:
        return f"{self.size}:{self.mtime_ns}:{self.inode}"


@dataclass(slots=True)
class FilePlaces:
    """The files of a source. `patterns` are absolute globs and addresses of objects."""

    patterns: Sequence[str]
    objects: ObjectMirror | None = None
    """What reads buckets; needed where a pattern is the address of objects."""
    tally: RefreshTally = field(default_factory=RefreshTally)
    """Counts requests."""

    @classmethod
    def of(cls, patterns: Sequence[str], objects: ObjectMirror | None, context: RefreshContext) -> FilePlaces:
        """Return the files of a source as one refresh, or one check, sees them."""
        if objects is not None:
            objects.wait_within(context)
        return cls(patterns, objects, context.tally)

    def matching(self, pattern: str) -> list[Path]:
        """Return the files that one of the patterns matches, by name. Raises SourceError."""
        if self.objects is None or not is_address(pattern):
            return matching(pattern)
        return self.objects.found(object_pattern(pattern), self.tally)

    def all_files(self) -> list[Path]:
        """Return the files by path, each once, however many patterns or links lead to it.

        Raises SourceError where a bucket cannot be listed: its files are not gone.
        """
        by_identity: dict[str, Path] = {}  # Path.resolve fails where links lead to themselves.
        if self.objects is not None:
            self.objects.begin()
        for pattern in self.patterns:
            for path in self.matching(pattern):
                by_identity.setdefault(os.path.realpath(path), path)
        return sorted(by_identity.values())

    def emptied(self, found: Collection[Path], known: Iterable[str]) -> list[str]:
        """Return the addresses among the patterns that match nothing now and have matched partitions before.

        `found` is what `all_files` returned, `known` has the names of the ledger's partitions.
        """
        if self.objects is None:
            return []
        names, addresses = list(known), {self.shown(str(path)) for path in found}
        patterns = [object_pattern(pattern) for pattern in self.patterns if is_address(pattern)]
        return [
            str(pattern)
            for pattern in patterns
            if any(map(pattern.matches, names)) and not any(map(pattern.matches, addresses))
        ]

    def in_bucket(self, path: Path) -> bool:
        """Return whether a path that was found is that of an object's copy."""
        return self.objects is not None and self.objects.knows(path)

    def status(self, path: Path) -> FileStatus:
        """Return what changes when the file does. Raises OSError."""
        if self.objects is not None and self.objects.knows(path):
            found = self.objects.status(path)
            return FileStatus(found.size, version_time_ns(found), 0)
        status = path.stat()
        return FileStatus(status.st_size, status.st_mtime_ns, status.st_ino)

    def check_readable(self, path: Path) -> None:
        """Raise PermissionError where this user may not read a file: that changes nothing else about it."""
        if not self.in_bucket(path) and not os.access(
            path, os.R_OK, effective_ids=os.access in os.supports_effective_ids
        ):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def size(self, path: Path) -> int:
        """Return its bytes; 0 where it is gone."""
        try:
            return self.status(path).size
        except OSError:
            return 0

    def modified_ns(self, path: Path) -> int:
        """Return when it was changed, in nanoseconds; 0 where it is gone."""
        try:
            return self.status(path).mtime_ns
        except OSError:
            return 0

    @contextmanager
    def readable(self, paths: Sequence[Path]) -> Iterator[None]:
        """Have these files on disk, those in buckets as copies. Raises OSError and SourceError."""
        in_buckets = [path for path in paths if self.in_bucket(path)]
        if self.objects is None or not in_buckets:
            yield
            return
        with self.objects.readable(in_buckets, self.tally):
            yield

    @contextmanager
    def readable_of(self, paths: Sequence[Path]) -> Iterator[list[Path]]:
        """Have small files on disk, and yield those that are: of others `readable` says why.

        Raises SourceError.
        """
        in_buckets = [path for path in paths if self.in_bucket(path)]
        there = [path for path in paths if not self.in_bucket(path) and path.is_file()]
        if self.objects is None or not in_buckets:
            yield there
            return
        with self.objects.readable_of(in_buckets, self.tally) as copied:
            yield [*there, *copied]

    def with_paths(self, context: RefreshContext) -> RefreshContext:
        """Return the context with paths for the addresses of partitions."""
        if self.objects is None:
            return context
        copies = self.objects.copies
        return replace(context, known={copies.place_of(name): at for name, at in context.known.items()})

    def with_addresses(self, change: Change) -> Change:
        """Return the change with addresses for the paths of copies."""
        if self.objects is None:
            return change
        shown = self.shown
        if isinstance(change, Retraction):
            return Retraction(shown(change.partition))
        if isinstance(change, Batch):
            rejected = tuple(self._rejected(each) for each in change.rejected)
            return replace(change, partition=shown(change.partition), rejected=rejected)
        return replace(change, partition=shown(change.partition), rejected=self._rejected(change.rejected))

    def usage_with_addresses(self, change: UsageChange) -> UsageChange:
        """Return the usage with addresses for the paths of copies."""
        if self.objects is None or isinstance(change, UsageBatch):
            return change
        partition = self.shown(change.partition)
        if isinstance(change, Unreadable):
            return replace(change, partition=partition, rejected=self._rejected(change.rejected))
        return replace(
            change,
            partition=partition,
            rejected=tuple(self._rejected(each) for each in change.rejected),
            obsolete=tuple(self.shown(each) for each in change.obsolete),
        )

    def shown(self, text: str) -> str:
        """Return a text with addresses for the paths of copies."""
        return text if self.objects is None else self.objects.copies.shown(text)

    def findings(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Yield findings with addresses for the paths of copies."""
        for each in found:
            yield replace(each, detail=self.shown(each.detail))

    def _rejected(self, rejected: Rejected) -> Rejected:
        return replace(rejected, place=self.shown(rejected.place), detail=self.shown(rejected.detail))
