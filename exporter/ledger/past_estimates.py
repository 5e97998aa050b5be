"""What the nowcast said each hour, kept so that it can be graded when the bill is final.

The first that is said of an hour stays, whatever comes. It is forgotten with the charges of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView


@dataclass(frozen=True, slots=True)
class PastEstimate:
    """The estimates of one provider's billing day at a whole hour; money in billionths of a US dollar."""

    provider: str
    hour: datetime
    """Aware; the hour at whose start they hold."""
    day: date
    """In the billing zone."""
    nowcast_nano_usd: int
    """Of the day's cost up to the hour."""
    day_forecast_nano_usd: int
    """Of the whole day's cost."""
    with_live_usage: bool
    """Whether live usage was in them."""


class PastEstimates:
    """What was said, in the ledger's file and its transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def keep(self, said: Sequence[PastEstimate]) -> None:
        """Keep what is said of hours that nothing is kept of yet; a read-only ledger keeps nothing.

        Raises LedgerError.
        """
        if self._ledger.read_only or not said:
            return
        with self._ledger.reading() as connection:
            kept = set(
                connection.execute(
                    "SELECT provider, hour FROM said WHERE hour >= ?",
                    [min(_naive(each.hour) for each in said)],
                ).fetchall()
            )
        new = [each for each in said if (each.provider, _naive(each.hour)) not in kept]
        if not new:
            return
        with self._ledger.transaction() as connection:
            connection.executemany(
                """INSERT INTO said
                   SELECT * FROM (SELECT ? AS provider, ?::TIMESTAMP AS hour, ?, ?, ?, ?) AS new
                   WHERE NOT EXISTS
                     (FROM said WHERE said.provider = new.provider AND said.hour = new.hour)""",
                [
                    [
                        each.provider,
                        _naive(each.hour),
                        each.day,
                        each.nowcast_nano_usd,
                        each.day_forecast_nano_usd,
                        each.with_live_usage,
                    ]
                    for each in new
                ],
            )

    def forget_before(self, moment: datetime) -> None:
        """Remove what was said before a moment. Raises LedgerError."""
        if self._ledger.read_only:
            return
        with self._ledger.reading() as connection:
            old = connection.execute("SELECT 1 FROM said WHERE hour < ? LIMIT 1", [_naive(moment)]).fetchall()
        if old:
            with self._ledger.transaction() as connection:
                connection.execute("DELETE FROM said WHERE hour < ?", [_naive(moment)])


def estimates_since(view: LedgerView, provider: str, day: date) -> list[PastEstimate]:
    """Return what was said of the billing days from `day` on, oldest first."""
    rows = view.connection.execute(
        """SELECT provider, hour, day, nowcast_nano_usd, day_forecast_nano_usd, with_live_usage
           FROM said WHERE provider = ? AND day >= ? ORDER BY hour""",
        [provider, day],
    ).fetchall()
    return [PastEstimate(provider, hour.replace(tzinfo=UTC), *rest) for provider, hour, *rest in rows]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
