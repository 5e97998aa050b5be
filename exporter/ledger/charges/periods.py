"""Reads the ledger by periods of usage: cost by the dimensions that attribution rules use.

All sums are exact decimals; what the ledger has no charge for is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Final

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.attribution import ATTRIBUTION_COLUMNS, Values
from exporter.ledger.charges.windows import LedgerView

_COLUMNS: Final = ", ".join(ATTRIBUTION_COLUMNS)
_ROWS_AT_ONCE: Final = 1024


def period_costs(
    view: LedgerView, provider: str, bounds: Sequence[datetime]
) -> Iterator[tuple[Values, int, Decimal]]:
    """Yield (values of ATTRIBUTION_COLUMNS, number of the period, net US dollars).

    Period n is the usage from bounds[n] to before bounds[n + 1]; the bounds are aware and ascend.
    """
    known = "true" if view.exported_before is None else "export_hour < $exported_before"
    parameters: dict[str, object] = {
        "sources": list(view.sources),
        "provider": provider,
        "bounds": [naive_utc(bound) for bound in bounds],
    }
    if view.exported_before is not None:
        parameters["exported_before"] = naive_utc(view.exported_before)
    result = view.connection.execute(
        f"""WITH wanted AS (
              SELECT series_id, {_COLUMNS.replace(", tags", "")} FROM series
              WHERE provider = $provider AND source IN (SELECT unnest($sources))
            ), hours AS (
              SELECT series_id, coalesce(tags, '') AS tags, charge_period_start, sum(billed_cost_usd) AS usd
              FROM charge SEMI JOIN wanted USING (series_id)
              WHERE charge_period_start >= list_min($bounds::TIMESTAMP[])
                AND charge_period_start < list_max($bounds::TIMESTAMP[]) AND {known}
              GROUP BY ALL
            ), periods AS (
              SELECT unnest($bounds::TIMESTAMP[]) AS begin, unnest(range(len($bounds))) AS number
            ), summed AS (
              SELECT series_id, tags, number, sum(usd) AS usd
              FROM hours ASOF JOIN periods ON charge_period_start >= begin GROUP BY ALL
            )
            SELECT {_COLUMNS}, number, sum(usd) FROM summed JOIN wanted USING (series_id)
            GROUP BY {_COLUMNS}, number""",
        parameters,
    )
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for *values, number, usd in rows:
            yield tuple(map(intern, values)), number, usd
