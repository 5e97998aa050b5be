"""The log of snapshots: the answer of /api/v1/summary as a JSON line each time, one file per UTC day.

A file only grows, line by line. When its day is over it is compressed, and later removed.
"""

from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from exporter.core.disk_space import is_disk_full
from exporter.metrics.snapshot import Snapshot
from exporter.metrics.summary import summary

logger = logging.getLogger(__name__)

AT_LEAST_EVERY: Final = timedelta(hours=1)
"""A line is written at least this often, also without changes, so that a gap means that nothing ran."""

_NAME: Final = re.compile(r"spend-(\d{4}-\d{2}-\d{2})\.jsonl(\.gz)?")
_GZIP_LEVEL: Final = 6


class HistoryLog:
    """Appends to the files of one folder. For one thread of one process."""

    def __init__(self, folder: Path, *, keep: timedelta, interval: timedelta) -> None:
        """`keep` is how long a day's file stays, `interval` the shortest time between two lines."""
        self._folder = folder
        self._keep_for = keep
        self._interval = interval
        self._last_time: datetime | None = None
        self._last_document: object = None
        self._tidied: date | None = None
        self.disk_full = False
        """Whether the last line could not be written because there was no room."""

    def keep(self, snapshot: Snapshot, now: datetime) -> None:
        """Write the snapshot's summary as of `now` (aware), if it is due; a failed write is logged."""
        if not snapshot.ready:
            return
        document = summary(snapshot, now)
        if not self._is_due(document, now):
            return
        today = now.astimezone(UTC).date()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"spend-{today}.jsonl"
            if self._last_time is None:
                _cut_torn_line(path)
            _append(path, json.dumps(document, allow_nan=False, separators=(",", ":")).encode() + b"\n")
            self._last_time, self._last_document = now, _without_times(document)
            self.disk_full = False
            if self._tidied != today:
                self._tidied = today
                self._tidy(today)
        except OSError as error:
            self.disk_full = is_disk_full(error)
            logger.error("history.jsonl: cannot write to %s: %s", self._folder, error)  # noqa: TRY400
        except Exception:
            logger.exception("history.jsonl: could not be written to %s", self._folder)

    def _is_due(self, document: dict[str, Any], now: datetime) -> bool:
        if self._last_time is None or now < self._last_time:
            return True
        since = now - self._last_time
        if since < self._interval:
            return False
        return since >= AT_LEAST_EVERY or _without_times(document) != self._last_document

    def _tidy(self, today: date) -> None:
        """Compress the files of past days, and remove the old ones."""
        for day, path in log_files(self._folder):
            if today - day > self._keep_for:
                path.unlink()
            elif path.suffix == ".jsonl" and day < today:
                _cut_torn_line(path)
                _compress(path)


def log_files(folder: Path) -> Iterator[tuple[date, Path]]:
    """Yield the UTC day and path of every file of the log, plain or compressed. Raises OSError."""
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            yield date.fromisoformat(match[1]), path


def _without_times(document: dict[str, Any]) -> object:
    sources = [{"name": source["name"], "up": source["up"]} for source in document["sources"]]
    return {**document, "time": None, "as_of": None, "sources": sources}


def _append(path: Path, line: bytes) -> None:
    """Append a whole line, or nothing."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(file).st_size
        written = os.write(file, line)
        if written < len(line):
            os.ftruncate(file, size)
            raise OSError(
                errno.ENOSPC,
                f"only {written} of {len(line)} bytes of a line could be written; is the disk full?",
            )
        os.fsync(file)
    finally:
        os.close(file)


def _cut_torn_line(path: Path) -> None:
    """Remove an incomplete last line, which a killed process may leave."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            logger.warning("history.jsonl: %s ends with an incomplete line, which is removed", path)
            file.truncate(whole)


def _compress(path: Path) -> None:
    """Replace the plain file by a compressed one, which keeps an earlier compressed file of the day."""
    compressed = path.with_name(f"{path.name}.gz")
    content = path.read_bytes()
    if compressed.exists():
        # After a clock was set back, or a process was killed between the two steps below.
        earlier = gzip.decompress(compressed.read_bytes())
        content = earlier if earlier.endswith(content) else earlier + content
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(gzip.compress(content, _GZIP_LEVEL, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(compressed)
    path.unlink()
