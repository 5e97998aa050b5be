"""One bucket: what it has below a prefix, and one object as a file. The protocols are those of fsspec."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from exporter.core.backoff import Backoff
from exporter.core.object_addresses import Bucket
from exporter.sources.objects.failures import Access, Explain, ObjectError, ThrottledError, explained

PAGE: Final = {"s3": 1000, "gs": 1000, "az": 5000}
"""Objects that one call of a listing returns."""

_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG})

_Answer = TypeVar("_Answer")


class ObjectStatus(NamedTuple):
    """One object as the store describes it."""

    key: str
    size: int
    modified: datetime
    """Aware."""
    version: str
    """Another one whenever the content is: the ETag, or Google's generation."""


class Connection(NamedTuple):
    """An open file system of fsspec, and what its failures are."""

    filesystem: Any
    failures: tuple[type[Exception], ...]
    """Everything that it raises where the store cannot be reached or refuses."""
    explain: Explain


@dataclass(slots=True)
class Store:
    """Reads one bucket, for several threads. `patience` says how long to wait for one that is throttled.

    After any other failure it connects anew, so that renewed credentials are found.
    """

    bucket: Bucket
    connect: Callable[[], Connection]
    _connection: Connection | None = field(default=None, init=False, repr=False)
    _connecting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def listed(self, prefix: str, patience: Backoff) -> list[ObjectStatus]:
        """Return the objects whose key begins with a prefix. Raises SourceError."""

        def listing(filesystem: Any) -> list[ObjectStatus]:
            found = filesystem.find(self.bucket.name, prefix=prefix, detail=True)
            return [
                self._status(info)
                for info in found.values()
                if info["type"] == "file" and self._key(info).startswith(prefix)
            ]

        return self._asked(Access.LIST, prefix, patience, listing)

    def status(self, key: str, patience: Backoff) -> ObjectStatus:
        """Return what an object is now. Raises SourceError; ObjectError if it is this object alone."""
        name = f"{self.bucket.name}/{key}"
        return self._asked(Access.READ, key, patience, lambda each: self._status(each.info(name)))

    def download(self, key: str, path: Path, patience: Backoff) -> None:
        """Write an object to a file. Raises as `status` does."""
        name = f"{self.bucket.name}/{key}"
        self._asked(Access.READ, key, patience, lambda each: each.get_file(name, str(path)))

    def _asked(self, access: Access, key: str, patience: Backoff, ask: Callable[[Any], _Answer]) -> _Answer:
        """Return the answer. The clients themselves try again at once, or not at all after some answers."""

        def once() -> _Answer:
            with self._using(access, key) as filesystem:
                return ask(filesystem)

        return patience.call(once, (ThrottledError,), lambda _error: True, _requested_wait)

    @contextmanager
    def _using(self, access: Access, key: str) -> Iterator[Any]:
        with self._connecting:
            if self._connection is None:
                self._connection = self.connect()
            connection = self._connection
        try:
            yield connection.filesystem
        except ObjectError:
            raise
        except connection.failures as error:
            if _of_the_disk(error):
                raise
            failure = explained(error, connection.explain, self.bucket, access, key)
            if not isinstance(failure, ThrottledError):
                self._connection = None
            raise failure from None

    def _key(self, info: dict[str, Any]) -> str:
        return str(info["name"]).removeprefix(f"{self.bucket.name}/")

    def _status(self, info: dict[str, Any]) -> ObjectStatus:
        modified = info.get("LastModified") or info.get("last_modified") or info.get("updated")
        if isinstance(modified, str):
            modified = datetime.fromisoformat(modified.replace("Z", "+00:00"))
        version = info.get("generation") or info.get("ETag") or info.get("etag")
        if not isinstance(modified, datetime) or not version:
            raise ObjectError(
                f"{self.bucket}/{self._key(info)}: the store says neither its time nor its version (ETag)"
            )
        if modified.tzinfo is None:
            modified = modified.replace(tzinfo=UTC)
        return ObjectStatus(self._key(info), int(info["size"]), modified, str(version).strip('"'))


def _requested_wait(error: Exception) -> float:
    return error.wait_seconds if isinstance(error, ThrottledError) else 0.0


def _of_the_disk(error: Exception) -> bool:
    """Return whether a failure is this machine's: a store's has the answer as its cause."""
    return isinstance(error, OSError) and error.errno in _DISK and error.__cause__ is None
