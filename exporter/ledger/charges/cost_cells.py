"""Reading the ledger for estimates: what arrived when, as columns; small lines in groups."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np

from exporter.core.cost_cells import CostCells, Line
from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView

MOST_LINES: Final = 500
"""More lines than this are never estimated one by one."""

ALWAYS_ALONE: Final = 100
"""So many of the largest lines are, however little they cost."""

OWN_SHARE: Final = 0.99
"""Lines beyond those that cover this share of the money are estimated as a group, one for each service."""


def cost_cells(
    view: LedgerView,
    provider: str,
    since: datetime,
    *,
    most_lines: int = MOST_LINES,
    always_alone: int = ALWAYS_ALONE,
) -> CostCells:
    """Return what arrived when for each usage hour from `since` on, in the order of the export.

    Refunds, and charges for spans of unlike length, have cells of their own. Of usage, purchases and their
    credits; taxes, corrections and usage that has not begun are left out.
    """
    known = f"AND export_hour < {sql_time(view.exported_before)}" if view.exported_before else ""
    connection, sources = view.connection, list(view.sources)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE estimated_line AS
            WITH part AS (
              SELECT billing_account_id, project_id, service_name, sku_id, sum(abs(billed_cost_usd)) AS usd
              FROM charge JOIN series USING (series_id)
              WHERE {_taken(since)} {known}
              GROUP BY ALL
            ), ranked AS (
              SELECT *, row_number() OVER largest AS place,
                sum(usd) OVER (largest ROWS UNBOUNDED PRECEDING) - usd AS before, sum(usd) OVER () AS whole
              FROM part
              WINDOW largest AS (
                ORDER BY usd DESC, billing_account_id, project_id, service_name, sku_id)
            ), named AS (
              SELECT *, place <= $always OR (before < $share * whole AND place <= $most) AS alone FROM ranked
            ), numbered AS (
              SELECT *, dense_rank() OVER (
                ORDER BY NOT alone, CASE WHEN alone THEN place END, billing_account_id, service_name
              ) - 1 AS line
              FROM named
            )
            SELECT line, billing_account_id, service_name, project_id, sku_id, alone FROM numbered""",
        {
            "sources": sources,
            "provider": provider,
            "always": always_alone,
            "share": OWN_SHARE,
            "most": most_lines,
        },
    )
    names = connection.execute(
        """SELECT any_value(billing_account_id),
             CASE WHEN bool_and(alone) THEN any_value(project_id) ELSE '' END,
             any_value(service_name), CASE WHEN bool_and(alone) THEN any_value(sku_id) ELSE '' END
           FROM estimated_line GROUP BY line ORDER BY line"""
    ).fetchall()
    columns = connection.execute(
        f"""SELECT line, epoch(charge_period_start)::BIGINT // 3600 AS usage,
              epoch(export_hour)::BIGINT // 3600 AS export,
              {_nano("charge_category <> 'credit'")} AS gross,
              {_nano("charge_category = 'credit'")} AS credit,
              coalesce(greatest(date_diff('hour', charge_period_start, charge_period_end), 1), 1)
                ::BIGINT AS span,
              charge_category <> 'credit' AND billed_cost_usd < 0 AS refund
            FROM charge JOIN series USING (series_id)
              JOIN estimated_line USING (billing_account_id, project_id, service_name, sku_id)
            WHERE {_taken(since)} {known}
            GROUP BY ALL ORDER BY export, line, usage, span, refund""",
        {"sources": sources, "provider": provider},
    ).fetchnumpy()
    order = ("line", "usage", "export", "gross", "credit", "span")
    return CostCells(
        tuple(Line(*name) for name in names), *(np.asarray(columns[name], np.int64) for name in order)
    )


def _nano(condition: str) -> str:
    return f"coalesce((sum(billed_cost_usd) FILTER ({condition}) * 1000000000)::BIGINT, 0)"


def _taken(since: datetime) -> str:
    return (
        "provider = $provider AND source IN (SELECT unnest($sources)) "
        "AND charge_category IN ('usage', 'purchase', 'credit') "
        f"AND charge_period_start >= {sql_time(since)} "
        # Usage that has not begun is paid ahead: it is no rate.
        "AND charge_period_start <= (SELECT max(export_hour) FROM charge) + INTERVAL 1 DAY"
    )
