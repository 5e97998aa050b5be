"""The small files that a refresh is about to read: fetched and read by the hundred, handed out singly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from exporter.sources.base import RefreshContext
from exporter.sources.files.file_reading import FileReading, spool_path
from exporter.sources.files.group_reading import (
    MOST_BYTES,
    MOST_FILES,
    MOST_TOGETHER_BYTES,
    GroupReader,
    Member,
    bytes_to_read,
)
from exporter.sources.files.places import FilePlaces, FileStatus


@dataclass(slots=True)
class ReadingAhead:
    """For one refresh. What it does not have has to be read alone."""

    places: FilePlaces
    context: RefreshContext
    together: GroupReader
    _expected: deque[Path] = field(default_factory=deque, init=False)
    _ready: dict[Path, tuple[FileStatus, FileReading]] = field(default_factory=dict, init=False)
    """What was read and not asked for yet, and what the file was then."""

    @property
    def has_more(self) -> bool:
        """Whether a further reading is ready."""
        return bool(self._ready)

    def expect(self, files: Iterable[Path]) -> None:
        """Say which files will be asked for, in this order."""
        self._expected = deque(path for path in files if self._bytes(path) <= MOST_BYTES)

    def reading(self, path: Path) -> FileReading | None:
        """Return what was read of a file, if it still is what it was. Raises SourceError, OSError."""
        if path not in self._ready and path in self._expected:
            while self._expected.popleft() != path:
                pass
            self._read([path, *self._next(MOST_TOGETHER_BYTES - self._bytes(path))])
        status, reading = self._ready.pop(path, (None, None))
        if reading is not None and status != self.places.status(path):
            reading.charges.unlink(missing_ok=True)
            return None
        return reading

    def discard(self) -> None:
        """Remove the spool files of what nobody asked for."""
        for _, reading in self._ready.values():
            reading.charges.unlink(missing_ok=True)
        self._ready = {}

    def _next(self, most_bytes: int) -> list[Path]:
        taken: list[Path] = []
        while self._expected and len(taken) < MOST_FILES - 1:
            most_bytes -= self._bytes(self._expected[0])
            if most_bytes < 0:
                break
            taken.append(self._expected.popleft())
        return taken

    def _read(self, paths: list[Path]) -> None:
        if len(paths) == 1:
            return
        with self.places.readable_of(paths) as readable:
            statuses = {path: status for path in readable if (status := self._status(path)) is not None}
            members = [
                Member(path, spool_path(self.context, path, f"together:{status}"))
                for path, status in statuses.items()
            ]
            readings = self.together.read(members, self.context.spool)
        for path, reading in readings.items():
            self._ready[path] = statuses[path], reading

    def _status(self, path: Path) -> FileStatus | None:
        try:
            return self.places.status(path)
        except OSError:
            return None

    def _bytes(self, path: Path) -> int:
        return bytes_to_read(path, self.places.size(path))
