"""Reads the ledger for history: net cost of each hour of usage, by the labels of spend_hourly_usd.

All sums are exact decimals; an hour without a charge is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView, Window

HOURLY_COLUMNS: Final = ("provider", "project_id", "service_name", "charge_category")
"""The dimensions of an hour's cost, in the order of the labels of spend_hourly_usd."""

STAMP_SECONDS: Final = 3599
"""From the start of a usage hour to the time that its sample has: the last whole second of the hour.

At the very end it would be on the border of two days, and Prometheus before 3.0 counts both borders of a
range: `sum_over_time(spend_hourly_usd[1d])` at midnight would count 25 hours. One second earlier it is right
in every version, also for a range that ends at 23:59:59.999. Whole seconds, because readers of OpenMetrics
multiply fractions of a second by 1000 and truncate, and a repeated sample must have the same time.
"""

_ROWS_AT_ONCE: Final = 1024
_LABELS: Final = ", ".join(HOURLY_COLUMNS)
_ORDERS: Final = {"time": f"began, {_LABELS}", "series": f"{_LABELS}, began"}
_WIDTH: Final = len(HOURLY_COLUMNS)


StampedCost = tuple[tuple[str, ...], int, Decimal]
"""Of a period of a series: values of HOURLY_COLUMNS, time of its sample in seconds since 1970, net cost."""


class HourlyCost(NamedTuple):
    """Net cost of one usage hour of one series."""

    labels: tuple[str, ...]
    """Values of HOURLY_COLUMNS."""
    stamp_seconds: int
    """Time of its sample, in seconds since 1970."""
    usd: Decimal

    @property
    def hour(self) -> datetime:
        """Start of the hour. Of a provider that bills by the day a day's cost is in the day's first hour."""
        return datetime.fromtimestamp(self.stamp_seconds - STAMP_SECONDS, UTC)


def hourly_costs(
    view: LedgerView,
    provider: str,
    since: datetime,
    until: datetime,
    *,
    order: Literal["time", "series"] = "time",
) -> Iterator[HourlyCost]:
    """Yield the cost of a provider's usage hours in [since, until), some rows in memory at once.

    In the order of time, or one series after the other and each in the order of time.
    """
    hours = stamped_costs(
        view, provider, (since, until), "date_trunc('hour', charge_period_start)", STAMP_SECONDS, order=order
    )
    for cost in hours:
        yield HourlyCost(*cost)


def stamped_costs(
    view: LedgerView,
    provider: str,
    window: Window,
    began: str,
    stamp_seconds: int,
    *,
    order: Literal["time", "series"],
    join: str = "",
    parameters: Mapping[str, object] | None = None,
) -> Iterator[StampedCost]:
    """Yield the cost of each period of usage in a window.

    `began` is SQL for the begin of a charge's period; its sample has a time `stamp_seconds` later. `join` is
    what the charges are joined with for that, with its parameters.
    """
    since, until = map(sql_time, window)
    known = f"export_hour < {sql_time(view.exported_before)}" if view.exported_before else "true"
    result = view.connection.execute(
        f"""WITH wanted AS (
              SELECT series_id, {_LABELS} FROM series
              WHERE provider = $provider AND source IN (SELECT unnest($sources))
            ), summed AS (
              SELECT series_id, {began} AS began, sum(billed_cost_usd) AS usd
              FROM charge SEMI JOIN wanted USING (series_id) {join}
              WHERE charge_period_start >= {since} AND charge_period_start < {until} AND {known}
              GROUP BY ALL
            )
            SELECT {_LABELS}, epoch(began)::BIGINT + {stamp_seconds}, sum(usd)
            FROM summed JOIN wanted USING (series_id)
            GROUP BY {_LABELS}, began ORDER BY {_ORDERS[order]}""",
        {"sources": list(view.sources), "provider": provider, **(parameters or {})},
    )
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            yield row[:_WIDTH], row[_WIDTH], row[_WIDTH + 1]


def usage_bounds(view: LedgerView, provider: str) -> tuple[datetime, datetime] | None:
    """Return the begin of the first usage hour of a provider and the end of the last; None without any.

    Usage that was billed ahead and begins after the latest export has no hour yet.
    """
    first, last = view.connection.execute(
        """SELECT min(charge_period_start),
             least(max(charge_period_start), max(export_hour)) + INTERVAL 1 HOUR
           FROM charge SEMI JOIN (SELECT series_id FROM series
             WHERE provider = $provider AND source IN (SELECT unnest($sources))) USING (series_id)""",
        {"sources": list(view.sources), "provider": provider},
    ).fetchall()[0]
    return None if first is None else (first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))


def forgotten_before(view: LedgerView) -> datetime | None:
    """Return the time before which usage has been forgotten; None where nothing was."""
    rows = view.connection.execute("SELECT value::TIMESTAMP FROM setting WHERE name = 'kept_from'").fetchall()
    return rows[0][0].replace(tzinfo=UTC) if rows else None
