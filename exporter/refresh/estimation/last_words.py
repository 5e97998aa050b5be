"""What the process that estimates writes to standard error: kept in a file, and read when it has ended.

Where memory runs out, anything may fail: an import, a thread, the interpreter. Then the text is
the only sign of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MEMORY_WORDS: Final = (
    "MemoryError",
    "std::bad_alloc",
    "Out of Memory",
    "Cannot allocate memory",
    "cannot allocate memory",
    "failed to allocate",
    "failed to map segment",
    "can't start new thread",
    "pthread_create failed",
    "Memory allocation still failed",
    "without exception set",
    "without setting an exception",
)
"""Of Python, C++, DuckDB, the C library, the loader of libraries and OpenBLAS.

The last two are Python's `SystemError`, where its own code failed to allocate and did not tell why.
"""

_MOST_BYTES: Final = 16_384


def last_words(path: Path) -> str:
    """Return the end of what was written; empty where nothing was, or where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return content[-_MOST_BYTES:].decode(errors="replace").strip()


def tells_of_memory(text: str) -> bool:
    """Return whether a text says that there was no memory."""
    return any(words.lower() in text.lower() for words in _MEMORY_WORDS)
