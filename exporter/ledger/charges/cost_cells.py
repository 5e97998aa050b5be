"""Reading the ledger for estimates: what arrived when, as columns; small lines in groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.core.cost_cells import CostCells, Line
from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView

MOST_LINES: Final = 500
"""More lines than this are never estimated one by one."""

ALWAYS_ALONE: Final = 100
"""So many of the largest lines are, however little they cost."""

OWN_SHARE: Final = 0.99
"""Lines beyond those that cover this share of the money are estimated as a group, one for each service."""

_LEAST_ROWS: Final = 12
"""A SKU is metered once so many of its rows have one price for a unit: eight in ten of them are within"""

_ONE_PRICE: Final = 1.1
"""this factor of each other."""

_ODD: Final = 0.25
"""A row that costs more than its usage at that price, by this share of it, has something else in it,"""

_SMALL: Final = 0.1
"""unless that is less than this share of a usual row."""


_SPAN: Final = "coalesce(greatest(date_diff('hour', charge_period_start, charge_period_end), 1), 1)::BIGINT"
_USE: Final = "coalesce(consumed_quantity * price, 0)"


_LARGEST_USD: Final = 10**9
"""A row of more is none that estimates could be made from; it counts in the bill as it is."""


def cost_cells(
    view: LedgerView,
    provider: str,
    since: datetime,
    *,
    most_lines: int = MOST_LINES,
    always_alone: int = ALWAYS_ALONE,
) -> CostCells:
    """Return what arrived when for each usage hour from `since` on, in the order of the export.

    Refunds, charges for spans of unlike length, and what a metered SKU costs beside its usage have cells of
    their own. Of usage, purchases and their credits; taxes, corrections and usage that has not begun are left
    out.
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
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE unit_price AS
            SELECT line, region_id, consumed_unit,
              median(billed_cost_usd::DOUBLE / consumed_quantity) AS price,
              median(billed_cost_usd::DOUBLE) AS row_usd, mode({_SPAN}) AS row_span
            FROM charge JOIN series USING (series_id)
              JOIN estimated_line USING (billing_account_id, project_id, service_name, sku_id)
            WHERE alone AND {_taken(since)} {known}
              AND charge_category = 'usage' AND billed_cost_usd > 0 AND consumed_quantity > 0
            GROUP BY ALL
            HAVING count(*) >= {_LEAST_ROWS}
              AND quantile_cont(billed_cost_usd::DOUBLE / consumed_quantity, 0.9)
                <= {_ONE_PRICE} * quantile_cont(billed_cost_usd::DOUBLE / consumed_quantity, 0.1)""",
        {"sources": sources, "provider": provider},
    )
    columns = connection.execute(
        f"""WITH metered AS (
              SELECT line, min(row_usd) AS row_usd, min(row_span) AS row_span FROM unit_price GROUP BY line
            )
            SELECT line, epoch(charge_period_start)::BIGINT // 3600 AS usage,
              epoch(export_hour)::BIGINT // 3600 AS export,
              {_nano("charge_category <> 'credit'")} AS gross,
              {_nano("charge_category = 'credit'")} AS credit,
              {_SPAN} AS span,
              charge_category <> 'credit' AND billed_cost_usd < 0 AS refund,
              charge_category <> 'credit' AND metered.row_usd IS NOT NULL AND billed_cost_usd
                > greatest({_ODD} * {_USE}, {_SMALL} * metered.row_usd) + {_USE} AS odd,
              coalesce(sum({_USE}) * 1000000000, 0)::BIGINT AS use,
              coalesce(any_value(metered.row_span), 1) AS row_span
            FROM charge JOIN series USING (series_id)
              JOIN estimated_line USING (billing_account_id, project_id, service_name, sku_id)
              LEFT JOIN metered USING (line)
              LEFT JOIN unit_price USING (line, region_id, consumed_unit)
            WHERE {_taken(since)} {known}
            GROUP BY ALL ORDER BY export, line, usage, span, refund, odd""",
        {"sources": sources, "provider": provider},
    ).fetchnumpy()
    return CostCells(tuple(Line(*name) for name in names), *_use_by_itself(columns))


def _use_by_itself(columns: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Give the usage in an odd row, at its usual price, a cell beside the one of the rest."""
    use = np.where(columns["odd"], columns["use"], 0)
    both = np.flatnonzero(use)
    rest = columns | {"gross": columns["gross"] - use, "apart": columns["odd"]}
    usage = {name: values[both] for name, values in columns.items()} | {
        "gross": use[both],
        "credit": np.zeros_like(both),
        "span": columns["row_span"][both],
        "apart": np.zeros_like(both, np.bool_),
    }
    order = np.argsort(np.r_[rest["export"], usage["export"]], kind="stable")
    names = ("line", "usage", "export", "gross", "credit", "span", "apart")
    return tuple(np.asarray(np.r_[rest[name], usage[name]])[order] for name in names)


def _nano(condition: str) -> str:
    return f"coalesce((sum(billed_cost_usd) FILTER ({condition}) * 1000000000)::BIGINT, 0)"


def _taken(since: datetime) -> str:
    return (
        "provider = $provider AND source IN (SELECT unnest($sources)) "
        "AND charge_category IN ('usage', 'purchase', 'credit') "
        f"AND charge_period_start >= {sql_time(since)} "
        # Cells are whole billionths of a dollar in 64 bits, and one damaged row is not to end all estimates.
        f"AND coalesce(abs(billed_cost_usd) < {_LARGEST_USD}, true) "
        # Usage that has not begun is paid ahead: it is no rate.
        "AND charge_period_start <= (SELECT max(export_hour) FROM charge) + INTERVAL 1 DAY"
    )
