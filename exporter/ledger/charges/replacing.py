"""The SQL of replacing partitions: what is new, what was restated, and the counters that never fall.

It works on two temporary tables of the same shape: `before`, the charges of the partitions as stored, and
`arrived`, as just read; both have partition_id, and series_id in place of the dimensions.
"""

from __future__ import annotations

from typing import Final

from exporter.core.charges import CHARGE_COLUMNS, SERIES_COLUMNS
from exporter.ledger.counter_starts import began_after_first_read

_DIMENSIONS = ", ".join(SERIES_COLUMNS)
_FACTS = ", ".join(name for name in CHARGE_COLUMNS if name not in (*SERIES_COLUMNS, "list_cost_usd"))

SAME_CHARGE: Final = (
    "series_id, charge_period_start, export_hour, invoice_month, billing_currency, consumed_unit"
)
"""What makes rows one charge for counters: not their tags, which may be read otherwise the next time."""

_SUMS_OF_SAME: Final = (
    "sum(billed_cost_usd) AS billed_cost_usd, bool_or(coalesce(corrects, true)) AS corrects"
)

_NEWEST: Final = "SELECT max(export_hour) FROM charge SEMI JOIN stored USING (series_id)"

NEW_SERIES: Final = f"""
INSERT INTO series BY NAME
WITH stored AS (FROM series WHERE source = $source)
SELECT (SELECT coalesce(max(series_id), 0) FROM series) + row_number() OVER () AS series_id,
  $source AS source, {_DIMENSIONS}, counted_from,
  {began_after_first_read(_NEWEST)} AS unseen,
  0 AS billed_present_usd, 0 AS billed_retired_usd, 0 AS billed_usd_total, 0 AS billed_base_usd,
  0 AS credit_present_usd, 0 AS credit_retired_usd, 0 AS credit_usd_total, 0 AS credit_base_usd
FROM (SELECT {_DIMENSIONS}, min(export_hour) AS counted_from FROM incoming GROUP BY {_DIMENSIONS})
  ANTI JOIN stored USING ({_DIMENSIONS})
"""
"""Give an id to every combination of dimensions in `incoming` that this source has not had yet."""

INSERT_CHARGES: Final = f"""
INSERT INTO charge BY NAME SELECT partition_id, series_id, {_FACTS},
  list_cost_usd - billed_cost_usd AS list_above_billed_usd
FROM arrived
"""

BILLED_USD: Final = """
CASE WHEN charge_category IN ('usage', 'purchase', 'tax') THEN greatest(billed_cost_usd, 0) ELSE 0 END
"""
"""What a charge adds to spend_billed_usd_total: positive charges, no credits, no adjustments."""

CREDIT_USD: Final = "greatest(-billed_cost_usd, 0)"
"""What a charge adds to spend_billed_credit_usd_total: credits and negative corrections, made positive."""

COUNT_SERIES: Final = f"""
UPDATE series SET
  billed_present_usd = billed_present_usd + moved.billed,
  credit_present_usd = credit_present_usd + moved.credit,
  billed_usd_total = greatest(billed_usd_total, billed_retired_usd + billed_present_usd + moved.billed),
  credit_usd_total = greatest(credit_usd_total, credit_retired_usd + credit_present_usd + moved.credit)
FROM (
  SELECT series_id, sum(sign * {BILLED_USD}) AS billed, sum(sign * {CREDIT_USD}) AS credit
  FROM (
    SELECT series_id, sum(billed_cost_usd) AS billed_cost_usd, 1::TINYINT AS sign
    FROM arrived GROUP BY partition_id, {SAME_CHARGE}
    UNION ALL
    SELECT series_id, sum(billed_cost_usd), -1::TINYINT FROM before GROUP BY partition_id, {SAME_CHARGE}
  ) JOIN series USING (series_id)
  GROUP BY series_id
) AS moved
WHERE series.series_id = moved.series_id AND (moved.billed <> 0 OR moved.credit <> 0)
"""
"""Move the counters by what the partitions changed. They are the highest sum seen, so that a file that is cut
short and then whole again is not counted twice."""

RETIRE: Final = f"""
UPDATE series SET
  billed_present_usd = billed_present_usd - gone.billed,
  billed_retired_usd = billed_retired_usd + gone.billed,
  credit_present_usd = credit_present_usd - gone.credit,
  credit_retired_usd = credit_retired_usd + gone.credit
FROM (
  SELECT series_id, sum({BILLED_USD}) AS billed, sum({CREDIT_USD}) AS credit
  FROM (
    SELECT series_id, sum(billed_cost_usd) AS billed_cost_usd
    FROM charge WHERE charge_period_start < $moment GROUP BY partition_id, {SAME_CHARGE}
  ) JOIN series USING (series_id) GROUP BY series_id
) AS gone
WHERE series.series_id = gone.series_id
"""

KEEP_INVOICES: Final = """
INSERT INTO invoice_part
SELECT partition_id, billing_account_id, charge_category, export_hour, invoice_month, billing_currency,
  sum(billed_cost)
FROM charge JOIN series USING (series_id)
WHERE charge_period_start < $moment AND invoice_month > strftime($moment, '%Y%m')
GROUP BY ALL
"""
"""Keep the sums by invoice of charges that are about to be forgotten: refunds and late usage are on later
invoices than that of the month of usage."""

FORGET_INVOICES: Final = "DELETE FROM invoice_part WHERE invoice_month <= strftime($moment, '%Y%m')"
"""Invoices up to the month in which usage begins to be kept are no longer shown: a part of them was never
read."""

INSERT_INVOICE_PARTS: Final = """
INSERT INTO invoice_part
SELECT partition_id, billing_account_id, charge_category, export_hour, invoice_month, billing_currency,
  sum(billed_cost)
FROM incoming
WHERE (charge_period_start < $kept_from OR billed_cost_usd IS NULL)
  AND invoice_month > strftime($kept_from, '%Y%m') AND invoice_month <> ''
GROUP BY ALL
"""

COUNT_RESTATED: Final = f"""
INSERT INTO restated
SELECT $source, provider, direction, sum(usd) FROM (
  SELECT provider, CASE WHEN change > 0 THEN 'up' ELSE 'down' END AS direction, abs(change) AS usd
  FROM (
    SELECT series_id,
      coalesce(arrived.billed_cost_usd, 0) AS now_usd, coalesce(before.billed_cost_usd, 0) AS then_usd,
      coalesce(arrived.corrects, before.corrects) AS corrects, coalesce(before.final, false) AS final
    FROM (SELECT {SAME_CHARGE}, {_SUMS_OF_SAME} FROM arrived GROUP BY ALL) AS arrived
    FULL JOIN (
      SELECT {SAME_CHARGE}, {_SUMS_OF_SAME}, bool_or(export_hour < latest) AS final
      FROM (SELECT *, max(export_hour) OVER (PARTITION BY partition_id) AS latest FROM before)
      GROUP BY {SAME_CHARGE}
    ) AS before USING ({SAME_CHARGE})
  ) JOIN series USING (series_id),
  LATERAL (SELECT CASE
    WHEN (charge_category = 'adjustment' AND corrects) OR final THEN now_usd - then_usd
    WHEN charge_category = 'credit' THEN greatest(now_usd, 0) - greatest(then_usd, 0)
    ELSE 0 END AS change)
) WHERE usd > 0 GROUP BY provider, direction
"""
"""Count what the bill changed after it had reported it: corrections (adjustments but for the rounding of an
invoice, and credits taken back), and charges of an export hour read in full before that now read otherwise.
A partition's latest export hour was perhaps not complete when it was read: its growth is no restatement. What
moved from one partition to another is not restated either."""
