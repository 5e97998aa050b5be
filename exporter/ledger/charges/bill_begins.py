"""Reads the first hour of usage that each bill has, by provider and billing account."""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.core.cost_cells import LONG_HOURS
from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView


def bill_begins(view: LedgerView) -> dict[tuple[str, str], datetime]:
    """Return the start of the first hour of usage by provider and billing account.

    Fees of a month, refunds and what was billed ahead of its usage do not show that a bill reaches so far
    back or forward; they count only where a bill has nothing else. Nothing for a bill without usage.
    """
    known = "true" if view.exported_before is None else f"export_hour < {sql_time(view.exported_before)}"
    rows = view.connection.execute(
        f"""SELECT provider, billing_account_id, coalesce(min(hourly), min(earliest)) FROM (
              SELECT series_id,
                min(charge_period_start) FILTER (
                  coalesce(charge_period_end <= charge_period_start + INTERVAL {LONG_HOURS} HOUR, true)
                  AND charge_period_start <= exported_at AND billed_cost >= 0 AND corrects IS NOT true
                ) AS hourly,
                min(charge_period_start) AS earliest
              FROM charge WHERE {known} GROUP BY series_id
            ) JOIN series USING (series_id)
            WHERE source IN (SELECT unnest($sources)) AND charge_category = 'usage' GROUP BY ALL""",
        {"sources": list(view.sources)},
    ).fetchall()
    return {(provider, account): first.replace(tzinfo=UTC) for provider, account, first in rows}
