"""Returns unused memory to the system; the C library alone would keep it for later.

Without it a process stays as large as at its peak.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_M_ARENA_MAX = -8
"""From malloc.h of the GNU C library."""

ARENAS = 2
"""By default each thread has its own heap, and each heap keeps the most memory that its thread ever used."""


def share_heaps() -> None:
    """Make all threads share a few heaps from now on; does nothing without the GNU C library."""
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)


def give_back_freed_memory() -> None:
    """Return freed memory to the system, in milliseconds; does nothing without the GNU C library."""
    malloc_trim = _function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
