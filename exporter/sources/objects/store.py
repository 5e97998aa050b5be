"""One bucket: what it has below a prefix, and one object as a file. The protocols are those of fsspec."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from exporter.core.object_addresses import Bucket
from exporter.sources.objects.failures import Access, Explain, ObjectError, explained

PAGE: Final = {"s3": 1000, "gs": 1000, "az": 5000}
"""Objects that one call of a listing returns."""


_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG})


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
    """Reads one bucket. After a failure it connects anew, so that renewed credentials are found."""

    bucket: Bucket
    connect: Callable[[], Connection]
    _connection: Connection | None = field(default=None, init=False, repr=False)

    def listed(self, prefix: str) -> list[ObjectStatus]:
        """Return the objects whose key begins with a prefix. Raises SourceError."""
        with self._using(Access.LIST, prefix) as filesystem:
            found = filesystem.find(self.bucket.name, prefix=prefix, detail=True)
            return [
                self._status(info)
                for info in found.values()
                if info["type"] == "file" and self._key(info).startswith(prefix)
            ]

    def status(self, key: str) -> ObjectStatus:
        """Return what an object is now. Raises SourceError; ObjectError if it is this object alone."""
        with self._using(Access.READ, key) as filesystem:
            return self._status(filesystem.info(f"{self.bucket.name}/{key}"))

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file. Raises as `status` does."""
        with self._using(Access.READ, key) as filesystem:
            filesystem.get_file(f"{self.bucket.name}/{key}", str(path))

    @contextmanager
    def _using(self, access: Access, key: str) -> Iterator[Any]:
        if self._connection is None:
            self._connection = self.connect()
        try:
            yield self._connection.filesystem
        except ObjectError:
            raise
        except self._connection.failures as error:
            if _of_the_disk(error):
                raise
            explain, self._connection = self._connection.explain, None
            raise explained(error, explain, self.bucket, access, key) from None

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


def _of_the_disk(error: Exception) -> bool:
    """Return whether a failure is this machine's: a store's has the answer as its cause."""
    return isinstance(error, OSError) and error.errno in _DISK and error.__cause__ is None
