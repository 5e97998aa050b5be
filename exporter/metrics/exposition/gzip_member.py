"""Gzip of cached bytes in a form that can be continued: a tail is added without compressing again.

Deflate data may be cut at a full flush (RFC 1951), so everything stays one gzip member (RFC 1952): of
several concatenated members browsers and others read only the first.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

LEVEL: Final = 1
"""Exposition text is so repetitive that higher levels gain little for ten times the work."""

_RAW_WBITS: Final = -15
_FINAL_EMPTY_BLOCK: Final = b"\x03\x00"
_TRAILER: Final = struct.Struct("<II")

HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""The beginning of a member: deflate; no name, no time; the fastest level; an unknown system."""


def compress(data: bytes) -> bytes:
    """Return one gzip member of `data` that `extend` can continue. The same data give the same bytes."""
    return b"".join((HEAD, deflated(data), end(zlib.crc32(data), len(data))))


def deflated(data: bytes) -> bytes:
    """Return `data` as a piece of deflate data that any other may follow."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW_WBITS)
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)


def end(crc: int, size: int) -> bytes:
    """Return the end of a member of so many bytes with this CRC-32, behind what `deflated` made of them."""
    return _FINAL_EMPTY_BLOCK + _TRAILER.pack(crc, size % 2**32)


def extend(member: bytes | memoryview, tail: bytes) -> tuple[memoryview, bytes]:
    """Return two pieces that follow each other as one gzip member of the data of `member`, then `tail`.

    `member` comes from `compress`; nothing of it is copied or compressed again. Raises ValueError if it
    does not end the way `compress` ends.
    """
    end = len(member) - _TRAILER.size - len(_FINAL_EMPTY_BLOCK)
    if end < 0 or member[end : end + len(_FINAL_EMPTY_BLOCK)] != _FINAL_EMPTY_BLOCK:
        raise ValueError("only a gzip member made by compress() can be extended")
    crc, size = _TRAILER.unpack(member[-_TRAILER.size :])
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW_WBITS)
    compressed_tail = deflate.compress(tail) + deflate.flush()
    trailer = _TRAILER.pack(zlib.crc32(tail, crc), (size + len(tail)) % 2**32)
    return memoryview(member)[:end], compressed_tail + trailer
