"""Where the bytes of an exposition are kept: in files in memory, which no heap holds and the front shares.

Elsewhere than on Linux they are bytes of this process.
"""

from __future__ import annotations

import os
import sys
import weakref
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

Buffer = bytes | memoryview

_CHUNK_BYTES: Final = 256 * 1024
"""Copied at once."""


class KeptBytes(Protocol):
    """Bytes that are written once, in their order, and read as often as one likes."""

    size: int
    crc: int
    """CRC-32 of what was written."""

    def append(self, piece: Buffer) -> None:
        """Write a piece behind the last one. Raises OSError where there is no memory."""

    def complete(self) -> None:
        """Let nothing be written any more."""

    def chunks(self, begin: int, end: int) -> Iterator[Buffer]:
        """Yield the bytes of a span; each chunk is valid until the next one."""

    def read(self) -> bytes:
        """Return all bytes."""


class HeapBytes:
    """Bytes of this process."""

    def __init__(self) -> None:
        """Without any yet."""
        self._pieces: list[Buffer] = []
        self._whole = b""
        self.size = 0
        self.crc = 0

    def append(self, piece: Buffer) -> None:
        """Write a piece behind the last one."""
        self._pieces.append(piece)
        self.size += len(piece)
        self.crc = zlib.crc32(piece, self.crc)

    def complete(self) -> None:
        """Make one of all pieces."""
        self._whole = b"".join(self._pieces)
        self._pieces.clear()

    def chunks(self, begin: int, end: int) -> Iterator[Buffer]:
        """Yield the bytes of a span, without a copy."""
        yield memoryview(self._whole)[begin:end]

    def read(self) -> bytes:
        """Return all bytes, without a copy."""
        return self._whole

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeapBytes) and self._whole == other._whole

    def __hash__(self) -> int:
        return hash(self._whole)


class MemoryFile:
    """Bytes in a file that is nowhere but in memory, until nobody has it open any more.

    It is read and written, not mapped: so its pages are no part of this process.
    """

    def __init__(self) -> None:
        """Make an empty file. Raises OSError."""
        self.file = os.memfd_create("exposition")
        """Open for as long as this object exists."""
        self.size = 0
        self.crc = 0
        weakref.finalize(self, os.close, self.file)

    def append(self, piece: Buffer) -> None:
        """Write a piece behind the last one. Raises OSError."""
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self.file, rest) :]
        self.size += len(piece)
        self.crc = zlib.crc32(piece, self.crc)

    def complete(self) -> None:
        """Nothing is left to be done: each piece is where it stays."""

    def chunks(self, begin: int, end: int) -> Iterator[Buffer]:
        """Yield the bytes of a span; each chunk is valid until the next one."""
        chunk = memoryview(bytearray(min(_CHUNK_BYTES, end - begin)))
        while begin < end:
            count = os.preadv(self.file, [chunk[: end - begin]], begin)
            if not count:
                raise EOFError(f"a file in memory ends at {begin} and not at {end}")
            yield chunk[:count]
            begin += count

    def read(self) -> bytes:
        """Return a copy of all bytes."""
        return b"".join(bytes(chunk) for chunk in self.chunks(0, self.size))


NewBytes = Callable[[], KeptBytes]
"""Makes a place for bytes."""

SHARED: Final[NewBytes] = MemoryFile if sys.platform == "linux" else HeapBytes
"""For an exposition that the front shows."""
