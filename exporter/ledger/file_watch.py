"""Notices that the ledger's file is gone, is another one, or was overwritten: DuckDB does not look.

The file is looked at through one descriptor that stays open as long as DuckDB has the file. Locks of POSIX
belong to the process: closing any descriptor of a file drops them, and a second exporter could open it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

BEGIN_BYTES: Final = 12
MARK: Final = b"DUCK"
"""In each DuckDB file, behind a checksum of eight bytes."""


class FileWatch:
    """One file, from when DuckDB has opened it until after it has closed it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        self._closing = threading.Lock()
        self._closed = False
        self._descriptor = os.open(path, os.O_RDONLY)
        status = os.fstat(self._descriptor)
        self.identity = status.st_dev, status.st_ino
        """What distinguishes it from another file of its name."""

    def problem(self) -> str:
        """Return why the file at the path is not the open one any more; empty where it is."""
        try:
            status = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return f"ledger {self._path} is gone"
        except OSError:
            # What may not be looked at, or does not answer, is not gone.
            return ""
        if (status.st_dev, status.st_ino) != self.identity:
            return f"ledger {self._path} is another file than the one that was opened"
        with self._closing:
            if self._closed:
                return ""
            try:
                begin = os.pread(self._descriptor, BEGIN_BYTES, 0)
            except OSError:
                # A disk that does not answer is reported by whoever reads or writes next.
                return ""
        return "" if begin[8:] == MARK else f"ledger {self._path} was overwritten by something else"

    def close(self) -> None:
        """Look no more. Only for when DuckDB has closed the file."""
        with self._closing:
            self._closed = True
            os.close(self._descriptor)
