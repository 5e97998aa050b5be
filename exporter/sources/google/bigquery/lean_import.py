"""Loads BigQuery's client without data frames: where pandas and pyarrow are installed, it would load both.

They take some 60 MB, and no row is read by them. The client does without them where they are missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_DATA_FRAMES: Final = ("pandas", "pyarrow")


@contextmanager
def without_data_frames() -> Iterator[None]:
    """Import within the block as if they were not installed, unless they are loaded already."""
    hidden = [name for name in _DATA_FRAMES if name not in sys.modules]
    # What Python documents for a module that must not be found.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
