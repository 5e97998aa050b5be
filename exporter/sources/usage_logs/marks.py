"""How far a log was read, and the bytes that it is known by when it is renamed, copied or compressed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Final

REMEMBERED_BYTES: Final = 1024
"""Bytes at the start of a file, and before where it was read to, that it is known by."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log was read, and what it is known by. Contains nothing that was written in the log."""

    path: str
    device: int
    inode: int
    size: int
    """Of the file on disk when it was read, as is its time of change; -1 where it was not read to its end."""
    mtime_ns: int
    offset: int
    """Bytes of whole lines that were taken; of a compressed file, of what it holds."""
    head: str
    """Digest of the first bytes taken, 1,024 at most."""
    tail: str
    """Digest of the last bytes taken, 1,024 at most."""

    def cursor(self) -> str:
        """Return it as one text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_cursor(cls, cursor: str) -> Mark:
        """Return the mark that a text was made of."""
        return cls(**json.loads(cursor))


def digest(data: bytes) -> str:
    """Return what marks keep of some bytes."""
    return blake2b(data, digest_size=16).hexdigest()
