"""Reads the ledger for spikes: the cost of some hours by service, by line, by SKU, and of live LLM usage.

Only the given hours are read. Of usage, purchases and their credits; taxes and corrections have no hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.windows import LedgerView

Hours = Mapping[int, float]
"""US dollars by hour since 1970-01-01 00:00 UTC; an hour without any charge is absent."""


@dataclass(frozen=True, slots=True)
class SpikeView:
    """The charges of one provider in a view."""

    view: LedgerView
    provider: str

    def first_hour(self) -> int | None:
        """Return the earliest hour of usage in the bill."""
        rows = list(self._rows("SELECT epoch(min(charge_period_start))::BIGINT // 3600 FROM {charges}"))
        return rows[0][0] if rows else None

    def by_service(self, wanted: Sequence[tuple[str, int]]) -> dict[str, Hours]:
        """Return the cost of pairs of service name and hour, by service name."""
        return _hours((service, hour, usd) for service, hour, usd in self._summed("service_name", wanted))

    def by_sku(self, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, str], Hours]:
        """Return the same by service name and SKU."""
        return _hours(
            ((service, sku), hour, usd)
            for service, sku, hour, usd in self._summed("service_name, sku", wanted)
        )

    def by_line(self, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, str, str, str], Hours]:
        """Return the same by billing account, project, service name and SKU id."""
        columns = "billing_account_id, project_id, service_name, sku_id"
        return _hours((tuple(names), hour, usd) for *names, hour, usd in self._summed(columns, wanted))

    def _summed(self, columns: str, wanted: Sequence[tuple[str, int]]) -> Iterator[tuple[Any, ...]]:
        if not wanted:
            return iter(())
        return self._rows(
            f"""WITH wanted AS (SELECT unnest($services::VARCHAR[]) AS wanted_service,
                  unnest($hours::TIMESTAMP[]) AS wanted_hour)
                SELECT {columns}, epoch(charge_period_start)::BIGINT // 3600, sum(billed_cost_usd)::DOUBLE
                FROM {{charges}} SEMI JOIN wanted
                  ON service_name = wanted_service AND charge_period_start = wanted_hour
                GROUP BY ALL""",
            services=[service for service, _ in wanted],
            hours=[naive_utc(datetime.fromtimestamp(hour * 3600, UTC)) for _, hour in wanted],
        )

    def _rows(self, sql: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        known = self.view.exported_before
        limit = "true" if known is None else f"export_hour < TIMESTAMP '{naive_utc(known)}'"
        charges = (
            "(SELECT * FROM charge JOIN series USING (series_id) WHERE provider = $provider "
            "AND source IN (SELECT unnest($sources)) AND charge_category IN ('usage', 'purchase', 'credit') "
            f"AND {limit})"
        )
        yield from self.view.connection.execute(
            sql.format(charges=charges),
            {"provider": self.provider, "sources": list(self.view.sources), **parameters},
        ).fetchall()


def first_usage_hours(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[str], meter: str
) -> dict[tuple[str, str], int]:
    """Return the first hour of a meter by source and provider."""
    rows = connection.execute(
        """SELECT source, provider, epoch(min(hour))::BIGINT // 3600
           FROM usage_hour JOIN usage_series USING (usage_series_id)
           WHERE source IN (SELECT unnest($sources)) AND meter = $meter GROUP BY ALL""",
        {"sources": list(sources), "meter": meter},
    ).fetchall()
    return {(source, provider): hour for source, provider, hour in rows}


def usage_by_resource(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[str],
    provider: str,
    meter: str,
    hours: Iterable[int],
) -> dict[str, Hours]:
    """Return a meter's amounts in some hours, by resource: by model, for language models."""
    rows = connection.execute(
        """SELECT resource, epoch(hour)::BIGINT // 3600, sum(amount)
           FROM usage_hour JOIN usage_series USING (usage_series_id)
           WHERE source IN (SELECT unnest($sources)) AND provider = $provider AND meter = $meter
             AND hour IN (SELECT unnest($hours::TIMESTAMP[])) GROUP BY ALL""",
        {
            "sources": list(sources),
            "provider": provider,
            "meter": meter,
            "hours": [naive_utc(datetime.fromtimestamp(hour * 3600, UTC)) for hour in hours],
        },
    ).fetchall()
    return _hours((resource, hour, amount) for resource, hour, amount in rows)


def _hours(rows: Iterable[tuple[Any, int, float]]) -> dict[Any, Hours]:
    found: dict[Any, dict[int, float]] = {}
    for key, hour, usd in rows:
        found.setdefault(key, {})[hour] = usd
    return dict(found)
