"""Copies of objects in a folder of bounded size: where each lies, whether it is the object as it is now.

A copy lies at the object's own key, so that layouts see the folders of the export. Its time of change is the
object's, with a digest of the ETag below the second: by size and time a copy shows which version it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Final

from exporter.core.object_addresses import Bucket
from exporter.sources.objects.store import ObjectStatus

_SECOND_NS: Final = 10**9
_ODD_NAMES: Final = ("", ".", "..")
"""Parts of a key that are no names of files."""

_ABANDONED_SECONDS: Final = 3600
"""What was not written to for so long is of a process that was killed."""
_FILLED: Final = 0.9
"""The share of the folder that is left when copies have to go."""

PARTIAL: Final = ".part"
"""Ends the names of files that are being written."""


@dataclass(slots=True)
class Copies:
    """The copies of one source. No other process may write there but another one of this program."""

    folder: Path
    """Absolute, without symbolic links."""
    max_bytes: int
    """Copies beyond this are deleted once they have been read, the one unused for longest first."""
    keep: timedelta
    """Copies that nothing used for so long are deleted."""
    clock: Callable[[], float] = time.time
    _in_use: dict[Path, int] = field(default_factory=dict, init=False, repr=False)
    _held_bytes: int = field(default=0, init=False, repr=False)

    def path_of(self, bucket: Bucket, key: str) -> Path:
        """Return where the copy of an object lies, whether it is there or not."""
        names = (f"%{part}" if part in _ODD_NAMES or part[0] == "%" else part for part in key.split("/"))
        return self.folder.joinpath(f"{bucket.store}:", str(bucket).partition("://")[2], *names)

    def shown(self, text: str) -> str:
        """Return a text with the addresses of objects in place of the paths of their copies."""
        for store in ("s3", "gs", "az"):
            text = text.replace(f"{self.folder}/{store}:/", f"{store}://")
        return text

    def place_of(self, address: str) -> str:
        """Return the path of the copy for an address; any other text as it is."""
        store, separator, rest = address.partition("://")
        return f"{self.folder}/{store}:/{rest}" if separator and store in ("s3", "gs", "az") else address

    def has(self, path: Path, status: ObjectStatus) -> bool:
        """Return whether there is a copy of this version of the object."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (status.size, version_time_ns(status))

    def partial(self, path: Path) -> Path:
        """Return where to write a copy that is not whole yet. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Short, so that any name that the folder can hold has room.
        return (
            self.folder / f"{os.getpid()}-{blake2b(str(path).encode(), digest_size=12).hexdigest()}{PARTIAL}"
        )

    def keep_whole(self, partial: Path, path: Path, status: ObjectStatus) -> None:
        """Make a written file the copy of this version. Raises OSError."""
        os.utime(partial, ns=(int(self.clock() * _SECOND_NS), version_time_ns(status)))
        partial.replace(path)
        self._held_bytes += status.size

    def use(self, paths: Collection[Path]) -> None:
        """Keep these from being deleted until they are released."""
        for path in paths:
            self._in_use[path] = self._in_use.get(path, 0) + 1
            with suppress(OSError):
                os.utime(path, ns=(int(self.clock() * _SECOND_NS), path.stat().st_mtime_ns))

    def release(self, paths: Collection[Path]) -> None:
        """Let these be deleted again."""
        for path in paths:
            self._in_use[path] -= 1
            if not self._in_use[path]:
                del self._in_use[path]

    def trim(self, kept: Callable[[Path], bool], *, also_old: bool) -> None:
        """Delete the copies unused for longest where there are too many.

        With `also_old`, those that are too old as well. `kept` says which ones stay anyway.
        """
        if not also_old and self._held_bytes <= self.max_bytes:
            return
        now = self.clock()
        found = []
        for path, status in self._all():
            if path.suffix == PARTIAL:
                if status.st_mtime < now - _ABANDONED_SECONDS:
                    path.unlink(missing_ok=True)
            elif path not in self._in_use and not kept(path):
                found.append((status.st_atime, str(path), status.st_size))
        self._held_bytes = sum(size for _, _, size in found)
        # Some more than needed, so that the folder is not walked for each further copy.
        most = self.max_bytes * _FILLED if self._held_bytes > self.max_bytes else self.max_bytes
        for used, name, size in sorted(found):
            if used >= now - self.keep.total_seconds() and self._held_bytes <= most:
                break
            Path(name).unlink(missing_ok=True)
            self._held_bytes -= size

    def _all(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    yield path, path.stat()


def version_time_ns(status: ObjectStatus) -> int:
    """Return the object's time, in nanoseconds, with a digest of its version below the second."""
    digest = int.from_bytes(blake2b(status.version.encode(), digest_size=8).digest())
    return int(status.modified.timestamp()) * _SECOND_NS + digest % _SECOND_NS
