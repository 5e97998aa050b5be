"""Whether something failed because a disk, a quota or a file's size limit is full."""

from __future__ import annotations

import errno
from typing import Final

DISK_FULL: Final = "disk_full"
"""The reason of such a failure, a label value."""

_NUMBERS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORDS: Final = (
    "No space left",
    "File too large",
    "Disk quota exceeded",
    # DuckDB uses at most 90 % of what is free for what does not fit into memory.
    "max_temp_directory_size",
)


def is_disk_full(error: BaseException) -> bool:
    """Return whether there was no room to write, by the system's number or by the text of DuckDB."""
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return True
    return any(words in str(error) for words in _WORDS)
