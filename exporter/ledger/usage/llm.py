"""Reads LLM usage and LLM charges from the ledger: counters, hourly cost at list prices, bills by SKU.

The meters are those of LLM sources; see exporter/core/llm_meters.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.ledger.usage.queries import THROUGH_NO_TIME


@dataclass(frozen=True, slots=True)
class UsageCounter:
    """What was counted of one meter of one model since the ledger began."""

    source: str
    provider: str
    project_id: str
    model: str
    key: str
    """The revision of the usage point: a key's alias, where the source reports it."""
    meter: str
    dimension: str
    total: float
    counted_from: float | None
    """When it was zero, in seconds since 1970; None where an older version did not keep it."""
    unseen: bool
    """Whether it began after its source had been read to its end, and was never exposed."""
    left: bool
    """Whether its source counted before another one took over: the total is that of then."""


@dataclass(frozen=True, slots=True)
class HourlyAmount:
    """One meter's amount in one hour, over all models of a provider."""

    source: str
    provider: str
    hour: datetime
    amount: float


@dataclass(frozen=True, slots=True)
class SkuCost:
    """The cost of one SKU of a project in each given window; None where nothing is billed."""

    project_id: str
    service_id: str
    sku_id: str
    sku: str
    usd: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class LlmView:
    """One consistent state of LLM usage, from some sources."""

    connection: duckdb.DuckDBPyConnection
    sources: Sequence[str]

    def counters(
        self, meters: Sequence[str], used_since: datetime, *, by_key: bool = False
    ) -> list[UsageCounter]:
        """Return the counters of the models with any usage since a moment, by project and key.

        A model (with `by_key`: each key's use of a model) is there with all its series or with none, so that
        no sum of them falls when a part of it rests.
        """
        together = "provider, resource" + (", project_id, revision" if by_key else "")
        rows = self._rows(
            f"""WITH wanted AS (FROM usage_series
                               WHERE (source IN (SELECT unnest($sources)) OR counted_until_left IS NOT NULL)
                                 AND meter IN (SELECT unnest($meters))),
                    used AS (SELECT DISTINCT {together}
                             FROM wanted SEMI JOIN (SELECT usage_series_id FROM usage_hour
                                                    WHERE hour >= $since) USING (usage_series_id))
               SELECT source, provider, project_id, resource, revision, meter, dimension,
                 coalesce(counted_until_left, total + counted_offset), epoch(counted_from), unseen,
                 counted_until_left IS NOT NULL
               FROM wanted SEMI JOIN used USING ({together}) ORDER BY usage_series_id""",
            meters=list(meters),
            since=naive_utc(used_since),
        )
        return [UsageCounter(*row) for row in rows]

    def hourly(self, meter: str, since: datetime) -> list[HourlyAmount]:
        """Return a meter's amounts by source, provider and hour."""
        rows = self._rows(
            """SELECT source, provider, hour, sum(amount)
               FROM usage_hour JOIN usage_series USING (usage_series_id)
               WHERE source IN (SELECT unnest($sources)) AND meter = $meter AND hour >= $since
               GROUP BY ALL ORDER BY ALL""",
            meter=meter,
            since=naive_utc(since),
        )
        return [
            HourlyAmount(source, provider, hour.replace(tzinfo=UTC), usd)
            for source, provider, hour, usd in rows
        ]

    def through(self, now: datetime) -> dict[str, datetime]:
        """Return up to when each source's usage is known; usage added piecemeal is known until now."""
        rows = self._rows(
            f"""SELECT source, nullif(max(through), {THROUGH_NO_TIME}) FROM usage_cursor
                WHERE source IN (SELECT unnest($sources)) GROUP BY ALL"""
        )
        return {source: through.replace(tzinfo=UTC) if through else now for source, through in rows}

    def _rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, {"sources": list(self.sources), **parameters}).fetchall()


def billed_providers(view: LedgerView) -> list[str]:
    """Return the providers that the view has charges of."""
    rows = view.connection.execute(
        "SELECT DISTINCT provider FROM series WHERE source IN (SELECT unnest($sources)) ORDER BY ALL",
        {"sources": list(view.sources)},
    ).fetchall()
    return [provider for (provider,) in rows]


def daily_costs(view: LedgerView, provider: str, since: datetime) -> list[tuple[str, date, Decimal]]:
    """Return (service name, UTC day, US dollars) of usage, purchases and their credits."""
    return view.connection.execute(
        f"""SELECT service_name, charge_period_start::DATE, sum(billed_cost_usd)
            FROM charge JOIN series USING (series_id)
            WHERE source IN (SELECT unnest($sources)) AND {_known(view)} AND provider = $provider
              AND charge_category IN ('usage', 'purchase', 'credit') AND charge_period_start >= $since
            GROUP BY ALL ORDER BY ALL""",
        {"sources": list(view.sources), "provider": provider, "since": naive_utc(since)},
    ).fetchall()


def billed_skus(view: LedgerView, provider: str) -> list[tuple[str, str, str]]:
    """Return (service id, SKU id, SKU) of all that a provider ever billed."""
    return view.connection.execute(
        """SELECT DISTINCT service_id, sku_id, sku FROM series
           WHERE source IN (SELECT unnest($sources)) AND provider = $provider ORDER BY ALL""",
        {"sources": list(view.sources), "provider": provider},
    ).fetchall()


def daily_sku_costs(
    view: LedgerView, provider: str, since: datetime, skus: Sequence[tuple[str, str]]
) -> list[tuple[date, Decimal]]:
    """Return (UTC day, US dollars) of some SKUs (service id, SKU id) of a provider, all categories."""
    return view.connection.execute(
        f"""SELECT charge_period_start::DATE, sum(billed_cost_usd)
            FROM {_charges_of(view)} WHERE charge_period_start >= $since GROUP BY ALL ORDER BY ALL""",
        {**_parameters(view, provider, skus), "since": naive_utc(since)},
    ).fetchall()


def sku_costs(
    view: LedgerView, provider: str, windows: Sequence[Window], skus: Sequence[tuple[str, str]]
) -> list[SkuCost]:
    """Return what some SKUs (service id, SKU id) cost in each window, all categories, exactly."""
    sums = ", ".join(
        f"sum(billed_cost_usd) FILTER (charge_period_start >= '{naive_utc(begin)}' "
        f"AND charge_period_start < '{naive_utc(end)}')"
        for begin, end in windows
    )
    rows = view.connection.execute(
        f"""SELECT project_id, service_id, sku_id, sku, {sums} FROM {_charges_of(view)}
            WHERE charge_period_start >= $first AND charge_period_start < $last
            GROUP BY ALL ORDER BY ALL""",
        {
            **_parameters(view, provider, skus),
            "first": naive_utc(min(begin for begin, _ in windows)),
            "last": naive_utc(max(end for _, end in windows)),
        },
    ).fetchall()
    return [
        SkuCost(project_id, service_id, sku_id, sku, tuple(usd))
        for project_id, service_id, sku_id, sku, *usd in rows
    ]


def service_sku_costs(
    view: LedgerView, provider: str, since: datetime, service_ids: Collection[str]
) -> list[tuple[str, str, str, str, Decimal]]:
    """Return (service id, its name, SKU id, SKU, US dollars since then) of some services, all categories."""
    return view.connection.execute(
        f"""SELECT service_id, service_name, sku_id, sku, sum(billed_cost_usd)
            FROM charge JOIN (
              SELECT * FROM series
              WHERE source IN (SELECT unnest($sources)) AND provider = $provider
                AND service_id IN (SELECT unnest($services))
            ) USING (series_id)
            WHERE {_known(view)} AND charge_period_start >= $since AND billed_cost_usd IS NOT NULL
            GROUP BY ALL ORDER BY ALL""",
        {
            "sources": list(view.sources),
            "provider": provider,
            "services": list(service_ids),
            "since": naive_utc(since),
        },
    ).fetchall()


def _charges_of(view: LedgerView) -> str:
    return f"""(SELECT * FROM charge JOIN (
                  SELECT * FROM series
                    SEMI JOIN (SELECT unnest($services) AS service_id, unnest($skus) AS sku_id)
                    USING (service_id, sku_id)
                  WHERE source IN (SELECT unnest($sources)) AND provider = $provider
                ) USING (series_id) WHERE {_known(view)})"""


def _parameters(view: LedgerView, provider: str, skus: Sequence[tuple[str, str]]) -> dict[str, object]:
    return {
        "sources": list(view.sources),
        "provider": provider,
        "services": [service_id for service_id, _ in skus],
        "skus": [sku_id for _, sku_id in skus],
    }


def _known(view: LedgerView) -> str:
    return "true" if view.exported_before is None else f"export_hour < '{naive_utc(view.exported_before)}'"
