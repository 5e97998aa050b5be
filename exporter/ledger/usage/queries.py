"""Reads usage from the ledger: the trailing hour, hours and days by meter, counters, and costs by SKU.

Without a point, an amount is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import duckdb

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.windows import LedgerView

THROUGH_NO_TIME: Final = "TIMESTAMP '1970-01-01'"
"""SQL for the time of a cursor that has no time, only the place where a source continues to read."""


@dataclass(frozen=True, slots=True)
class TrailingUsage:
    """What one resource used of one meter in the latest hour that is known in full."""

    project_id: str
    region_id: str
    resource: str
    meter: str
    dimension: str
    amount: float
    until: datetime
    """End of the hour; the same for all meters of a project."""


@dataclass(frozen=True, slots=True)
class HourlyUsage:
    """What a project used of one meter in one hour, all revisions together."""

    provider: str
    project_id: str
    region_id: str
    service_id: str
    meter: str
    resource: str
    dimension: str
    hour: datetime
    amount: float


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """The same for one UTC day."""

    project_id: str
    region_id: str
    meter: str
    resource: str
    dimension: str
    day: date
    amount: float


@dataclass(frozen=True, slots=True)
class InstanceUsage:
    """How busy one virtual machine was, over the hours in which it is known to have run."""

    project_id: str
    region_id: str
    instance_id: str
    name: str
    """Empty where it is not reported."""
    hours: int
    mean_utilization: float
    """Of its CPU, as a fraction."""
    highest_utilization: float
    """Mean of its busiest hour."""
    first_hour: datetime
    last_hour: datetime
    cores: float | None
    """Median over the hours; None where it is not reported."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The counters of one series of usage since the ledger began."""

    usage_series_id: int
    provider: str
    project_id: str
    region_id: str
    service_id: str
    resource: str
    revision: str
    meter: str
    dimension: str
    unit: str
    total: float
    unpriced: float
    """Part of the total that no rate was known for yet."""
    usd_total: float
    counted_from: float | None
    """When the counters were zero, in seconds since 1970; None where an older version did not keep it."""
    unseen: bool
    """Whether it began after its source had been read to its end, and was never exposed."""


@dataclass(frozen=True, slots=True)
class SkuDay:
    """One SKU on one UTC day of usage in the bill: cost with credits, and quantity."""

    project_id: str
    region_id: str
    service_id: str
    service_name: str
    sku_id: str
    sku: str
    day: date
    usd: float
    quantity: float
    unit: str


@dataclass(frozen=True, slots=True)
class UsageView:
    """One consistent state of usage."""

    connection: duckdb.DuckDBPyConnection

    def latest(self) -> datetime | None:
        """Return the latest time through which any meter is known."""
        rows = self._rows("SELECT max(through) FROM usage_cursor")
        return next(iter(rows))[0]  # type: ignore[no-any-return]

    def latest_hours(self) -> tuple[datetime | None, datetime | None]:
        """Return the hour of the latest known usage, and that of the latest export of any bill."""
        rows = self._rows(
            """SELECT (SELECT date_trunc('hour', max(through)) FROM usage_cursor),
                 (SELECT max(export_hour) FROM charge)"""
        )
        usage, export = next(iter(rows))
        return usage, export

    def read_through(self) -> list[tuple[str, str, datetime]]:
        """Return (project_id, meter, time through which it is known) of the meters in use.

        A meter is in use if it had usage on its last known day: so a meter that is no longer read stays, and
        one that the project does not use is left out.
        """
        rows = self._rows(
            """SELECT project_id, meter, min(through) FROM usage_cursor
               WHERE EXISTS (FROM usage_series JOIN usage_hour USING (usage_series_id)
                             WHERE usage_series.source = usage_cursor.source
                               AND usage_series.project_id = usage_cursor.project_id
                               AND usage_series.meter = usage_cursor.meter
                               AND hour >= through - INTERVAL 1 DAY)
               GROUP BY ALL ORDER BY ALL"""
        )
        return [(project, meter, through.replace(tzinfo=UTC)) for project, meter, through in rows]

    def trailing_hour(self, meters: Sequence[str]) -> list[TrailingUsage]:
        """Return usage in the latest hour that is known for all of `meters` in use, by project.

        So a ratio of two meters is of the same hour. A meter that is late by more than half an hour is left
        out, so that it does not delay the others.
        """
        rows = self._rows(
            """WITH used AS (SELECT DISTINCT source, project_id, meter FROM usage_series
                               JOIN usage_hour USING (usage_series_id)
                             WHERE meter IN (SELECT unnest($meters))
                               AND hour >= (SELECT max(through) FROM usage_cursor) - INTERVAL 3 HOUR),
                    read AS (SELECT source, project_id, meter, through,
                               max(through) OVER (PARTITION BY source, project_id) AS best
                             FROM usage_cursor SEMI JOIN used USING (source, project_id, meter)),
                    known AS (SELECT source, project_id, meter,
                                min(through) OVER (PARTITION BY source, project_id) AS until
                              FROM read WHERE through >= best - INTERVAL 30 MINUTE)
               SELECT project_id, region_id, resource, meter, dimension, sum(amount), until
               FROM known JOIN usage_series USING (source, project_id, meter)
                 JOIN usage_point USING (usage_series_id)
               WHERE begins >= until - INTERVAL 1 HOUR AND ends <= until
               GROUP BY ALL ORDER BY ALL""",
            meters=list(meters),
        )
        return [TrailingUsage(*_aware(row)) for row in rows]

    def hourly(self, since: datetime, until: datetime, meters: Sequence[str]) -> list[HourlyUsage]:
        """Return usage by meter and hour in [since, until), all revisions together."""
        rows = self._rows(
            """SELECT provider, project_id, region_id, service_id, meter, resource, dimension, hour,
                 sum(amount)
               FROM usage_hour JOIN usage_series USING (usage_series_id)
               WHERE hour >= $since AND hour < $until AND meter IN (SELECT unnest($meters))
               GROUP BY ALL ORDER BY ALL""",
            since=naive_utc(since),
            until=naive_utc(until),
            meters=list(meters),
        )
        return [HourlyUsage(*_aware(row)) for row in rows]

    def daily(self, since: datetime, until: datetime) -> list[DailyUsage]:
        """Return usage by meter and UTC day in [since, until), all revisions together."""
        rows = self._rows(
            """SELECT project_id, region_id, meter, resource, dimension, hour::DATE, sum(amount)
               FROM usage_hour JOIN usage_series USING (usage_series_id)
               WHERE hour >= $since AND hour < $until GROUP BY ALL ORDER BY ALL""",
            since=naive_utc(since),
            until=naive_utc(until),
        )
        return [DailyUsage(*row) for row in rows]

    def instances(
        self, since: datetime, until: datetime, utilization_meter: str, cores_meter: str
    ) -> list[InstanceUsage]:
        """Return the instances with any known utilisation in [since, until); levels times seconds in both."""
        rows = self._rows(
            """WITH hours AS (SELECT project_id, region_id, resource, meter, hour, max(dimension) AS name,
                                sum(amount) / 3600 AS level
                              FROM usage_hour JOIN usage_series USING (usage_series_id)
                              WHERE meter IN ($utilization, $cores) AND resource <> ''
                                AND hour >= $since AND hour < $until GROUP BY ALL)
               SELECT project_id, region_id, resource, max(name), count(*) FILTER (meter = $utilization),
                 avg(level) FILTER (meter = $utilization), max(level) FILTER (meter = $utilization),
                 min(hour) FILTER (meter = $utilization), max(hour) FILTER (meter = $utilization),
                 median(level) FILTER (meter = $cores AND level > 0)
               FROM hours GROUP BY ALL HAVING count(*) FILTER (meter = $utilization) > 0 ORDER BY ALL""",
            since=naive_utc(since),
            until=naive_utc(until),
            utilization=utilization_meter,
            cores=cores_meter,
        )
        return [InstanceUsage(*_aware(row)) for row in rows]

    def totals(self, used_since: datetime) -> list[UsageTotal]:
        """Return the counters of the meters with any usage since a moment; older ones vanish from view.

        A meter of a revision is there with all its series or with none, so that no sum of them falls.
        """
        rows = self._rows(
            """WITH used AS (SELECT DISTINCT project_id, region_id, resource, revision, meter
                             FROM usage_series SEMI JOIN (SELECT usage_series_id FROM usage_hour
                                                          WHERE hour >= $since) USING (usage_series_id))
               SELECT usage_series_id, provider, project_id, region_id, service_id, resource, revision, meter,
                 dimension, unit, total, total - priced_total, usd_total, epoch(counted_from), unseen
               FROM usage_series SEMI JOIN used USING (project_id, region_id, resource, revision, meter)
               ORDER BY usage_series_id""",
            since=naive_utc(used_since),
        )
        return [UsageTotal(*row) for row in rows]

    def _rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()


def sku_days(view: LedgerView, since: datetime, until: datetime, services: Sequence[str]) -> list[SkuDay]:
    """Return cost with credits and quantity by SKU and UTC day of usage, of services by id or name.

    Taxes, corrections, and commitments with their credits are left out: they do not change the cost of the
    next unit.
    """
    known = "true" if view.exported_before is None else "export_hour < $known"
    parameters: dict[str, object] = {
        "sources": list(view.sources),
        "services": list(services),
        "since": naive_utc(since),
        "until": naive_utc(until),
    }
    if view.exported_before is not None:
        parameters["known"] = naive_utc(view.exported_before)
    rows = view.connection.execute(
        f"""SELECT project_id, region_id, service_id, service_name, sku_id, sku, charge_period_start::DATE,
              sum(billed_cost_usd)::DOUBLE,
              coalesce(sum(consumed_quantity) FILTER (charge_category = 'usage'), 0),
              coalesce(max(consumed_unit) FILTER (charge_category = 'usage'), '')
            FROM charge JOIN series USING (series_id)
            WHERE source IN (SELECT unnest($sources)) AND charge_category IN ('usage', 'credit') AND {known}
              AND (service_id IN (SELECT unnest($services)) OR service_name IN (SELECT unnest($services)))
              AND charge_period_start >= $since AND charge_period_start < $until
            GROUP BY ALL HAVING count(*) FILTER (charge_category = 'usage') > 0 ORDER BY ALL""",
        parameters,
    ).fetchall()
    return [SkuDay(*row) for row in rows]


def _aware(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row)
