"""Which sources have been read to their end at least once; of the others the ledger has only a part.

What is kept is the opposite, a mark while a first read is under way: it survives a process that is killed.
"""

from __future__ import annotations

from exporter.ledger.charges.store import Ledger
from exporter.ledger.counter_starts import FIRST_READ_OF
from exporter.ledger.kept_counters import settle_counters


class FirstReads:
    """The marks, in the ledger's file. For several threads, one for each source."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def whole(self) -> set[str]:
        """Return the sources of which the ledger has a whole bill, or whole usage."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                """SELECT source FROM partition UNION SELECT source FROM usage_cursor
                   -- A bill of which all partitions are gone: its counters stay.
                   UNION SELECT source FROM series
                   EXCEPT SELECT value FROM setting WHERE name = ?""",
                [FIRST_READ_OF],
            ).fetchall()
        return {source for (source,) in rows}

    def begin(self, source: str) -> None:
        """Mark the source, of which the ledger has nothing yet. Raises LedgerError."""
        with self._ledger.transaction() as connection:
            connection.execute("DELETE FROM setting WHERE name = ? AND value = ?", [FIRST_READ_OF, source])
            connection.execute("INSERT INTO setting VALUES (?, ?)", [FIRST_READ_OF, source])

    def end(self, source: str) -> None:
        """Remove the mark: the source has been read to its end. Raises LedgerError."""
        with self._ledger.transaction() as connection:
            connection.execute("DELETE FROM setting WHERE name = ? AND value = ?", [FIRST_READ_OF, source])
            settle_counters(connection, source)
