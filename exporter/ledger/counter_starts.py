"""Which counters begin now: those of series that turn up after their source has been read to its end.

What a source had to tell when it was first read is history: its counters begin with what they counted before.
A series that turns up later has counted since then, and is exposed as zero first.
"""

from __future__ import annotations

from typing import Final

FIRST_READ_OF: Final = "first_read_of"
"""Name of the settings whose values are the sources whose first read has begun and not ended."""

_LATE: Final = "INTERVAL 1 DAY"
"""What began longer before the newest that is known of a source is history that was found late."""


def began_after_first_read(newest: str) -> str:
    """Return SQL for whether a new series with `counted_from` begins now.

    `newest` is a query of the newest time that the ledger has of `$source`, before this is stored; NULL where
    it has nothing.
    """
    return f"""coalesce(counted_from >= ({newest}) - {_LATE}, false) AND NOT EXISTS (
      FROM setting WHERE name = '{FIRST_READ_OF}' AND value = $source)"""
