"""The objects that patterns match, as paths of their copies; a copy is made and checked when it is read.

Unchanged objects are listed and never downloaded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from exporter.core.backoff import Backoff
from exporter.core.byte_sizes import size_text
from exporter.core.object_addresses import Bucket, ObjectPattern
from exporter.sources.base import RefreshContext, RefreshTally
from exporter.sources.objects.copies import Copies
from exporter.sources.objects.costs import watching_text
from exporter.sources.objects.failures import ObjectError
from exporter.sources.objects.store import PAGE, ObjectStatus, Store

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 16
"""So many small objects are downloaded at the same time: most of the time goes by waiting for an answer."""

_ATTEMPTS: Final = 3
"""An object that is replaced while it is downloaded is downloaded again; so many times in one refresh."""


@dataclass(slots=True)
class ObjectMirror:
    """Objects of any buckets for one source. For one thread, which has others download small objects."""

    copies: Copies
    open_store: Callable[[Bucket], Store]
    is_index: Callable[[Path], bool] = lambda _path: False
    """Whether a path is that of a small file that lists others, a manifest: its copy is always there."""
    new_patience: Callable[..., Backoff] = Backoff
    """Makes what says how long to wait for stores that are throttled, for each refresh anew."""
    lists: int = field(default=0, init=False)
    """Calls for listing that the last `begin` and all `found` since have made."""
    downloaded_bytes: int = field(default=0, init=False)
    downloads: int = field(default=0, init=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _patience: Backoff = field(default_factory=Backoff, init=False, repr=False)
    _stores: dict[Bucket, Store] = field(default_factory=dict, init=False, repr=False)
    _known: dict[Path, tuple[Bucket, ObjectStatus]] = field(default_factory=dict, init=False, repr=False)
    """What was listed, by the path of its copy."""
    _listings: dict[tuple[Bucket, str], list[ObjectStatus]] = field(
        default_factory=dict, init=False, repr=False
    )

    def wait_within(self, context: RefreshContext) -> None:
        """From now on wait for stores no longer than this refresh may take."""
        self._patience = self.new_patience(stopping=context.stopping, seconds_left=context.seconds_left)

    def begin(self) -> None:
        """Forget what was listed, and delete copies that are too old: a new look at the buckets."""
        self._known = {}
        self._listings = {}
        self.lists = 0
        self.copies.trim(self.is_index, also_old=True)

    def found(self, pattern: ObjectPattern, tally: RefreshTally) -> list[Path]:
        """Return the paths of the copies of all objects that match, by name. Raises SourceError.

        The copies need not exist; those of manifests do.
        """
        matches = pattern.expression().fullmatch
        listed = self._listed(pattern.bucket, pattern.prefix, tally)
        found = [self._remember(pattern.bucket, each) for each in listed if matches(each.key)]
        beside = _beside(pattern.prefix)
        if beside is not None:
            listed = [*listed, *self._listed(pattern.bucket, beside, tally)]
        self._copy_manifests(pattern.bucket, listed, tally)
        return sorted(path for path in found if not self.is_index(path))

    def knows(self, path: Path) -> bool:
        """Return whether a path is that of an object's copy."""
        return path in self._known

    def status(self, path: Path) -> ObjectStatus:
        """Return what is known of the object of a copy: as listed, or as downloaded since."""
        return self._known[path][1]

    def cost_text(self, every: timedelta, now: datetime) -> str:
        """Return what looking at the buckets so often costs in a month."""
        return watching_text(self.lists, (status for _, status in self._known.values()), every, now)

    @contextmanager
    def readable(self, paths: Sequence[Path], tally: RefreshTally) -> Iterator[None]:
        """Have the copies of these objects there, as they are now. Raises SourceError and ObjectError."""
        self.copies.use(paths)
        try:
            for path in paths:
                self._fetch(path, tally)
            yield
        finally:
            self.copies.release(paths)
            self.copies.trim(self.is_index, also_old=False)

    @contextmanager
    def readable_of(self, paths: Sequence[Path], tally: RefreshTally) -> Iterator[list[Path]]:
        """Have the copies of small objects there, and yield those that could be made; many at the same time.

        Raises SourceError.
        """

        def fetched(path: Path) -> bool:
            try:
                self._fetch(path, tally)
            except ObjectError:
                return False
            return True

        self.copies.use(paths)
        try:
            with ThreadPoolExecutor(_AT_ONCE, "download") as pool:
                done = list(pool.map(fetched, paths))
            yield [path for path, there in zip(paths, done, strict=True) if there]
        finally:
            self.copies.release(paths)
            self.copies.trim(self.is_index, also_old=False)

    def _listed(self, bucket: Bucket, prefix: str, tally: RefreshTally) -> list[ObjectStatus]:
        if (bucket, prefix) not in self._listings:
            listed = self._store(bucket).listed(prefix, self._patience)
            calls = max(1, -(-len(listed) // PAGE[bucket.store]))
            self.lists += calls
            tally.requests += calls
            tally.progress(f"{len(listed):,} objects listed below {bucket}/{prefix}")
            # Some tools make empty objects for folders.
            self._listings[bucket, prefix] = [each for each in listed if not each.key.endswith("/")]
        return self._listings[bucket, prefix]

    def _remember(self, bucket: Bucket, status: ObjectStatus) -> Path:
        path = self.copies.path_of(bucket, status.key)
        self._known.setdefault(path, (bucket, status))
        return path

    def _copy_manifests(self, bucket: Bucket, listed: Sequence[ObjectStatus], tally: RefreshTally) -> None:
        for status in listed:
            path = self.copies.path_of(bucket, status.key)
            if self.is_index(path):
                self._remember(bucket, status)
                try:
                    self._fetch(path, tally)
                except ObjectError as error:
                    # Without its manifest a run counts as complete.
                    logger.warning("%s", error)

    def _fetch(self, path: Path, tally: RefreshTally) -> None:
        bucket, status = self._known[path]
        if self.copies.has(path, status):
            return
        store = self._store(bucket)
        for _ in range(_ATTEMPTS):
            with self._counting:
                tally.requests += 2
            with self._partial(path) as partial:
                store.download(status.key, partial, self._patience)
                now = store.status(status.key, self._patience)
                if now.version == status.version:
                    self._keep(partial, path, status)
                    return
            # Replaced since it was listed: what was downloaded may be either version, or parts of both.
            status = now
            self._known[path] = bucket, now
        raise ObjectError(
            f"{bucket}/{status.key} was replaced {_ATTEMPTS} times while it was downloaded: it is read at "
            "the next refresh"
        )

    @contextmanager
    def _partial(self, path: Path) -> Iterator[Path]:
        """Yield where to write a copy; what is left there is removed. Raises ObjectError."""
        try:
            partial = self.copies.partial(path)
            try:
                yield partial
            finally:
                partial.unlink(missing_ok=True)
        except ObjectError:
            raise
        except OSError as error:
            raise ObjectError(
                f"{self.copies.shown(str(path))} cannot be copied to {self.copies.folder} "
                f"({error.strerror}): check its space and mode, or set object_storage.cache.directory to a "
                "folder that can be written"
            ) from None

    def _keep(self, partial: Path, path: Path, status: ObjectStatus) -> None:
        size = partial.stat().st_size
        if size != status.size:
            raise ObjectError(
                f"{self.copies.shown(str(path))}: the download broke off after {size_text(size)} of "
                f"{size_text(status.size)} and was thrown away: check proxies between here and the store"
            )
        with self._counting:
            self.copies.keep_whole(partial, path, status)
            self.downloads += 1
            self.downloaded_bytes += size

    def _store(self, bucket: Bucket) -> Store:
        with self._counting:
            if bucket not in self._stores:
                self._stores[bucket] = self.open_store(bucket)
            return self._stores[bucket]


def _beside(prefix: str) -> str | None:
    """Return where the manifests of AWS are: below `metadata`, beside the folder `data` that is listed."""
    folders = prefix.split("/")[:-1]
    if "data" not in folders:
        return None
    at = len(folders) - 1 - folders[::-1].index("data")
    return "/".join([*folders[:at], "metadata", *folders[at + 1 :], ""])
