"""Reads the ledger: sums over windows, counters, invoices, freshness and lateness of the charges.

All sums are exact decimals; without a charge a sum is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from sys import intern
from typing import Any

import duckdb

from exporter.core.sql_times import sql_time
from exporter.ledger.charges.replacing import BILLED_USD, CREDIT_USD, SAME_CHARGE
from exporter.ledger.charges.window_rows import (
    Arrival,
    Freshness,
    InvoiceCost,
    KnownLater,
    Labels,
    SeriesTotals,
)

LABEL_COLUMNS = (
    "provider",
    "billing_account_id",
    "project_id",
    "service_name",
    "sku_id",
    "sku",
    "region_id",
    "charge_category",
)
"""The dimensions by which sums are given, in the order of their values in each row."""

_ROWS_AT_ONCE = 1024

Window = tuple[datetime, datetime]
"""Start (included) and end (excluded) of usage, aware."""

_LABELS = ", ".join(LABEL_COLUMNS)


@dataclass(frozen=True, slots=True)
class LedgerView:
    """One consistent state of the ledger, limited to some sources and, optionally, to a past time."""

    connection: duckdb.DuckDBPyConnection
    sources: Sequence[str]
    exported_before: datetime | None = None

    def known_later(self, moment: datetime) -> list[KnownLater]:
        """Return what usage before `moment` cost that became known only at or after it, by source."""
        rows = self._rows(
            f"""SELECT source, count(*), sum(billed_cost_usd), min(exported_at)
                FROM {
                self._charges(
                    f"charge_period_start < {sql_time(moment)} AND export_hour >= {sql_time(moment)}"
                )
            } GROUP BY source ORDER BY source"""
        )
        return [
            KnownLater(source, charges, usd, first.replace(tzinfo=UTC))
            for source, charges, usd, first in rows
        ]

    def renew(self) -> None:
        """Read on after a statement failed: from the state of now, which may be newer than the one before."""
        self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")

    def providers(self) -> list[str]:
        """Return the providers of all charges."""
        rows = self._rows(f"SELECT DISTINCT provider FROM {self._charges()} ORDER BY provider")
        return [provider for (provider,) in rows]

    def window_sums(
        self, provider: str, windows: Mapping[str, Window]
    ) -> list[tuple[Labels, tuple[Decimal | None, ...]]]:
        """Return net US dollars per series and window of usage; None where there is no charge."""
        bounds = {name: (sql_time(start), sql_time(end)) for name, (start, end) in windows.items()}
        sums = ", ".join(
            f'sum(usd) FILTER (charge_period_start >= {start} AND charge_period_start < {end}) AS "{name}"'
            for name, (start, end) in bounds.items()
        )
        again = ", ".join(f'sum("{name}")' for name in windows)
        earliest = min(start for start, _ in bounds.values())
        latest = max(end for _, end in bounds.values())
        rows = self._rows(
            f"""SELECT {_LABELS}, {again} FROM (
                  SELECT series_id, {sums} FROM (
                    SELECT series_id, charge_period_start, billed_cost_usd AS usd
                    FROM {
                self._charges(
                    f"provider = $provider AND charge_period_start >= {earliest} "
                    f"AND charge_period_start < {latest}"
                )
            }
                  ) GROUP BY series_id
                ) JOIN series USING (series_id) GROUP BY {_LABELS}""",
            provider=provider,
        )
        width = len(LABEL_COLUMNS)
        return [
            (_labels(row[:width]), row[width:])
            for row in rows
            if any(value is not None for value in row[width:])
        ]

    def series_totals(self) -> list[SeriesTotals]:
        """Return the counters of every series; as of a past hour, only from the charges known then."""
        if self.exported_before is None:
            rows = self._rows(
                f"""SELECT series_id, {_LABELS}, billed_usd_total, credit_usd_total, published,
                      billed_base_usd, credit_base_usd, epoch(counted_from), unseen
                    FROM series WHERE source IN (SELECT unnest($sources))"""
            )
        else:
            rows = self._rows(
                f"""SELECT series_id, {_LABELS}, sum({BILLED_USD}), sum({CREDIT_USD}),
                      NULL, 0::DECIMAL, 0::DECIMAL, epoch(min(export_hour)), false
                    FROM (SELECT {_LABELS}, sum(billed_cost_usd) AS billed_cost_usd, {SAME_CHARGE}
                          FROM {self._charges()} GROUP BY partition_id, {_LABELS}, {SAME_CHARGE})
                    GROUP BY series_id, {_LABELS}"""
            )
        width = len(LABEL_COLUMNS) + 1
        return [SeriesTotals(row[0], _labels(row[1:width]), *row[width:]) for row in rows]

    def counted_from(self) -> list[tuple[str, float]]:
        """Return (provider, seconds since 1970): since when each provider's bill is counted."""
        return [
            (provider, since)
            for provider, since in self._rows(
                """SELECT provider, epoch(min(counted_from)) AS since FROM series
                   WHERE source IN (SELECT unnest($sources)) GROUP BY ALL HAVING since IS NOT NULL"""
            )
        ]

    def restated(self) -> list[tuple[str, str, Decimal]]:
        """Return (provider, direction, US dollars) of the bill's restatements."""
        if self.exported_before is None:
            counted = self._rows(
                """SELECT provider, direction, sum(usd_total) FROM restated
                   WHERE source IN (SELECT unnest($sources)) GROUP BY ALL ORDER BY ALL"""
            )
            return [(provider, direction, usd) for provider, direction, usd in counted]
        corrections = self._charges(
            "(charge_category = 'adjustment' AND coalesce(corrects, true)) "
            "OR (charge_category = 'credit' AND billed_cost_usd > 0)"
        )
        rows = self._rows(
            f"""SELECT provider, CASE WHEN billed_cost_usd > 0 THEN 'up' ELSE 'down' END AS direction,
                  sum(abs(billed_cost_usd))
                FROM {corrections}
                GROUP BY ALL HAVING sum(abs(billed_cost_usd)) > 0 ORDER BY ALL"""
        )
        return [(provider, direction, usd) for provider, direction, usd in rows]

    def invoice_costs(self) -> list[InvoiceCost]:
        """Return cost by invoice month, without the months of which a part was never read or kept."""
        # Marks of cut invoices are from versions that did not keep their sums.
        rows = self._rows(
            f"""SELECT billing_account_id, invoice_month, billing_currency, charge_category, sum(billed_cost)
                FROM (
                  SELECT billing_account_id, invoice_month, billing_currency, charge_category, billed_cost
                  FROM {self._charges()}
                  UNION ALL
                  SELECT billing_account_id, invoice_month, billing_currency, charge_category, billed_cost
                  FROM invoice_part JOIN partition USING (partition_id)
                  WHERE source IN (SELECT unnest($sources)) AND {self._known()}
                )
                WHERE invoice_month > (SELECT coalesce(max(strftime(value::TIMESTAMP, '%Y%m')), '')
                                       FROM setting WHERE name = 'kept_from') AND invoice_month <> ''
                  AND invoice_month NOT IN (SELECT value FROM setting WHERE name = 'cut_invoice_month')
                GROUP BY ALL ORDER BY ALL"""
        )
        return [InvoiceCost(*row) for row in rows]

    def freshness(self) -> list[Freshness]:
        """Return how far each service's bill reaches, and when it last grew."""
        # What was billed ahead of its usage does not say that the bill reaches so far. Names are compared
        # once for each series.
        rows = self._rows(
            f"""SELECT provider, billing_account_id, service_name, max(through), max(exported) FROM (
                  SELECT series_id,
                    max(charge_period_start) FILTER (charge_period_start <= exported_at) + INTERVAL 1 HOUR
                      AS through,
                    max(exported_at) AS exported
                  FROM charge WHERE {self._known()} GROUP BY series_id
                ) JOIN series USING (series_id)
                WHERE source IN (SELECT unnest($sources)) GROUP BY ALL ORDER BY ALL"""
        )
        return [
            Freshness(
                provider,
                account,
                service,
                through.replace(tzinfo=UTC) if through else None,
                exported.replace(tzinfo=UTC),
            )
            for provider, account, service, through, exported in rows
        ]

    def arrivals(self, since: datetime, until: datetime) -> list[Arrival]:
        """Return at what age the cost of the usage hours in [since, until) became known, per account.

        Usage from before an account's first export is left out: it arrived all at once when the export was
        set up, which does not measure lateness. Taxes and corrections are left out too.
        """
        rows = self._rows(
            f"""WITH wanted AS (
                  SELECT series_id, provider, billing_account_id FROM series
                  WHERE source IN (SELECT unnest($sources)) AND charge_category = 'usage'
                ), begun AS (
                  SELECT provider, billing_account_id, min(first_known) AS first_export FROM (
                    SELECT series_id, min(export_hour) AS first_known FROM charge
                    WHERE {self._known()} GROUP BY series_id
                  ) JOIN wanted USING (series_id) GROUP BY ALL
                ), usage AS (
                  SELECT provider, billing_account_id, charge_period_start, export_hour,
                    sum(abs(billed_cost_usd)) AS usd
                  FROM charge JOIN wanted USING (series_id) JOIN begun USING (provider, billing_account_id)
                  WHERE charge_period_start >= greatest(first_export, {sql_time(since)})
                    AND charge_period_start >= {sql_time(since)}
                    AND charge_period_start < {sql_time(until)} AND {self._known()}
                  GROUP BY ALL
                ), counted AS (
                  SELECT provider, billing_account_id, count(DISTINCT charge_period_start) AS hours
                  FROM usage GROUP BY ALL
                )
                SELECT provider, billing_account_id,
                  date_diff('hour', charge_period_start, export_hour) AS age_hours,
                  sum(usd)::DOUBLE, any_value(hours)
                FROM usage JOIN counted USING (provider, billing_account_id)
                GROUP BY provider, billing_account_id, age_hours ORDER BY ALL"""
        )
        return [Arrival(*row) for row in rows]

    def state(self) -> tuple[object, ...]:
        """Return a value that changes whenever the charges in view change."""
        rows = self._rows(f"SELECT count(*), max(exported_at), sum(billed_cost_usd) FROM {self._charges()}")
        return next(rows)

    def skus(self) -> list[tuple[str, str, str, str, str, str]]:
        """Return (billing account, project, service id, service name, SKU id, SKU) of all that is billed."""
        rows = self._rows(
            """SELECT DISTINCT billing_account_id, project_id, service_id, service_name, sku_id, sku
               FROM series WHERE source IN (SELECT unnest($sources)) AND charge_category = 'usage'"""
        )
        return [(a, b, c, d, e, f) for a, b, c, d, e, f in rows]

    def _charges(self, condition: str = "true") -> str:
        """Return a FROM clause of the charges in this view, joined with their dimensions."""
        return (
            "(SELECT * FROM charge JOIN series USING (series_id) "
            f"WHERE source IN (SELECT unnest($sources)) AND {self._known()} AND ({condition}))"
        )

    def _known(self) -> str:
        return f"export_hour < {sql_time(self.exported_before)}" if self.exported_before else "true"

    def _rows(self, sql: str, **parameters: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows in chunks: as objects they are many times larger than in the database."""
        result = self.connection.execute(sql, {"sources": list(self.sources), **parameters})
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _labels(values: tuple[str, ...]) -> Labels:
    """Share equal texts: a few hundred distinct ones make up tens of thousands of series."""
    return tuple(map(intern, values))
