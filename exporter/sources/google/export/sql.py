"""The SQL that turns rows of a Google billing export into charges, and says which rows it cannot take.

Net cost = sum of cost + sum of credits[].amount, as Google's documentation of the export defines it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from exporter.core.charges import CHARGE_COLUMNS, EARLIEST_PLAUSIBLE, FARTHEST_AHEAD, LARGEST_PLAUSIBLE
from exporter.core.sql_times import sql_time
from exporter.sources.google.export.columns import MONEY, ExportColumns
from exporter.sources.google.export.values import ACCEPTED_TIMES

REASONS = {
    "bad_json": "the row, or a nested column of it, is not the JSON that Google's export has; it was left "
    "out. Text formats have nested columns as JSON text, which Python's str() and spreadsheets do not write",
    "bad_cost": "cost is missing, not a number, or implausibly large; the row was left out",
    "bad_credit": "a credit's amount is missing, not a number, or implausibly large; the row was left out",
    "bad_currency": "neither currency nor currency_conversion_rate can be read; the row was left out, "
    "because the currency of its cost is unknown",
    "bad_conversion_rate": "currency_conversion_rate is missing or not plausible; the row counts on its "
    "invoice in its own currency, and is missing from all US dollars",
    "bad_timestamp": "usage_start_time or export_time is missing or cannot be read as a time; the row was "
    f"left out. Times are read as {ACCEPTED_TIMES}",
    "undated_usage": "usage_start_time is before 2015, which cannot be a time of usage; the row counts on "
    "its invoice, and is missing from the sums by day and month",
    "far_timestamp": "usage_start_time lies more than ten years ahead; the row was left out",
    "future_timestamp": "export_time lies in the future, although the row exists already; the row was "
    "left out: check the clock of this machine",
}
"""Why a row can be set aside, in the words that go to the log. Same reasons for every export source."""

INVOICE_ONLY: Final = ("bad_conversion_rate", "undated_usage")
"""Reasons to count a row on its invoice alone: its amount is known, its dollars or its day are not."""

SMALLEST_RATE, LARGEST_RATE = "1e-4", "1e9"
"""Units of a currency for a dollar: beyond these no currency has ever been, and dollars stay within MONEY."""

_SUMMED: Final = frozenset(
    {
        "exported_at",
        "billed_cost",
        "billed_cost_usd",
        "consumed_quantity",
        "charge_period_end",
        "corrects",
        "list_cost_usd",
    }
)
_GROUPED: Final = tuple(name for name in CHARGE_COLUMNS if name not in _SUMMED)


def judged_rows(relation: str, columns: ExportColumns, latest: datetime, file: str = "0") -> str:
    """Return a SELECT of one row per export row: its leaves, exact amounts, and `reason` where it is refused.

    `relation` is a table function call such as `read_parquet('x')`; export times after `latest` are refused.
    `file` is an expression for the number of the file that a row is from, where several are read at once.
    """
    farthest = sql_time(latest + FARTHEST_AHEAD)
    text, number = columns.text, columns.number
    return f"""
    SELECT *,
      CASE
        WHEN broken_json THEN 'bad_json'
        WHEN period IS NULL OR exported IS NULL OR exported < {sql_time(EARLIEST_PLAUSIBLE)}
          THEN 'bad_timestamp'
        WHEN exported > {sql_time(latest)} THEN 'future_timestamp'
        WHEN period > {farthest} THEN 'far_timestamp'
        WHEN cost IS NULL OR NOT abs(cost) < {LARGEST_PLAUSIBLE} THEN 'bad_cost'
        WHEN credit_amounts IS NOT NULL AND (list_count(credit_amounts) < len(credit_amounts)
          OR abs(list_sum(credit_amounts)) >= {LARGEST_PLAUSIBLE}) THEN 'bad_credit'
        WHEN billing_currency = '' AND rate IS NULL THEN 'bad_currency'
        WHEN rate IS NULL OR NOT (rate > {SMALLEST_RATE} AND rate < {LARGEST_RATE})
          THEN 'bad_conversion_rate'
        WHEN period < {sql_time(EARLIEST_PLAUSIBLE)} THEN 'undated_usage'
      END AS reason
    FROM (
      SELECT
        {file} AS file,
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
        left(replace(split_part(coalesce({text("invoice", "month")}, ''), '.', 1), '-', ''), 6)
          AS invoice_month,
        coalesce({text("currency")}, '') AS billing_currency,
        TRY_CAST({number("cost")} AS {MONEY}) AS cost,
        {list_cost(f"TRY_CAST({number('cost_at_list')} AS {MONEY})", "cost")} AS at_list,
        coalesce(
          TRY_CAST({number("currency_conversion_rate")} AS DOUBLE),
          CASE WHEN {number("currency_conversion_rate")} IS NULL AND {text("currency")} = 'USD' THEN 1 END
        ) AS rate,
        {columns.credit_amounts()} AS credit_amounts,
        TRY_CAST({number("usage", "amount")} AS DOUBLE) AS quantity,
        coalesce({text("usage", "unit")}, '') AS consumed_unit,
        {columns.tags()} AS tags,
        {columns.shown_json()} AS shown_json,
        {columns.shown("usage_start_time")} AS shown_start,
        {columns.shown("export_time")} AS shown_export,
        {columns.shown("cost")} AS shown_cost,
        {columns.shown("currency_conversion_rate")} AS shown_rate,
        {columns.broken_json()} OR ({columns.all_null()}) AS broken_json
      FROM {relation}
    )"""


def examples(judged: str) -> str:
    """Return a SELECT of (reason, what one refused row has), for the reasons where that explains them."""
    times = "format('usage_start_time is {} and export_time is {}', shown_start, shown_export)"
    return f"""
    SELECT reason, first(CASE
      WHEN reason IN ('bad_timestamp', 'undated_usage', 'far_timestamp', 'future_timestamp') THEN {times}
      WHEN reason = 'bad_json' THEN shown_json
      WHEN reason = 'bad_cost' THEN format('cost is {{}}', shown_cost)
      WHEN reason = 'bad_conversion_rate'
        THEN format('currency_conversion_rate is {{}} and currency is {{}}', shown_rate, billing_currency)
    END) AS example
    FROM ({judged}) WHERE reason IS NOT NULL GROUP BY reason"""


def aggregate(judged: str) -> str:
    """Return a SELECT that sums judged rows to the grain of a charge; refused rows keep their reason."""
    in_usd = (
        "CASE WHEN reason IS NOT NULL THEN NULL WHEN rate = 1 THEN {0} "
        f"ELSE TRY_CAST(CAST({{0}} AS DOUBLE) / rate AS {MONEY}) END"
    )
    return f"""
    SELECT
      file, 'gcp' AS provider,
      billing_account_id, project_id, service_id, service_name, sku_id, sku, region_id,
      CASE
        WHEN cost_type = 'tax' THEN 'tax'
        WHEN cost_type IN ('adjustment', 'rounding_error') OR adjusted THEN 'adjustment'
        WHEN starts_with(sku, 'Commitment') THEN 'purchase'
        ELSE 'usage'
      END AS charge_category,
      date_trunc('hour', greatest(period, TIMESTAMP '1970-01-01')) AS charge_period_start,
      date_trunc('hour', exported) AS export_hour,
      invoice_month, billing_currency, consumed_unit, tags, reason, at_list IS NOT NULL AS listed,
      max(exported) AS exported_at,
      max(period_end) AS charge_period_end,
      CASE WHEN bool_and(coalesce(cost_type = 'rounding_error', false)) THEN false END AS corrects,
      sum(cost) AS billed_cost,
      sum({in_usd.format("at_list")}) AS list_cost_usd,
      sum({in_usd.format("cost")}) AS billed_cost_usd,
      sum(list_sum(credit_amounts)) AS credit,
      sum({in_usd.format("list_sum(credit_amounts)")}) AS credit_usd,
      coalesce(sum(quantity) FILTER (isfinite(quantity)), 0) AS consumed_quantity,
      count(*) AS export_rows
    FROM ({judged})
    GROUP BY ALL"""


def charges_of(aggregated: str, *also: str) -> str:
    """Return a SELECT of the columns CHARGE_COLUMNS, and `also` others, from a table made by `aggregate`.

    The credits of an export row become a charge of their own, of category `credit`, so that categories sum
    to net cost. Rows that count on their invoice alone come without US dollars.
    """
    names = ", ".join((*CHARGE_COLUMNS, *also))
    known = f"(reason IS NULL OR reason IN ({', '.join(map(_quoted, INVOICE_ONLY))}))"
    shared = ", ".join(
        name for name in (*_GROUPED, *also) if name not in ("charge_category", "consumed_unit")
    )
    return f"""
    SELECT {names} FROM {aggregated} WHERE {known}
    UNION ALL BY NAME
    SELECT {shared}, 'credit' AS charge_category, max(exported_at) AS exported_at, NULL AS list_cost_usd,
      max(charge_period_end) AS charge_period_end, NULL::BOOLEAN AS corrects, sum(credit) AS billed_cost,
      sum(credit_usd) AS billed_cost_usd, 0 AS consumed_quantity, '' AS consumed_unit
    FROM {aggregated} WHERE {known} AND credit IS NOT NULL GROUP BY ALL"""


def list_cost(stated: str, cost: str) -> str:
    """Return an expression for the cost at list prices that a row states; NULL where it states none.

    Some bills write 0 where they have no list price: what costs something has one that is not 0. A row is
    never set aside for it.
    """
    known = f"abs({stated}) < {LARGEST_PLAUSIBLE} AND NOT ({stated} = 0 AND {cost} <> 0)"
    return f"CASE WHEN {known} THEN {stated} END"


def _quoted(text: str) -> str:
    return f"'{text}'"
