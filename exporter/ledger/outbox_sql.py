"""The statements of the outbox: what differs from what was acknowledged, and what a receiver has."""

from __future__ import annotations

from typing import Final

from exporter.ledger.charges.billing_days import BILLING_DAY, SHIFTS
from exporter.ledger.charges.hourly import HOURLY_COLUMNS

LABELS: Final = tuple(f"label_{place + 1}" for place in range(len(HOURLY_COLUMNS)))
"""The columns for the values of a family's labels; a family with fewer leaves the last ones empty."""

KEYS: Final = ", ".join(LABELS)
_HOURLY: Final = ", ".join(HOURLY_COLUMNS)

UNKNOWN_SERIES: Final = f"""
SELECT DISTINCT {_HOURLY} FROM series WHERE source IN (SELECT unnest($sources))
EXCEPT SELECT {KEYS} FROM remote_series
"""

_PARTS: Final = f"""(
  SELECT {", ".join(f"unnest(${name}::VARCHAR[]) AS {name}" for name in LABELS)},
    unnest($part_days::TIMESTAMP[]) AS usage_hour, unnest($part_usd::VARCHAR[])::DECIMAL(38,18) AS usd
)"""
"""Parts of days that are summed already, as columns."""

UNKNOWN_PARTS: Final = f"SELECT DISTINCT {KEYS} FROM {_PARTS} EXCEPT SELECT {KEYS} FROM remote_series"

_BY_HOUR: Final = """
  SELECT remote_series_id, date_trunc('hour', charge_period_start) AS usage_hour,
    sum(billed_cost_usd) FILTER (counts) AS usd
  FROM charge JOIN known USING (series_id)
  WHERE charge_period_start >= $start AND charge_period_start < $end GROUP BY ALL
"""

_BY_DAY: Final = f"""
  SELECT remote_series_id, {BILLING_DAY} AS usage_hour, sum(billed_cost_usd) FILTER (counts) AS usd
  FROM charge JOIN known USING (series_id)
  LEFT JOIN {SHIFTS} ON shifted_provider = provider
    AND charge_period_start >= shifted_from AND charge_period_start < shifted_until
  WHERE charge_period_start >= $used_from AND charge_period_start < $used_until
    AND {BILLING_DAY} >= $start AND {BILLING_DAY} < $end GROUP BY ALL
"""


_BY_PART: Final = f"""
  SELECT remote_series_id, usage_hour, usd FROM {_PARTS} JOIN remote_series USING ({KEYS})
  WHERE usage_hour >= $start AND usage_hour < $end
"""

_KNOWN: Final = f"""
WITH known AS (
  SELECT series_id, remote_series_id, provider, source IN (SELECT unnest($sources)) AS counts
  FROM series JOIN remote_series
    ON {" AND ".join(f"{name} = {label}" for name, label in zip(HOURLY_COLUMNS, LABELS, strict=True))}
)
"""


def _differences(billed: str) -> str:
    return f"""
SELECT remote_series_id, usage_hour, coalesce(acknowledged.revisions, 0) AS revision,
  coalesce(billed.usd, 0) - coalesce(acknowledged.usd, 0) AS usd
FROM ({billed}) AS billed
FULL JOIN (
  SELECT remote_series_id, usage_hour, revisions, usd FROM remote_acknowledged
  WHERE receiver_id = $receiver AND usage_hour >= $start AND usage_hour < $end
) AS acknowledged USING (remote_series_id, usage_hour)
ANTI JOIN (FROM remote_outbox WHERE receiver_id = $receiver) AS decided
  USING (remote_series_id, usage_hour)
WHERE (acknowledged.usd IS NULL OR coalesce(billed.usd, 0) <> acknowledged.usd)
  AND (billed.usage_hour IS NULL OR billed.usd IS NOT NULL)
"""


DIFFERENCES: Final = {
    "hour": _KNOWN + _differences(_BY_HOUR),
    "day": _KNOWN + _differences(_BY_DAY),
    "part": _differences(_BY_PART),
}
"""Hours, days or parts of days of a window with their difference from what was acknowledged.

One that costs 0 is sent once.

Hours that come only from a source that is no longer configured stay as they were sent: removing a source
takes back no cost."""

SAME_LABELS: Final = " AND ".join(f"{name} = ${name}" for name in LABELS)

SERIES: Final = f"""
receiver_id = $receiver AND usage_hour = $hour
AND remote_series_id IN (SELECT remote_series_id FROM remote_series WHERE {SAME_LABELS})
"""

CORRECT_ACKNOWLEDGED: Final = f"""
UPDATE remote_acknowledged SET usd = $usd, revisions = revisions + 1 WHERE {SERIES}
"""

UNDECIDE: Final = f"DELETE FROM remote_outbox WHERE {SERIES}"

CHOSEN: Final = """
remote_outbox.receiver_id = $receiver AND sample_id IN (SELECT unnest($ids))
"""

ADD_CORRECTIONS: Final = f"""
UPDATE remote_acknowledged
SET usd = remote_acknowledged.usd + remote_outbox.usd, revisions = revisions + 1
FROM remote_outbox
WHERE {CHOSEN} AND remote_acknowledged.receiver_id = $receiver
  AND remote_acknowledged.usage_hour BETWEEN $first AND $last
  AND remote_acknowledged.remote_series_id = remote_outbox.remote_series_id
  AND remote_acknowledged.usage_hour = remote_outbox.usage_hour
"""

ADD_FIRST_VALUES: Final = f"""
INSERT INTO remote_acknowledged
SELECT receiver_id, remote_series_id, usage_hour, 1, usd FROM remote_outbox
WHERE {CHOSEN} AND revision = 0 AND usage_hour BETWEEN $first AND $last
"""
