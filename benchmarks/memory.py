"""Memory of processes and of those that they started, as the kernel counts it.

Resident memory counts a page that two processes share twice; the proportional set size (PSS) counts it once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_KIB_IN_MIB = 1024


@dataclass
class Memory:
    """The most that was seen, in MiB."""

    resident: int = 0
    """Of the process itself, at its peak (VmHWM)."""
    resident_at_end: int = 0
    """Of the process itself, when it was looked at last (VmRSS)."""
    together: int = 0
    """PSS of the process and of all that it started, at the same time."""
    together_at_end: int = 0
    children: int = 0
    """Resident memory of the largest process that it started, at its peak."""

    def look(self, process_id: int) -> Self:
        """Look once."""
        family = tree(process_id)
        self.resident = max(self.resident, status_mebibytes(process_id, "VmHWM"))
        self.resident_at_end = status_mebibytes(process_id, "VmRSS") or self.resident_at_end
        self.children = max([self.children, *(status_mebibytes(each, "VmHWM") for each in family[1:])])
        self.together_at_end = sum(map(proportional_mebibytes, family)) or self.together_at_end
        self.together = max(self.together, self.together_at_end)
        return self


@contextmanager
def watched(process_id: int, every_seconds: float = 0.2) -> Iterator[Memory]:
    """Look at a process again and again until the end of the block."""
    memory, ended = Memory(), threading.Event()

    def watch() -> None:
        while not ended.wait(every_seconds):
            memory.look(process_id)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
        memory.look(process_id)


def tree(process_id: int) -> list[int]:
    """Return a process and all that it started, that still run."""
    found = [process_id]
    for each in Path(f"/proc/{process_id}/task").glob("*/children"):
        for child in _text(each).split():
            found += tree(int(child))
    return found


def status_mebibytes(process_id: int | str, name: str) -> int:
    """Return a value of /proc/…/status in MiB; 0 of a process that has ended."""
    return _value(f"/proc/{process_id}/status", name)


def proportional_mebibytes(process_id: int) -> int:
    """Return the PSS of a process in MiB; 0 of one that has ended."""
    return _value(f"/proc/{process_id}/smaps_rollup", "Pss")


def _value(path: str, name: str) -> int:
    for line in _text(Path(path)).splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) // _KIB_IN_MIB
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
