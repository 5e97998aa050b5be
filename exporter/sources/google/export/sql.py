"""The SQL that turns rows of a Google billing export into charges, and says which rows it cannot take.

Net cost = sum of cost + sum of credits[].amount, as Google's documentation of the export defines it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.core.charges import CHARGE_COLUMNS, EARLIEST_PLAUSIBLE, LARGEST_PLAUSIBLE
from exporter.sources.google.export.columns import MONEY, ExportColumns

REASONS = {
    "bad_json": "the row, or a nested column of it, is not JSON; it was left out",
    "bad_cost": "cost is missing, not a number, or too large to be true; the row was left out",
    "bad_credit": "a credit's amount is missing, not a number, or too large to be true; the row was left out",
    "bad_conversion_rate": "currency_conversion_rate is no plausible rate, or missing where the currency is "
    "not USD; the row was left out, since its dollars are unknown",
    "bad_timestamp": "usage_start_time or export_time is missing, no timestamp, or before 2015; the row was "
    "left out",
    "future_timestamp": "usage_start_time or export_time lies in the future; the row was left out: check the "
    "clock of this machine",
}
"""Why a row can be set aside, in the words that go to the log. Same reasons for every export source."""

SMALLEST_RATE, LARGEST_RATE = "1e-4", "1e9"
"""Units of a currency for a dollar: beyond these no currency has ever been, and dollars stay within MONEY."""

_GROUPED = tuple(
    name
    for name in CHARGE_COLUMNS
    if name not in ("exported_at", "billed_cost", "billed_cost_usd", "consumed_quantity", "charge_period_end")
)


def judged_rows(relation: str, columns: ExportColumns, latest: datetime) -> str:
    """Return a SELECT of one row per export row: its leaves, exact amounts, and `reason` where it is refused.

    `relation` is a table function call such as `read_parquet('x')`; times after `latest` are refused.
    """
    text, number = columns.text, columns.number
    return f"""
    SELECT *,
      CASE
        WHEN broken_json THEN 'bad_json'
        WHEN period IS NULL OR exported IS NULL OR least(period, exported) < {_literal(EARLIEST_PLAUSIBLE)}
          THEN 'bad_timestamp'
        WHEN greatest(period, exported) > {_literal(latest)} THEN 'future_timestamp'
        WHEN cost IS NULL OR NOT abs(cost) < {LARGEST_PLAUSIBLE} THEN 'bad_cost'
        WHEN credit_amounts IS NOT NULL AND (list_count(credit_amounts) < len(credit_amounts)
          OR abs(list_sum(credit_amounts)) >= {LARGEST_PLAUSIBLE}) THEN 'bad_credit'
        WHEN rate IS NULL OR NOT (rate > {SMALLEST_RATE} AND rate < {LARGEST_RATE})
          THEN 'bad_conversion_rate'
      END AS reason
    FROM (
      SELECT
        coalesce({text("billing_account_id")}, '') AS billing_account_id,
        coalesce({text("project", "id")}, '') AS project_id,
        coalesce({text("service", "id")}, '') AS service_id,
        coalesce({text("service", "description")}, '') AS service_name,
        coalesce({text("sku", "id")}, '') AS sku_id,
        coalesce({text("sku", "description")}, '') AS sku,
        coalesce({text("location", "region")}, {text("location", "location")}, '') AS region_id,
        {text("cost_type")} AS cost_type,
        coalesce({text("adjustment_info", "id")}, '') || coalesce({text("adjustment_info", "type")}, '') <> ''
          AS adjusted,
        {columns.timestamp("usage_start_time")} AS period,
        {columns.timestamp("usage_end_time")} AS period_end,
        {columns.timestamp("export_time")} AS exported,
        coalesce({text("invoice", "month")}, '') AS invoice_month,
        coalesce({text("currency")}, '') AS billing_currency,
        TRY_CAST({number("cost")} AS {MONEY}) AS cost,
        coalesce(
          TRY_CAST({number("currency_conversion_rate")} AS DOUBLE),
          CASE WHEN {number("currency_conversion_rate")} IS NULL AND {text("currency")} = 'USD' THEN 1 END
        ) AS rate,
        {columns.credit_amounts()} AS credit_amounts,
        TRY_CAST({number("usage", "amount")} AS DOUBLE) AS quantity,
        coalesce({text("usage", "unit")}, '') AS consumed_unit,
        {columns.tags()} AS tags,
        {columns.broken_json()} OR ({columns.all_null()}) AS broken_json
      FROM {relation}
    )"""


def aggregate(judged: str) -> str:
    """Return a SELECT that sums judged rows to the grain of a charge; refused rows keep their reason."""
    in_usd = f"CASE WHEN rate = 1 THEN {{0}} ELSE TRY_CAST(CAST({{0}} AS DOUBLE) / rate AS {MONEY}) END"
    return f"""
    SELECT
      'gcp' AS provider, billing_account_id, project_id, service_id, service_name, sku_id, sku, region_id,
      CASE
        WHEN cost_type = 'tax' THEN 'tax'
        WHEN cost_type IN ('adjustment', 'rounding_error') OR adjusted THEN 'adjustment'
        WHEN starts_with(sku, 'Commitment') THEN 'purchase'
        ELSE 'usage'
      END AS charge_category,
      date_trunc('hour', period) AS charge_period_start,
      date_trunc('hour', exported) AS export_hour,
      invoice_month, billing_currency, consumed_unit, tags, reason,
      max(exported) AS exported_at,
      max(period_end) AS charge_period_end,
      sum(cost) AS billed_cost,
      sum({in_usd.format("cost")}) AS billed_cost_usd,
      sum(list_sum(credit_amounts)) AS credit,
      sum({in_usd.format("list_sum(credit_amounts)")}) AS credit_usd,
      coalesce(sum(quantity) FILTER (isfinite(quantity)), 0) AS consumed_quantity,
      count(*) AS export_rows
    FROM ({judged})
    GROUP BY ALL"""


def charges_of(aggregated: str) -> str:
    """Return a SELECT of the columns CHARGE_COLUMNS from a table made by `aggregate`.

    The credits of an export row become a charge of their own, of category `credit`, so that categories sum
    to net cost.
    """
    names = ", ".join(CHARGE_COLUMNS)
    shared = ", ".join(name for name in _GROUPED if name not in ("charge_category", "consumed_unit"))
    return f"""
    SELECT {names} FROM {aggregated} WHERE reason IS NULL
    UNION ALL BY NAME
    SELECT {shared}, 'credit' AS charge_category, max(exported_at) AS exported_at,
      max(charge_period_end) AS charge_period_end, sum(credit) AS billed_cost,
      sum(credit_usd) AS billed_cost_usd, 0 AS consumed_quantity, '' AS consumed_unit
    FROM {aggregated} WHERE reason IS NULL AND credit IS NOT NULL GROUP BY ALL"""


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"
