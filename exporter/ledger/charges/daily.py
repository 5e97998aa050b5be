"""Reads the ledger for history: net cost of each billing day, by the labels of spend_daily_usd.

All sums are exact decimals; a day without a charge is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from exporter.core.sql_times import sql_time
from exporter.ledger.charges.billing_days import BILLING_DAY, SHIFTS, shifts
from exporter.ledger.charges.hourly import HOURLY_COLUMNS
from exporter.ledger.charges.windows import LedgerView

DAY_STAMP_SECONDS: Final = 43_200
"""From midnight UTC of a billing day's date to the time that its sample has: noon.

Noon UTC has the same date in every zone from UTC-12 to UTC+11, so a bar for each day of a browser there has
the days of the bill, whatever zone they are in.
"""

_ROWS_AT_ONCE: Final = 1024
_LABELS: Final = ", ".join(HOURLY_COLUMNS)
_WIDTH: Final = len(HOURLY_COLUMNS)


class DailyCost(NamedTuple):
    """Net cost of one billing day of one series."""

    labels: tuple[str, ...]
    """Values of HOURLY_COLUMNS."""
    stamp_seconds: int
    """Time of its sample, in seconds since 1970."""
    usd: Decimal

    @property
    def date(self) -> datetime:
        """Midnight UTC of the date of the billing day."""
        return datetime.fromtimestamp(self.stamp_seconds - DAY_STAMP_SECONDS, UTC)


def daily_costs(
    view: LedgerView, provider: str, zone: str, since: datetime, until: datetime
) -> Iterator[DailyCost]:
    """Yield the cost of the billing days in [since, until), one series after the other, in order of time.

    `since` and `until` are beginnings of billing days in the zone; of a day that they cut only a part counts.
    """
    known = f"export_hour < {sql_time(view.exported_before)}" if view.exported_before else "true"
    result = view.connection.execute(
        f"""WITH wanted AS (
              SELECT series_id, {_LABELS} FROM series
              WHERE provider = $provider AND source IN (SELECT unnest($sources))
            ), summed AS (
              SELECT series_id, {BILLING_DAY} AS day, sum(billed_cost_usd) AS usd
              FROM charge SEMI JOIN wanted USING (series_id)
              LEFT JOIN {SHIFTS}
                ON charge_period_start >= shifted_from AND charge_period_start < shifted_until
              WHERE charge_period_start >= {sql_time(since)} AND charge_period_start < {sql_time(until)}
                AND {known}
              GROUP BY ALL
            )
            SELECT {_LABELS}, epoch(day)::BIGINT + {DAY_STAMP_SECONDS}, sum(usd)
            FROM summed JOIN wanted USING (series_id)
            GROUP BY {_LABELS}, day ORDER BY {_LABELS}, day""",
        {
            "sources": list(view.sources),
            "provider": provider,
            **shifts({provider: zone}, (since, until)),
        },
    )
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            yield DailyCost(row[:_WIDTH], row[_WIDTH], row[_WIDTH + 1])
