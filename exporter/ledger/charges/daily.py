"""Reads the ledger for history: net cost of each billing day, by the labels of spend_daily_usd.

All sums are exact decimals; a day without a charge is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from exporter.ledger.charges.billing_days import BILLING_DAY, SHIFTS, shifts
from exporter.ledger.charges.hourly import StampedCost, stamped_costs
from exporter.ledger.charges.windows import LedgerView

DAY_STAMP_SECONDS: Final = 43_200
"""From midnight UTC of a billing day's date to the time that its sample has: noon.

Noon UTC has the same date in every zone from UTC-12 to UTC+11, so a bar for each day of a browser there has
the days of the bill, whatever zone they are in.
"""


def daily_costs(
    view: LedgerView, provider: str, zone: str, since: datetime, until: datetime
) -> Iterator[StampedCost]:
    """Return the cost of the billing days in [since, until), one series after the other, in order of time.

    `since` and `until` are beginnings of billing days in the zone; of a day that they cut only a part counts.
    """
    window = since, until
    return stamped_costs(
        view,
        provider,
        window,
        BILLING_DAY,
        DAY_STAMP_SECONDS,
        order="series",
        join=f"""LEFT JOIN {SHIFTS}
          ON charge_period_start >= shifted_from AND charge_period_start < shifted_until""",
        parameters=shifts({provider: zone}, window),
    )
