"""Collects the figures shown next to the bill: live usage and its price, estimates, language models, budgets.

Each figure is computed separately: one that fails is reported and affects no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from exporter.analysis.bill.attribution import Attribution
from exporter.core.providers import OTHER_BILLS_ZONE
from exporter.core.source_names import of_kind
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError
from exporter.ledger.usage.handover import hand_over, reporters
from exporter.ledger.usage.llm import LlmView, billed_providers
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.attribution import (
    attributed_costs,
    category_families,
    label_families,
    unit_families,
)
from exporter.metrics.budgets import budget_families, threshold_family
from exporter.metrics.exporter_cost import ExporterCost
from exporter.metrics.families import FamilySamples
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.live_usage import (
    NOTHING_LIVE,
    SHOWN_FOR,
    LiveUsageFigures,
    live_figures,
    prices,
    read_live_usage,
)
from exporter.metrics.llm import USAGE_METERS, llm_families, llm_shares, usage_owners
from exporter.metrics.model_names import ModelNames
from exporter.metrics.outcomes import Outcomes
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.budget_outlook import Budgeting, BudgetOutlook
from exporter.metrics.outlooks.daily_nowcast import daily_outlooks
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.savings import Savings
from exporter.metrics.spikes import Judged, spike_families
from exporter.metrics.unusual_cost import Explain, UnusualCost, explain_nothing
from exporter.sources.base import Source, billing_zones, reads_bill
from exporter.sources.registry import HOURLY_BILLS, OWNERSHIP
from exporter.sources.status import SourceStatus

if TYPE_CHECKING:
    from exporter.metrics.outlooks.nowcast import Nowcasting

logger = logging.getLogger(__name__)

_Computed = TypeVar("_Computed")

_NO_FAMILIES: Sequence[FamilySamples] = ()


class SnapshotCollector:
    """Computes the figures of each snapshot; slow results are kept while they are valid."""

    def __init__(
        self,
        ledger: Ledger,
        sources: Sequence[Source],
        settings: FigureSettings,
        *,
        provider_budgets: Callable[[], Sequence[Budget]] = tuple,
        explain: Explain = explain_nothing,
        outcomes: Outcomes | None = None,
    ) -> None:
        """`provider_budgets` returns the budgets that sources read from their providers.

        `explain` says why services rose.
        """
        self._ledger = ledger
        live_of = {source.provider for source in sources if source.reads_live_usage}
        self._live_sources = frozenset(source.name for source in sources if source.reads_live_usage)
        # The bill of the same provider has the prices; of several accounts any has most of them.
        self._prices_of_live = frozenset(
            source.name for source in sources if reads_bill(source) and source.provider in live_of
        )
        self._zones = billing_zones(sources)
        self._reads_live_usage = any(source.reads_live_usage for source in sources)
        self._settings = settings
        self._nowcasting: Nowcasting | None = None
        self._models = ModelNames(settings.llm_service_ids)
        self._savings = Savings(sources)
        self._budgeting = Budgeting()
        self._provider_budgets = provider_budgets
        self._exporter_cost = ExporterCost()
        self._unusual = UnusualCost(settings.alert_thresholds, explain)
        self.outcomes = outcomes or Outcomes()

    def timezones(self, view: LedgerView) -> dict[str, str]:
        """Return the billing zone of every provider with a bill."""
        found = dict.fromkeys(billed_providers(view), OTHER_BILLS_ZONE)
        return found | self._zones

    def live_usage(self, view: LedgerView) -> UsageView | None:
        """Return live usage of resources, if a source reads it."""
        return UsageView(view.connection) if self._reads_live_usage else None

    def live(self, now: datetime, statuses: Sequence[SourceStatus]) -> LiveUsageFigures:
        """Price the usage since the last time, and return the figures of live usage, if a source reads it.

        Nothing while that source, or every bill that has the prices, is read for the first time.
        """
        awaited = {status.name for status in statuses if status.awaited}
        if not self._reads_live_usage or awaited & self._live_sources:
            return NOTHING_LIVE
        if self._prices_of_live and self._prices_of_live <= awaited:
            return NOTHING_LIVE
        shown = [status.name for status in statuses if status.shown]
        return self._compute("live_usage", lambda: self._live(now, shown), NOTHING_LIVE, now)

    def _live(self, now: datetime, shown: Sequence[str]) -> LiveUsageFigures:
        usage = UsageLedger(self._ledger)
        with self._ledger.view(shown) as view:
            state = UsageView(view.connection)
            live = read_live_usage(view, state, now, self._settings.rate_card)
            unpriced = prices(state.totals(now - SHOWN_FOR), live.rates)
        try:
            usage.price(unpriced)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)
        with usage.view() as state:
            return live_figures(state, live, now)

    def outlooks(self, view: LedgerView, now: datetime) -> Sequence[Outlook]:
        """Estimate the cost that is not billed yet; as of a past hour, only from the bill."""
        present = view.exported_before is None
        zones = self.timezones(view)
        hourly = {provider: zone for provider, zone in zones.items() if provider in HOURLY_BILLS}
        usage = self.live_usage(view) if present else None
        llm = LlmView(view.connection, view.sources) if present else None
        if self._nowcasting is None:
            # It loads numpy, which `serve` leaves to the process that estimates.
            from exporter.metrics.outlooks.nowcast import Nowcasting  # noqa: PLC0415

            self._nowcasting = Nowcasting()
        nowcasting = self._nowcasting
        none: Sequence[Outlook] = ()
        return [
            *self._compute("nowcast", lambda: nowcasting.outlooks(view, usage, now, hourly), none, now, view),
            *self._compute(
                "daily_nowcast",
                lambda: daily_outlooks(view, llm, now, zones, OWNERSHIP),
                none,
                now,
                view,
            ),
        ]

    def savings(self, view: LedgerView, now: datetime) -> Sequence[FamilySamples]:
        """Return possible savings; nothing as of a past hour."""
        if view.exported_before is not None:
            return ()
        card = self._settings.rate_card
        return self._compute(
            "savings",
            lambda: self._savings.families(view, self.live_usage(view), now, card),
            _NO_FAMILIES,
            now,
            view,
        )

    def hand_over_usage(self, statuses: Sequence[SourceStatus]) -> None:
        """Let counters of LLM usage go on where another source counts from now on, before they are read."""
        shown = [status.name for status in statuses if status.shown]
        awaited = [status.name for status in statuses if status.awaited]
        try:
            reported_by = reporters(self._ledger, shown, USAGE_METERS)
            owners = usage_owners(reported_by, awaited)
            counting = {provider: of_kind(kind, reported_by[provider]) for provider, kind in owners.items()}
            hand_over(self._ledger, counting, USAGE_METERS)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)

    def language_models(
        self, view: LedgerView, now: datetime, statuses: Sequence[SourceStatus]
    ) -> Sequence[FamilySamples]:
        """Return cost and usage of language models."""
        awaited = [status.name for status in statuses if status.awaited]
        usage = LlmView(view.connection, view.sources) if view.exported_before is None else None
        return self._compute(
            "language_models",
            lambda: llm_families(view, usage, now, self.timezones(view), self._models, awaited=awaited),
            _NO_FAMILIES,
            now,
            view,
        )

    def llm_shares(self, view: LedgerView, now: datetime) -> Mapping[tuple[str, str], float]:
        """Return the share of language models in the cost of each service, by provider and name."""
        none: Mapping[tuple[str, str], float] = {}
        return self._compute(
            "language_model_shares",
            lambda: llm_shares(view, now, self.timezones(view), self._models),
            none,
            now,
            view,
        )

    def attributed(
        self, view: LedgerView, now: datetime, unit_counts: Mapping[str, float]
    ) -> Sequence[FamilySamples]:
        """Return billed cost by category, by label and per unit; `unit_counts` are yesterday's."""
        return self._compute(
            "attribution", lambda: self._attributed(view, now, unit_counts), _NO_FAMILIES, now, view
        )

    def _attributed(
        self, view: LedgerView, now: datetime, unit_counts: Mapping[str, float]
    ) -> Sequence[FamilySamples]:
        settings = self._settings
        if settings.attribution is None and not settings.label_costs and not settings.units:
            return ()
        rules = settings.attribution or Attribution()
        costs = attributed_costs(view, now, self.timezones(view), rules, self._models.of_charge)
        families = label_families(costs, settings.label_costs)
        if settings.attribution is not None:
            families += category_families(costs, rules)
        return [*families, *unit_families(costs, settings.units, unit_counts)]

    def budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        """Return the state of each budget, those of the configuration first."""
        return self._compute("budgets", lambda: self._budgets(view, now, outlooks), (), now, view)

    def _budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        rules = self._settings.budgets
        rules = replace(
            rules, budgets=(*rules.budgets, *self._provider_budgets()), model_of=self._models.of_charge
        )
        return self._budgeting.outlooks(view, now, self.timezones(view), outlooks, rules)

    def alerting(
        self,
        view: LedgerView,
        now: datetime,
        outlooks: Sequence[Outlook],
        budgets: Sequence[BudgetOutlook],
        statuses: Sequence[SourceStatus],
    ) -> Sequence[FamilySamples]:
        """Return the figures of alerts: budgets, spikes, settled days, the exporter's cost, thresholds."""
        exporter_cost, unusual = self._exporter_cost, self._unusual
        usage = LlmView(view.connection, view.sources) if view.exported_before is None else None
        found: list[Judged] = []
        spikes = self._compute("spikes", lambda: unusual.spikes(view, usage, now, outlooks), found, now, view)
        days = self._compute(
            "settled_days",
            lambda: unusual.settled_days(view, now, self.timezones(view)),
            _NO_FAMILIES,
            now,
            view,
        )
        return (
            *self._compute("budget_series", lambda: budget_families(budgets, now), _NO_FAMILIES, now),
            *spike_families(spikes),
            *days,
            *self._compute(
                "explanations",
                lambda: unusual.explanations(view, now, self.timezones(view), spikes, days),
                _NO_FAMILIES,
                now,
                view,
            ),
            *self._compute("exporter_cost", lambda: [exporter_cost.family(statuses, now)], _NO_FAMILIES, now),
            threshold_family(self._settings.alert_thresholds),
        )

    def _compute(
        self,
        figure: str,
        compute: Callable[[], _Computed],
        otherwise: _Computed,
        now: datetime,
        view: LedgerView | None = None,
    ) -> _Computed:
        """Compute one figure, from `view` where it reads one."""
        computed = self.outcomes.compute(figure, compute, otherwise, hour=_hour(now))
        if view is not None and figure in self.outcomes.failed:
            # A statement that fails ends the transaction: without a new one every further figure fails too.
            view.renew()
        return computed


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)
