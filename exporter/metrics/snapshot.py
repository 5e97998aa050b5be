"""The snapshot: everything a scrape or the landing page shows, immutable and already rendered.

Built from one consistent state of the ledger, at a given time. Readers never wait for the next one.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from exporter import __version__
from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.unit_cost.unit_cost import CloudRunHour
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics import families as metrics
from exporter.metrics.billed import billed_families, invoice_families, lateness_families
from exporter.metrics.counters import Counters
from exporter.metrics.coverage import bill_coverage, coverage_families
from exporter.metrics.exposition.exposition import NOTHING_RENDERED, Exposition, Renderer, render
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.outcomes import BILL, Outcomes
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.outlooks.outlook import Outlook, month_to_date_family, outlook_families
from exporter.sources.base import BilledReads
from exporter.sources.status import SourceStatus

HEADINGS = {
    "today": "Today, billed so far",
    "yesterday": "Yesterday",
    "month_to_date": "Month to date",
    "last_month": "Last month",
}
"""Headings of the billed windows in `Snapshot.totals`."""

_DETAILS = (
    metrics.SPEND_CLOUD_RUN_COST_PER_REQUEST_USD,
    metrics.SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST,
    metrics.SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD,
    metrics.SPEND_CLOUD_RUN_COLD_START_RATIO,
    metrics.SPEND_RECOMMENDATION_SAVINGS,
    metrics.SPEND_RECOMMENDATION_INFO,
    metrics.SPEND_SPIKE_USD,
    metrics.SPEND_SPIKE_HOUR_USD,
    metrics.SPEND_SPIKE_SCORE,
    metrics.SPEND_SPIKE_HOUR,
    metrics.SPEND_ALERT_THRESHOLD,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent state of all metrics."""

    exposition: Exposition
    built_at: datetime
    """Aware."""
    ready: bool
    """False until the first refresh of a source of a bill has ended, unless an earlier process read it."""
    sources: tuple[SourceStatus, ...]
    totals: tuple[tuple[str, Decimal | None], ...]
    """Heading and amount in USD, in the order to show; None where the amount is not known yet."""
    outlooks: tuple[Outlook, ...] = ()
    """By provider; valid for any moment of the hour."""
    cloud_run: CloudRunHour | None = None
    """Over the trailing hour; None where no live usage is known."""
    budgets: tuple[BudgetOutlook, ...] = ()
    """Valid for any moment of the hour."""
    coverage: BillCoverage = BillCoverage()  # noqa: RUF009 - frozen
    """Where the bill begins, and which of the windows are therefore partial."""
    outcomes: Exposition = NOTHING_RENDERED
    """Whether each part could be computed; separate, because it changes even when the rest does not."""
    failed_figures: tuple[str, ...] = ()
    """Parts that could not be computed."""
    storage_notes: tuple[str, ...] = ()
    """What people should know of the ledger and its disk, a sentence each."""
    details: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)
    """Values by labels of the families that people read as text as well, by name of the family."""
    llm_shares: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Share of language models in the cost of a service, by provider and name; missing without any."""

    @property
    def has_bill(self) -> bool:
        """Whether it shows any billed cost."""
        return any(usd is not None for _, usd in self.totals)

    @property
    def text(self) -> bytes:
        """The whole exposition in text format 0.0.4."""
        return self.exposition.text + self.outcomes.text

    @property
    def openmetrics(self) -> bytes:
        """The whole exposition in OpenMetrics 1.0, without the closing line."""
        return self.exposition.openmetrics + self.outcomes.openmetrics


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot, and the series whose exposure must be remembered (see Ledger.publish)."""

    snapshot: Snapshot
    newly_own: list[int]
    newly_folded: list[int]


def build(
    view: LedgerView,
    now: datetime,
    timezones: Mapping[str, str],
    statuses: Sequence[SourceStatus],
    max_series: int,
    *,
    families: Sequence[FamilySamples] = (),
    outlooks: Sequence[Outlook] = (),
    cloud_run: CloudRunHour | None = None,
    budgets: Sequence[BudgetOutlook] = (),
    outcomes: Outcomes | None = None,
    counters: Counters | None = None,
    renderer: Renderer | None = None,
    estimates_pending: bool = False,
    llm_shares: Mapping[tuple[str, str], float] | None = None,
) -> Built:
    """Compute every metric from one state of the ledger and render it.

    `timezones` has the billing zone of each provider whose sources are configured; `families` are the
    figures computed next to the bill, `outlooks` the estimates; while `estimates_pending` no family is shown
    that has a billed and an estimated part. `counters` is of this process, without it counters begin now;
    `renderer` has rendered the snapshot before. The rest is as in Snapshot.
    """
    started = time.monotonic()
    everything_read = all(status.up is not None for status in statuses if status.reads_bill)
    billed = billed_families(view, now, timezones, max_series, everything_read=everything_read)
    coverage = bill_coverage(view, now, timezones)
    bill = [
        *billed.families,
        *coverage_families(coverage),
        *invoice_families(view),
        *lateness_families(view, now, timezones),
        *(() if estimates_pending else (month_to_date_family(billed.month_to_date, outlooks, now),)),
    ]
    outcomes = outcomes or Outcomes()
    outcomes.note(BILL, success=True, seconds=time.monotonic() - started)
    shown = [
        *bill,
        *outlook_families(outlooks, now),
        *families,
        *_source_families(statuses),
        FamilySamples(metrics.SPEND_EXPORTER_BUILD_INFO, [((__version__, platform.python_version()), 1.0)]),
    ]
    awaited = awaited_bills(statuses)
    totals = tuple((HEADINGS[name], None if awaited else usd) for name, usd in billed.window_totals.items())
    of_bills = [status for status in statuses if status.reads_bill] or statuses
    ready = any(not status.awaited for status in of_bills)
    snapshot = Snapshot(
        exposition=(renderer or Renderer()).render((counters or Counters(now)).begin(shown, now)),
        built_at=now,
        ready=ready,
        sources=tuple(statuses),
        totals=totals,
        outlooks=tuple(outlooks),
        cloud_run=cloud_run,
        budgets=tuple(budgets),
        coverage=BillCoverage() if awaited else coverage,
        outcomes=render(outcomes.families()),
        failed_figures=outcomes.failed,
        details={each.family.name: dict(each.samples) for each in families if each.family in _DETAILS},
        llm_shares=llm_shares or {},
    )
    return Built(snapshot, billed.newly_own, billed.newly_folded)


def awaited_bills(statuses: Sequence[SourceStatus]) -> tuple[str, ...]:
    """Return the sources of bills whose first read is under way: no sum over sources is shown until then."""
    return tuple(status.name for status in statuses if status.reads_bill and status.awaited)


def _source_families(statuses: Sequence[SourceStatus]) -> list[FamilySamples]:
    """Health of the sources. Before a source's first refresh has ended, only its counters are known."""

    def each(family: Family, value: Callable[[SourceStatus], float | None]) -> FamilySamples:
        pairs = [((status.name,), value(status)) for status in statuses]
        return FamilySamples(family, [(labels, number) for labels, number in pairs if number is not None])

    errors = [
        ((status.name, reason), float(count))
        for status in statuses
        for reason, count in sorted(status.errors.items())
    ]
    series = [status.series_returned for status in statuses if status.billed_reads is BilledReads.SERIES]
    billed_bytes = [status.billed_bytes for status in statuses if status.billed_reads is BilledReads.BYTES]
    return [
        each(metrics.SPEND_SOURCE_UP, lambda status: None if status.up is None else float(status.up)),
        each(
            metrics.SPEND_WITHHELD_RETRACTION_USD,
            lambda status: (
                float(status.withheld_usd or 0) if status.reads_bill and status.up is not None else None
            ),
        ),
        each(
            metrics.SPEND_SOURCE_UNREADABLE_FILES,
            lambda status: None if status.up is None else float(status.unreadable_files),
        ),
        each(metrics.SPEND_SOURCE_READ_WHOLE, lambda status: float(status.shown)),
        each(
            metrics.SPEND_SOURCE_LAST_SUCCESS,
            lambda status: status.last_success.timestamp() if status.last_success else None,
        ),
        each(metrics.SPEND_SOURCE_REFRESH_DURATION, lambda status: status.refresh_duration_seconds),
        each(metrics.SPEND_SOURCE_UPDATE_INTERVAL, lambda status: status.update_interval_seconds),
        FamilySamples(metrics.SPEND_SOURCE_ERRORS_TOTAL, errors),
        each(metrics.SPEND_SOURCE_ROWS_TOTAL, lambda status: float(status.rows)),
        each(metrics.SPEND_SOURCE_REQUESTS_TOTAL, lambda status: float(status.requests)),
        FamilySamples(
            metrics.SPEND_BIGQUERY_BILLED_BYTES_TOTAL,
            [((), float(sum(billed_bytes)))] if billed_bytes else [],
        ),
        FamilySamples(
            metrics.SPEND_MONITORING_SERIES_RETURNED_TOTAL, [((), float(sum(series)))] if series else []
        ),
    ]
