"""What BigQuery would answer about a billing export whose rows are given: partitions, bytes and groups.

It looks into the SQL for the partitions that are asked for, and prunes by them as BigQuery does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fakes.bigquery_rest import Answer

ROW_BYTES = 2_000_000
"""Read of a row when its charges are asked for; 8 bytes when only the export time is."""

CHARGE_FIELDS = (
    ("partition_start", "TIMESTAMP"),
    ("part", "STRING"),
    ("reason", "STRING"),
    ("billing_account_id", "STRING"),
    ("project_id", "STRING"),
    ("service_id", "STRING"),
    ("service_name", "STRING"),
    ("sku_id", "STRING"),
    ("sku", "STRING"),
    ("region_id", "STRING"),
    ("invoice_month", "STRING"),
    ("billing_currency", "STRING"),
    ("charge_category", "STRING"),
    ("consumed_unit", "STRING"),
    ("charge_period_start", "TIMESTAMP"),
    ("export_hour", "TIMESTAMP"),
    ("conversion_rate", "FLOAT"),
    ("billed_cost", "BIGNUMERIC"),
    ("list_cost", "BIGNUMERIC"),
    ("consumed_quantity", "FLOAT"),
    ("export_rows", "INTEGER"),
    ("exported_at", "TIMESTAMP"),
    ("charge_period_end", "TIMESTAMP"),
    ("corrects", "BOOLEAN"),
    ("example", "STRING"),
)
CURSOR_FIELDS = (("partition_start", "TIMESTAMP"), ("latest_export", "TIMESTAMP"), ("export_rows", "INTEGER"))

SCHEMA: list[dict[str, Any]] = [
    {"name": "billing_account_id", "type": "STRING"},
    {"name": "usage_start_time", "type": "TIMESTAMP"},
    {"name": "export_time", "type": "TIMESTAMP"},
    {"name": "cost", "type": "FLOAT"},
    {
        "name": "service",
        "type": "RECORD",
        "fields": [{"name": "id", "type": "STRING"}, {"name": "description", "type": "STRING"}],
    },
]
DAILY_TABLE: dict[str, Any] = {
    "schema": {"fields": SCHEMA},
    "timePartitioning": {"type": "DAY"},
    "clustering": {"fields": ["billing_account_id"]},
    "numBytes": "123456789",
}

_MOMENT = r"TIMESTAMP '([^']+)\+00'"


@dataclass(frozen=True)
class ExportRow:
    exported: datetime
    cost: str = "1.5"
    sku_id: str = "AAAA-BBBB-CCCC"
    reason: str | None = None
    part: str = "cost"


@dataclass
class FakeExport:
    """Rows by partition start; callable as FakeBigQuery.answer."""

    partitions: dict[datetime, list[ExportRow]] = field(default_factory=dict)
    billing_account_id: str = "0A-0B-0C"

    def add_day(self, day: datetime, *rows: ExportRow) -> None:
        self.partitions.setdefault(day, []).extend(rows or [ExportRow(day + timedelta(hours=5))])

    def __call__(self, purpose: str, sql: str) -> Answer:
        if purpose == "check":
            return Answer((), [], 0)
        starts = [start for start in sorted(self.partitions) if _asked(sql, start)]
        if purpose == "cursor":
            rows = [self._state(start) for start in starts]
            return Answer(CURSOR_FIELDS, rows, 8 * sum(len(self.partitions[start]) for start in starts))
        groups = [
            _group(start, row, self.billing_account_id) for start in starts for row in self.partitions[start]
        ]
        tags = sorted(set(re.findall(r"AS (tag_[0-9]+)", sql)))
        fields = (*CHARGE_FIELDS, *((name, "STRING") for name in tags))
        return Answer(fields, [[*group, *[None] * len(tags)] for group in groups], ROW_BYTES * len(groups))

    def _state(self, start: datetime) -> list[Any]:
        rows = self.partitions[start]
        return [micros(start), micros(max(row.exported for row in rows)), str(len(rows))]


def micros(moment: datetime) -> str:
    return str(round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)))


def _asked(sql: str, start: datetime) -> bool:
    ranges = re.findall(rf"_PARTITIONTIME >= {_MOMENT} AND _PARTITIONTIME < {_MOMENT}", sql)
    if ranges:
        return any(_moment(first) <= start < _moment(end) for first, end in ranges)
    bound = re.search(rf"WHERE _PARTITIONTIME >= {_MOMENT}", sql)
    assert bound is not None, f"no partition filter in {sql}"
    return start >= _moment(bound.group(1))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _group(start: datetime, row: ExportRow, billing_account_id: str) -> list[Any]:
    hour = micros(row.exported.replace(minute=0, second=0, microsecond=0))
    if row.reason is not None:
        empty = [None] * 14
        return [
            micros(start),
            "cost",
            row.reason,
            *empty,
            "0",
            None,
            "0.0",
            "1",
            micros(row.exported),
            None,
            None,
            "the row",
        ]
    names = [
        billing_account_id,
        "shop",
        "S1",
        "Compute Engine",
        row.sku_id,
        "N1 core",
        "europe-west4",
        "202611",
        "USD",
    ]
    amount = str(Decimal(row.cost))
    category = "usage" if row.part == "cost" else "credit"
    return [
        *(micros(start), row.part, None, *names, category, "seconds"),
        *(hour, hour, "1.0", amount, None, "60.0", "1", micros(row.exported), None, None, None),
    ]
