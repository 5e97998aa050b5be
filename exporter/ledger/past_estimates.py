"""Estimates of the nowcast, one per hour, kept so that they can be graded when the bill is final.

The first estimate of an hour stays; later ones are ignored. It is deleted together with the charges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView


@dataclass(frozen=True, slots=True)
class PastEstimate:
    """The estimates of one provider's billing day at a whole hour; money in billionths of a US dollar."""

    provider: str
    hour: datetime
    """Aware; the estimates are for the start of this hour."""
    day: date
    """In the billing zone."""
    nowcast_nano_usd: int
    """Estimate of the day's cost up to the hour."""
    day_forecast_nano_usd: int
    """Estimate of the whole day's cost."""
    with_live_usage: bool
    """Whether live usage was used for them."""


class PastEstimates:
    """Past estimates, in the ledger's file and its transactions. Their table is `said`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def keep(self, estimates: Sequence[PastEstimate]) -> None:
        """Keep the estimates of hours that have none yet; a read-only ledger keeps nothing.

        Raises LedgerError.
        """
        if self._ledger.read_only or not estimates:
            return
        with self._ledger.reading() as connection:
            kept = set(
                connection.execute(
                    "SELECT provider, hour FROM said WHERE hour >= ?",
                    [min(naive_utc(each.hour) for each in estimates)],
                ).fetchall()
            )
        new = [each for each in estimates if (each.provider, naive_utc(each.hour)) not in kept]
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
                        naive_utc(each.hour),
                        each.day,
                        each.nowcast_nano_usd,
                        each.day_forecast_nano_usd,
                        each.with_live_usage,
                    ]
                    for each in new
                ],
            )

    def forget_before(self, moment: datetime) -> None:
        """Delete the estimates of hours before a moment. Raises LedgerError."""
        if self._ledger.read_only:
            return
        with self._ledger.reading() as connection:
            old = connection.execute(
                "SELECT 1 FROM said WHERE hour < ? LIMIT 1", [naive_utc(moment)]
            ).fetchall()
        if old:
            with self._ledger.transaction() as connection:
                connection.execute("DELETE FROM said WHERE hour < ?", [naive_utc(moment)])


def estimates_since(view: LedgerView, provider: str, day: date) -> list[PastEstimate]:
    """Return the estimates of the billing days from `day` on, oldest first."""
    rows = view.connection.execute(
        """SELECT provider, hour, day, nowcast_nano_usd, day_forecast_nano_usd, with_live_usage
           FROM said WHERE provider = ? AND day >= ? ORDER BY hour""",
        [provider, day],
    ).fetchall()
    return [PastEstimate(provider, hour.replace(tzinfo=UTC), *rest) for provider, hour, *rest in rows]
