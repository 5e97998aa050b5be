"""Numbers of the user's own units, such as orders, by billing day: kept longer than Prometheus keeps them.

A number belongs to the query that returned it, so that a changed query can be asked again for past days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView


@dataclass(frozen=True, slots=True)
class UnitCount:
    """How many of a unit there were on a day."""

    unit: str
    day: date
    number: float
    promql: str
    timezone: str
    """IANA name of the zone whose day it is."""


class KeptUnitCounts:
    """The numbers of units, in the ledger's file and its transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def keep(self, counts: Sequence[UnitCount]) -> None:
        """Keep numbers, in place of others of the same unit and day. A read-only ledger keeps nothing.

        Raises LedgerError.
        """
        if self._ledger.read_only or not counts:
            return
        known = set(self.since(min(each.day for each in counts)))
        new = [each for each in counts if each not in known]
        if not new:
            return
        with self._ledger.transaction() as connection:
            connection.executemany(
                "DELETE FROM unit_count WHERE unit = ? AND day = ?", [[each.unit, each.day] for each in new]
            )
            connection.executemany(
                "INSERT INTO unit_count VALUES (?, ?, ?, ?, ?)",
                [[each.unit, each.day, each.number, each.promql, each.timezone] for each in new],
            )

    def since(self, day: date) -> list[UnitCount]:
        """Return the numbers of a day and all later ones. Raises LedgerError."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT unit, day, number, promql, timezone FROM unit_count WHERE day >= ?", [day]
            ).fetchall()
        return [UnitCount(*row) for row in rows]

    def forget_before(self, moment: datetime) -> None:
        """Delete the numbers of days before a moment. Raises LedgerError."""
        if self._ledger.read_only:
            return
        with self._ledger.reading() as connection:
            old = connection.execute(
                "SELECT 1 FROM unit_count WHERE day < ? LIMIT 1", [moment.date()]
            ).fetchall()
        if old:
            with self._ledger.transaction() as connection:
                connection.execute("DELETE FROM unit_count WHERE day < ?", [moment.date()])


def unit_counts(view: LedgerView, unit: str, first: date, end: date) -> dict[date, float]:
    """Return the numbers of a unit on the days in [first, end), without days that were not counted."""
    rows = view.connection.execute(
        "SELECT day, number FROM unit_count WHERE unit = ? AND day >= ? AND day < ?", [unit, first, end]
    ).fetchall()
    return dict(rows)
