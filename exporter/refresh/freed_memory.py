"""Gives memory that is no longer used back to the system, which the C library by itself keeps for later.

Without it a process stays as large as its heaviest minute.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_M_ARENA_MAX = -8
"""From malloc.h of the GNU C library."""

ARENAS = 2
"""Otherwise each thread has a heap of its own, and each keeps what the heaviest work of its thread needed."""


def share_heaps() -> None:
    """Have all threads share a few heaps from now on; does nothing without the GNU C library."""
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)


def give_back_freed_memory() -> None:
    """Return what was freed to the system, which takes milliseconds; nothing without the GNU C library."""
    malloc_trim = _function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
