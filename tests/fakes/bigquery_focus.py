"""What BigQuery would answer about a table of FOCUS rows whose charges by month are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exporter.sources.focus.bigquery.sql import focus_table, result_columns
from tests.fakes.bigquery_rest import Answer

COLUMNS = {
    "BilledCost": "NUMERIC",
    "BillingAccountId": "STRING",
    "BillingCurrency": "STRING",
    "BillingPeriodStart": "TIMESTAMP",
    "ChargeCategory": "STRING",
    "ChargePeriodStart": "TIMESTAMP",
    "ProviderName": "STRING",
    "ServiceName": "STRING",
}


@dataclass
class FakeFocus:
    """Dollars by month; callable as FakeBigQuery.answer."""

    months: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=lambda: dict(COLUMNS))
    bytes_of_month: int = 1_000_000
    state: int = 1
    """Changes with anything that is read."""

    def __call__(self, purpose: str, sql: str) -> Answer:
        if purpose == "schema":
            return Answer(tuple(self.columns.items()), [], 0)
        asked = [
            month for month in sorted(self.months) if f"'{_before(month)}-" in sql or purpose == "cursor"
        ]
        size = self.bytes_of_month * len(asked)
        if purpose == "cursor":
            fields = [(name, "STRING") for name in ("month", "export_rows", "state")]
            return Answer(fields, [[each, "1", self._state(each)] for each in asked], size)
        names = self._names()
        rows = [[month, *(self._row(month)[name] for name in names)] for month in asked]
        return Answer([(name, "STRING") for name in ("month", *names)], rows, size)

    def _state(self, month: str) -> str:
        return f"{self.state}{self.months[month]}"

    def _names(self) -> list[str]:
        from google.cloud.bigquery import SchemaField

        schema = [SchemaField(name, kind) for name, kind in self.columns.items()]
        return result_columns(focus_table("`t`", schema, "billed", tags=False))

    def _row(self, month: str) -> dict[str, Any]:
        return {
            "BilledCost": self.months[month],
            "BillingAccountId": "1",
            "BillingCurrency": "USD",
            "BillingPeriodStart": f"{month}-01 00:00:00+00",
            "ChargeCategory": "Usage",
            "ChargePeriodStart": f"{month}-02 08:00:00+00",
            "ProviderName": "AWS",
            "ServiceName": "Compute",
            "export_rows": "1",
        }


def _before(month: str) -> str:
    """The month before, in which the bounds of a month begin."""
    year, number = map(int, month.split("-"))
    return f"{year}-{number - 1:02}" if number > 1 else f"{year - 1}-12"
