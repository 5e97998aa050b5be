"""Reads the ledger for attribution: cost by the dimensions that rules use, labels and tags included.

All sums are exact decimals; without a charge a sum is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from sys import intern
from typing import Any, Final

from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView, Window

ATTRIBUTION_COLUMNS: Final = (
    "provider",
    "billing_account_id",
    "project_id",
    "service_id",
    "service_name",
    "sku_id",
    "sku",
    "tags",
)
"""The dimensions that rules use, in the order of the values in each row."""

_COLUMNS = ", ".join(ATTRIBUTION_COLUMNS)
_ROWS_AT_ONCE = 1024

Values = tuple[str, ...]
"""Values of ATTRIBUTION_COLUMNS."""


@dataclass(frozen=True, slots=True)
class AttributionView:
    """The charges of a view, by the dimensions that rules use."""

    view: LedgerView

    def window_sums(
        self, provider: str, windows: Mapping[str, Window]
    ) -> list[tuple[Values, tuple[Decimal | None, ...]]]:
        """Return net US dollars by window of usage; None where there is no charge."""
        bounds = {name: (sql_time(start), sql_time(end)) for name, (start, end) in windows.items()}
        sums = ", ".join(
            f'sum(usd) FILTER (charge_period_start >= {start} AND charge_period_start < {end}) AS "{name}"'
            for name, (start, end) in bounds.items()
        )
        again = ", ".join(f'sum("{name}")' for name in windows)
        earliest = min(start for start, _ in windows.values())
        latest = max(end for _, end in windows.values())
        rows = self._rows(f"{{columns}}, {sums}", f"{_COLUMNS}, {again}", provider, (earliest, latest))
        width = len(ATTRIBUTION_COLUMNS)
        return [
            (_values(row[:width]), row[width:])
            for row in rows
            if any(value is not None for value in row[width:])
        ]

    def _rows(self, inner: str, outer: str, provider: str, window: Window) -> Iterator[tuple[Any, ...]]:
        """Yield sums by series and tags first, so that few rows are joined with their dimensions."""
        known = (
            f"export_hour < {sql_time(self.view.exported_before)}" if self.view.exported_before else "true"
        )
        result = self.view.connection.execute(
            f"""WITH wanted AS (
                  SELECT series_id, {_COLUMNS.replace(", tags", "")} FROM series
                  WHERE provider = $provider AND source IN (SELECT unnest($sources))
                ), summed AS (
                  SELECT {inner.format(columns="series_id, tags")} FROM (
                    SELECT series_id, charge_period_start, coalesce(tags, '') AS tags,
                      billed_cost_usd AS usd
                    FROM charge SEMI JOIN wanted USING (series_id)
                    WHERE charge_period_start >= {sql_time(window[0])}
                      AND charge_period_start < {sql_time(window[1])} AND {known}
                  ) GROUP BY series_id, tags
                )
                SELECT {outer} FROM summed JOIN wanted USING (series_id) GROUP BY {_COLUMNS}""",
            {"sources": list(self.view.sources), "provider": provider},
        )
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _values(values: tuple[str, ...]) -> Values:
    """Share equal texts."""
    return tuple(map(intern, values))
