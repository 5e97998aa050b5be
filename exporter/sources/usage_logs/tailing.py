"""Reads whole lines of a log from where it was left off, and knows a file again by its first and last bytes.

A file that was renamed, copied, compressed or moved to another disk goes on where it was; one that was
truncated or whose inode was given to another file is a new one.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from exporter.sources.usage_logs.marks import REMEMBERED_BYTES, Mark, digest

READ_FAILURES: Final = (OSError, EOFError, zlib.error)
"""Everything that reading a log can raise; a compressed one can be damaged or not be complete yet."""

LONGEST_LINE: Final = 4 << 20
"""Bytes. A call's line has some hundred, a batch of OTLP spans up to some millions."""

_MORE_TO_READ: Final = -1


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...
    def seek(self, offset: int, /) -> int: ...


class _Unpacked:
    """A compressed file that returns what it can before it fails."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed

    def read(self, size: int, /) -> bytes:
        # Not read: it loses what it had unpacked already when it comes upon the end of an incomplete file.
        return self._packed.read1(size)

    def seek(self, offset: int, /) -> int:
        return self._packed.seek(offset)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One existing file, as found in its folder."""

    path: Path
    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def at(cls, path: Path) -> LogFile:
        """Return what is at a path. Raises OSError."""
        return cls._of(path, path.stat())

    @classmethod
    def _of(cls, path: Path, status: os.stat_result) -> LogFile:
        return cls(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    @property
    def in_bucket(self) -> bool:
        """Whether it is an object in a bucket, so that opening it may download it."""
        return False

    def unchanged_since(self, mark: Mark) -> bool:
        """Return whether it is exactly the file that the mark was made from."""
        return (self.device, self.inode, self.size, self.mtime_ns) == (
            mark.device,
            mark.inode,
            mark.size,
            mark.mtime_ns,
        )

    def continues(self, mark: Mark) -> bool:
        """Return whether it contains what was read up to the mark. Raises one of READ_FAILURES."""
        with self._open() as handle:
            return handle is not None and _positioned(handle, mark) is not None

    def begins_with_all_of(self, other: LogFile) -> bool:
        """Return whether it begins with all of another file that is not empty, which is then its copy.

        Compared are the first and the last bytes. Raises one of READ_FAILURES.
        """
        with other._open() as copy, self._open() as original:
            if copy is None or original is None:
                return False
            head, length, tail = _ends(copy, None if other.path.suffix == ".gz" else other.size)
            if not length or _read_fully(original, len(head)) != head:
                return False
            original.seek(length - len(tail))
            return _read_fully(original, len(tail)) == tail

    def first_bytes(self, count: int) -> bytes:
        """Return its first bytes. Raises one of READ_FAILURES."""
        with self._open() as handle:
            return _read_fully(handle, count) if handle is not None else b""

    @contextmanager
    def lines_after(self, mark: Mark | None, *, chunk_bytes: int, longest_line: int) -> Iterator[LogLines]:
        """Open it for reading whole lines from a mark on, or from its start.

        It has no lines where another file took its place meanwhile. Raises one of READ_FAILURES.
        """
        with self._open() as handle:
            started = None if handle is None else (_Taken() if mark is None else _positioned(handle, mark))
            yield LogLines(self, handle, started, chunk_bytes, longest_line)

    @contextmanager
    def _open(self) -> Iterator[_Readable | None]:
        """Open it for what it holds, if it is still the same file."""
        with self._plain() as plain:
            if plain is None:
                yield None
            elif self.path.suffix == ".gz":
                with gzip.GzipFile(fileobj=cast("gzip._ReadableFileobj", plain), mode="rb") as packed:
                    yield _Unpacked(packed)
            else:
                yield plain

    @contextmanager
    def _plain(self) -> Iterator[FileIO | None]:
        """Open it as it lies there, if it is still the same file."""
        with self.path.open("rb", buffering=0) as plain:
            same = LogFile._of(self.path, os.fstat(plain.fileno())).identity == self.identity
            yield plain if same else None


@dataclass(slots=True)
class _Taken:
    """What was taken of a file so far."""

    offset: int = 0
    head: bytes = b""
    tail: bytes = b""

    def take(self, data: bytes) -> None:
        self.offset += len(data)
        if len(self.head) < REMEMBERED_BYTES:
            self.head += data[: REMEMBERED_BYTES - len(self.head)]
        self.tail = (self.tail + data)[-REMEMBERED_BYTES:]


class LogLine(NamedTuple):
    """One line."""

    offset: int
    """Where it begins."""
    content: bytes | None
    """Without its newline; None where it is longer than lines may be."""


class LogLines:
    """Whole lines of one open file, in order. No more than the longest line may have is held in memory."""

    def __init__(
        self,
        file: LogFile,
        handle: _Readable | None,
        taken: _Taken | None,
        chunk_bytes: int,
        longest_line: int,
    ) -> None:
        self._file = file
        self._handle = handle if taken is not None else None
        self._taken = taken or _Taken()
        self._chunk_bytes = chunk_bytes
        self._longest_line = longest_line

    @property
    def offset(self) -> int:
        """Where the last line that was returned ended."""
        return self._taken.offset

    def mark(self, *, at_end: bool) -> Mark:
        """Return the mark after the last line that was returned; `at_end`: no more can be read for now."""
        taken, file = self._taken, self._file
        return Mark(
            str(file.path),
            *file.identity,
            file.size if at_end else _MORE_TO_READ,
            file.mtime_ns,
            taken.offset,
            digest(taken.head),
            digest(taken.tail),
        )

    def __iter__(self) -> Iterator[LogLine]:
        """Return the lines that end in a newline; a last one without is still being written.

        Raises one of READ_FAILURES, after which what was returned stays right.
        """
        if self._handle is None:
            return
        pending, searched = b"", 0
        while True:
            data = self._handle.read(self._chunk_bytes)
            pending += data or b""
            begin = 0
            while (end := pending.find(b"\n", max(begin, searched))) >= 0:
                line = LogLine(self.offset, self._fitting(pending[begin:end]))
                self._taken.take(pending[begin : end + 1])
                begin = end + 1
                yield line
            if not data:
                return
            pending = pending[begin:]
            searched = len(pending)
            if searched > self._longest_line:
                passed = self._end_of_line(pending)
                if passed is None:
                    return
                line, pending = passed
                searched = 0
                yield line

    def _fitting(self, content: bytes) -> bytes | None:
        return content if len(content) <= self._longest_line else None

    def _end_of_line(self, pending: bytes) -> tuple[LogLine, bytes] | None:
        """Pass over the rest of a long line; return it and what follows, or None where it has no end yet."""
        passed = _Taken(self.offset, self._taken.head, self._taken.tail)
        passed.take(pending)
        while self._handle is not None and (data := self._handle.read(self._chunk_bytes)):
            end = data.find(b"\n")
            passed.take(data if end < 0 else data[: end + 1])
            if end >= 0:
                line = LogLine(self.offset, None)
                self._taken = passed
                return line, data[end + 1 :]
        return None


def _positioned(handle: _Readable, mark: Mark) -> _Taken | None:
    """Go to where the mark is; None where the file does not hold what was read then."""
    remembered = min(mark.offset, REMEMBERED_BYTES)
    handle.seek(0)
    head = _read_fully(handle, remembered)
    if digest(head) != mark.head:
        return None
    handle.seek(mark.offset - remembered)
    tail = _read_fully(handle, remembered)
    if len(tail) != remembered or digest(tail) != mark.tail:
        return None
    return _Taken(mark.offset, head, tail)


def _ends(handle: _Readable, length: int | None) -> tuple[bytes, int, bytes]:
    """Return the first bytes, the length and the last bytes.

    Without a length everything is read, or of a damaged file as far as it can be.
    """
    if length is not None:
        remembered = min(length, REMEMBERED_BYTES)
        head = _read_fully(handle, remembered)
        handle.seek(length - remembered)
        return head, length, _read_fully(handle, remembered)
    taken = _Taken()
    try:
        while data := handle.read(1 << 20):
            taken.take(data)
    except (EOFError, zlib.error):
        return taken.head, taken.offset, taken.tail
    return taken.head, taken.offset, taken.tail


def _read_fully(handle: _Readable, count: int) -> bytes:
    """Return so many bytes, or fewer at the end: one read of an unbuffered file may return less."""
    data = b""
    while len(data) < count and (more := handle.read(count - len(data))):
        data += more
    return data
