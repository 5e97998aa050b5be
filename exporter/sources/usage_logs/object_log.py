"""A usage log that is an object in a bucket: read from its copy, and known by its key and version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from io import FileIO
from pathlib import Path

from exporter.sources.files.places import FilePlaces
from exporter.sources.usage_logs.tailing import LogFile


@dataclass(frozen=True, slots=True)
class ObjectLog(LogFile):
    """One object. Its inode is a digest of its key, its time shows its version."""

    places: FilePlaces = field(compare=False, repr=False)

    @classmethod
    def of(cls, path: Path, places: FilePlaces) -> ObjectLog:
        """Return the log of an object that `places` has found."""
        status = places.status(path)
        name = blake2b(places.shown(str(path)).encode(), digest_size=7).digest()
        return cls(path, -1, int.from_bytes(name), status.size, status.mtime_ns, places)

    @property
    def in_bucket(self) -> bool:
        """True: opening it may download it."""
        return True

    @contextmanager
    def _plain(self) -> Iterator[FileIO | None]:
        """Open its copy, if the object has not been replaced since it was listed."""
        with self.places.readable([self.path]):
            status = self.places.status(self.path)
            if (status.size, status.mtime_ns) != (self.size, self.mtime_ns):
                yield None
                return
            with self.path.open("rb", buffering=0) as plain:
                yield plain
