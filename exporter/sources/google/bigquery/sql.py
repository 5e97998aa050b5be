"""The SQL that BigQuery runs: which partitions changed, and their rows summed to charges.

Every figure is summed from the decimal that the export shows, in BIGNUMERIC; nothing is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from exporter.core.charges import EARLIEST_PLAUSIBLE, FARTHEST_AHEAD, LARGEST_PLAUSIBLE
from exporter.core.kept_tags import KeptTag
from exporter.sources.google.bigquery.focus_export import export_columns, export_rows
from exporter.sources.google.bigquery.table import ExportTable
from exporter.sources.google.export.sql import INVOICE_ONLY, LARGEST_RATE, SMALLEST_RATE

DIMENSIONS: Final = (
    "billing_account_id",
    "project_id",
    "service_id",
    "service_name",
    "sku_id",
    "sku",
    "region_id",
    "invoice_month",
    "billing_currency",
)
"""Result columns of `charges_query` that are plain text fields of a charge."""


def cursor_query(table: ExportTable, since: datetime, *, with_null: bool) -> str:
    """Return the query for the state of each partition from `since` on.

    Result: partition_start TIMESTAMP, latest_export TIMESTAMP, export_rows INT64. It reads one column.
    """
    return f"""
SELECT
  {table.partitioning.start_expression} AS partition_start,
  MAX({table.export_time}) AS latest_export,
  COUNT(*) AS export_rows
FROM `{table.table_id}`
WHERE {table.partitioning.since(since, with_null=with_null)}
GROUP BY 1
ORDER BY 1"""


def charges_query(
    table: ExportTable, starts: Iterable[datetime | None], latest: datetime, kept: Sequence[KeptTag] = ()
) -> str:
    """Return the query for the charges of these partitions, ordered by partition.

    Result, per partition and group of like rows: what `PartitionCharges.take` reads. `part` is `cost`, or
    `credit` for the credits of the same rows. Refused rows come as one group per partition and `reason`,
    without dimensions; rows that count on their invoice alone come with dimensions, a `reason` and no rate.
    Export times after `latest` are refused. Amounts are in the billing currency, and `rate` turns them into
    US dollars: dividing the exact sum is exact, and cheaper than dividing every row. The values of the labels
    and tags to be kept are columns named by `tag_column`.
    """
    begins = "GREATEST(usage_start, TIMESTAMP '1970-01-01 00:00:00+00')"
    grouped = [
        "  partition_start,",
        "  part,",
        "  reason,",
        *(f"  IF(counts, {name}, NULL) AS {name}," for name in DIMENSIONS),
        "  IF(counts, IF(part = 'credit', 'credit', category), NULL) AS charge_category,",
        "  IF(counts, IF(part = 'credit', '', unit), NULL) AS consumed_unit,",
        "  IF(counts AND part = 'cost', at_list IS NOT NULL, NULL) AS listed,",
        f"  IF(counts, TIMESTAMP_TRUNC({begins}, HOUR), NULL) AS charge_period_start,",
        "  IF(counts, TIMESTAMP_TRUNC(exported, HOUR), NULL) AS export_hour,",
        "  IF(reason IS NULL, rate, NULL) AS conversion_rate,",
        *(
            f"  IF(reason IS NULL, {name}, NULL) AS {name},"
            for name in (tag_column(number) for number in range(len(kept)))
        ),
    ]
    keys = ", ".join(str(number) for number in range(1, len(grouped) + 1))
    return "\n".join(
        [
            f"WITH export_rows AS ({_export_rows(table, starts, kept)}\n),",
            f"judged_rows AS ({_judged_rows(latest)}\n),",
            f"counted_rows AS (SELECT *, reason IS NULL OR {_INVOICE_ONLY} AS counts FROM judged_rows)",
            "SELECT",
            *grouped,
            "  SUM(IF(part = 'credit', credit, exact_cost)) AS billed_cost,",
            "  SUM(IF(part = 'credit', NULL, at_list)) AS list_cost,",
            "  SUM(IF(part = 'credit', 0.0, quantity)) AS consumed_quantity,",
            "  COUNT(*) AS export_rows,",
            "  MAX(exported) AS exported_at,",
            "  MAX(usage_end) AS charge_period_end,",
            "  IF(LOGICAL_AND(IFNULL(cost_type, '') = 'rounding_error'), FALSE, NULL) AS corrects,",
            "  MIN(IF(reason IS NULL, NULL, example)) AS example",
            "FROM counted_rows CROSS JOIN UNNEST(['cost', 'credit']) AS part",
            "WHERE part = 'cost' OR (counts AND credit_count > 0)",
            f"GROUP BY {keys}",
            "ORDER BY partition_start",
        ]
    )


def tag_column(number: int) -> str:
    """Return the name of the result column for one of the labels and tags to be kept, counted from 0."""
    return f"tag_{number}"


def _export_rows(table: ExportTable, starts: Iterable[datetime | None], kept: Sequence[KeptTag]) -> str:
    """One row per export row, with the leaves that a charge is made from."""
    columns, start, relation = _relation(table, table.partitioning.among(starts), tags=bool(kept))

    def leaf(path: str, otherwise: str) -> str:
        return path if path in columns else otherwise

    def text(path: str) -> str:
        return f"IFNULL({path}, '')" if path in columns else "''"

    credited = "credits.amount" in columns
    credits = "FROM UNNEST(credits) AS c)"
    refused = _implausible("c.amount")
    tags = "".join(
        f"\n    {_tag_value(columns, tag)} AS {tag_column(number)}," for number, tag in enumerate(kept)
    )
    return f"""
  SELECT
    {start} AS partition_start,{tags}
    {text("billing_account_id")} AS billing_account_id,
    {text("project.id")} AS project_id,
    {text("service.id")} AS service_id,
    {text("service.description")} AS service_name,
    {text("sku.id")} AS sku_id,
    {text("sku.description")} AS sku,
    COALESCE({leaf("location.region", "NULL")}, {leaf("location.location", "NULL")}, '') AS region_id,
    {text("invoice.month")} AS invoice_month,
    {text("currency")} AS billing_currency,
    {text("cost_type")} AS cost_type,
    CONCAT({text("adjustment_info.id")}, {text("adjustment_info.type")}) AS adjustment,
    {text("usage.unit")} AS unit,
    {leaf("usage.amount", "0.0")} AS usage_amount,
    usage_start_time AS usage_start,
    {leaf("usage_end_time", "CAST(NULL AS TIMESTAMP)")} AS usage_end,
    export_time AS exported,
    cost,
    {_exact("cost")} AS exact_cost,
    {_list_cost() if "cost_at_list" in columns else "CAST(NULL AS BIGNUMERIC)"} AS at_list,
    {leaf("currency_conversion_rate", "CAST(NULL AS FLOAT64)")} AS given_rate,
    {"IFNULL(ARRAY_LENGTH(credits), 0)" if credited else "0"} AS credit_count,
    {f"(SELECT COUNTIF({refused}) {credits}" if credited else "0"} AS refused_credits,
    {f"(SELECT SUM({_exact('c.amount')}) {credits}" if credited else "CAST(NULL AS BIGNUMERIC)"} AS credit
  FROM {relation}"""


def _relation(table: ExportTable, where: str, *, tags: bool) -> tuple[frozenset[str], str, str]:
    """The columns of the detailed export, the start of a row's partition, and what follows FROM."""
    if table.focus:
        rows = export_rows(table, where, tags=tags)
        return export_columns(table), "partition_start", f"(\n    {rows}\n  )"
    relation = f"`{table.table_id}`\n  WHERE {where}"
    return table.columns, table.partitioning.start_expression, relation


def _judged_rows(latest: datetime) -> str:
    """The same rows with their category, rate, and the reason why one is refused."""
    earliest = _literal(EARLIEST_PLAUSIBLE)
    rate = "IF(given_rate IS NULL AND billing_currency = 'USD', 1.0, given_rate)"
    return f"""
  SELECT
    *,
    {rate} AS rate,
    IF(IS_NAN(usage_amount) OR IS_INF(usage_amount), 0.0, IFNULL(usage_amount, 0.0)) AS quantity,
    CASE
      WHEN cost_type = 'tax' THEN 'tax'
      WHEN cost_type IN ('adjustment', 'rounding_error') OR adjustment != '' THEN 'adjustment'
      WHEN STARTS_WITH(sku, 'Commitment') THEN 'purchase'
      ELSE 'usage'
    END AS category,
    CASE
      WHEN usage_start IS NULL OR exported IS NULL OR exported < {earliest} THEN 'bad_timestamp'
      WHEN exported > {_literal(latest)} THEN 'future_timestamp'
      WHEN usage_start > {_literal(latest + FARTHEST_AHEAD)} THEN 'far_timestamp'
      WHEN {_implausible("cost")} THEN 'bad_cost'
      WHEN refused_credits > 0 THEN 'bad_credit'
      WHEN billing_currency = '' AND {rate} IS NULL THEN 'bad_currency'
      WHEN IFNULL(NOT ({rate} > {SMALLEST_RATE} AND {rate} < {LARGEST_RATE}), TRUE) THEN 'bad_conversion_rate'
      WHEN usage_start < {earliest} THEN 'undated_usage'
    END AS reason,
    CONCAT(
      'service ', service_name, ', SKU ', sku_id, ', project ', project_id,
      ', cost ', IFNULL(CAST(cost AS STRING), 'NULL'), ' ', billing_currency,
      ', rate ', IFNULL(CAST(given_rate AS STRING), 'NULL'),
      ', used ', IFNULL(CAST(usage_start AS STRING), 'NULL'),
      ', exported ', IFNULL(CAST(exported AS STRING), 'NULL')
    ) AS example
  FROM export_rows"""


def _tag_value(columns: Collection[str], tag: KeptTag) -> str:
    """SQL expression of the value of a label or tag, or of the resource's name; NULL where a row has none."""
    if tag.origin == "resource":
        path = f"resource.{tag.key}"
        return f"NULLIF({path}, '')" if path in columns else "CAST(NULL AS STRING)"
    # The least, so that the order in a list never matters: a key may be there from two organizations.
    found = [
        f"(SELECT MIN(pair.value) FROM UNNEST({column}) AS pair WHERE pair.key = {_text_literal(tag.key)})"
        for column in (("tags",) if tag.origin == "tag" else ("labels", "project.labels"))
        if f"{column}.value" in columns
    ]
    return f"COALESCE({', '.join(found)})" if found else "CAST(NULL AS STRING)"


def _text_literal(text: str) -> str:
    return "'" + json.dumps(text, ensure_ascii=False)[1:-1].replace("'", "\\'") + "'"


_INVOICE_ONLY: Final = f"IFNULL(reason IN ({', '.join(map(_text_literal, INVOICE_ONLY))}), FALSE)"

_LIMIT: Final = f"{float(LARGEST_PLAUSIBLE)!r}"


def _implausible(amount: str) -> str:
    return f"{amount} IS NULL OR IS_NAN({amount}) OR IS_INF({amount}) OR ABS({amount}) >= {_LIMIT}"


def _list_cost() -> str:
    """The same as `list_cost` of files."""
    unknown = f"{_implausible('cost_at_list')} OR (cost_at_list = 0 AND cost != 0)"
    return f"IF({unknown}, NULL, {_exact('cost_at_list')})"


def _exact(amount: str) -> str:
    # By way of text: the double's shortest decimal is what Google billed, its binary expansion is not, and
    # sums of decimals cancel to exactly zero.
    return f"SAFE_CAST(CAST({amount} AS STRING) AS BIGNUMERIC)"


def _literal(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("TIMESTAMP '%Y-%m-%d %H:%M:%S.%f+00'")
