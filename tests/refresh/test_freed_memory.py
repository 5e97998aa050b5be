"""Freed memory goes back to the system, also where something young keeps the heap from shrinking."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_SCRIPT = """
import os

from exporter.refresh.freed_memory import give_back_freed_memory, share_heaps

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

share_heaps()
blocks = [bytes(1000) for _ in range(100_000)]
youngest = bytes(1000)
blocks.clear()
before = resident_mb()
give_back_freed_memory()
print(before - resident_mb())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library keeps freed memory")
def test_what_was_freed_is_resident_no_more() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 60
