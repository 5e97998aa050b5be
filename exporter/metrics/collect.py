"""What is shown beside the bill: live usage and its price, estimates, language models, past accuracy.

Each kind is made by itself, and one that cannot be made takes nothing from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import TypeVar

from exporter.analysis.bill.attribution import Attribution
from exporter.analysis.unit_cost.rates import RateCard
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.core.ownership import HOURLY_BILLS
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError
from exporter.ledger.usage.llm import LlmView, billed_providers
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.attribution import (
    BusinessUnit,
    attributed_costs,
    category_families,
    label_families,
    unit_families,
)
from exporter.metrics.budgets import budget_families, threshold_family
from exporter.metrics.exporter_cost import Watching
from exporter.metrics.families import FamilySamples
from exporter.metrics.live_usage import (
    NOTHING_LIVE,
    SHOWN_FOR,
    LiveFigures,
    live_figures,
    prices,
    read_live_usage,
)
from exporter.metrics.llm import llm_families
from exporter.metrics.model_names import ModelNames
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from exporter.metrics.outlooks.budget_outlook import Budgeting, BudgetOutlook
from exporter.metrics.outlooks.daily_nowcast import daily_outlooks
from exporter.metrics.outlooks.nowcast import Nowcasting, Outlook
from exporter.metrics.savings import Savings, TellsRecommendations
from exporter.metrics.settled_day import settled_day_families
from exporter.metrics.spikes import Floors, Judged, billed_spikes, spike_families, usage_spikes
from exporter.sources.status import SourceStatus

logger = logging.getLogger(__name__)

_Made = TypeVar("_Made")

OTHER_BILLS_ZONE = "UTC"
"""Days of providers that no source of their own bills, such as those of FOCUS files."""


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """What the configuration says of them."""

    llm_service_ids: tuple[str, ...] = GCP_LLM_SERVICE_IDS
    """Services of Google's bill that are language models."""
    rate_card: RateCard | None = None
    attribution: Attribution | None = None
    """Rules that sort charges into categories; None without any."""
    label_costs: tuple[str, ...] = ()
    """Labels by whose values the month's cost is told."""
    units: tuple[BusinessUnit, ...] = ()
    """Units of the user's business whose cost is told."""
    budgets: BudgetRules = BudgetRules()  # noqa: RUF009 - frozen
    alert_thresholds: Mapping[str, float] = field(default_factory=dict)
    """What rules compare with, by name."""


class Figures:
    """Made anew for each snapshot; what is dear to make is kept as long as it holds."""

    def __init__(
        self,
        ledger: Ledger,
        sources: Sequence[str],
        timezones: Mapping[str, str],
        settings: FigureSettings,
        *,
        recommenders: Sequence[TellsRecommendations] = (),
        told_budgets: Callable[[], Sequence[Budget]] = tuple,
    ) -> None:
        """`sources` are the names of those configured; `timezones` the billing zones of their providers.

        `told_budgets` returns the budgets that sources have found at providers.
        """
        self._ledger = ledger
        self._sources = tuple(sources)
        self._zones = dict(timezones)
        self._settings = settings
        self._nowcasting = Nowcasting()
        self._names = ModelNames(settings.llm_service_ids)
        self._savings = Savings(recommenders)
        self._budgeting = Budgeting()
        self._told_budgets = told_budgets
        self._watching = Watching()
        self._settled: tuple[object, list[FamilySamples]] | None = None

    def timezones(self, view: LedgerView) -> dict[str, str]:
        """Return the billing zone of every provider with a bill."""
        found = dict.fromkeys(billed_providers(view), OTHER_BILLS_ZONE)
        return found | self._zones

    def gcp_usage(self, view: LedgerView) -> UsageView | None:
        """Return live usage of Google Cloud, where a source tells it."""
        return UsageView(view.connection) if "cloud_monitoring" in self._sources else None

    def live(self, now: datetime) -> LiveFigures:
        """Price what was used since the last time, and tell live usage; nothing without a source of it."""
        if "cloud_monitoring" not in self._sources:
            return NOTHING_LIVE
        usage = UsageLedger(self._ledger)
        with self._ledger.view(self._sources) as view:
            state = UsageView(view.connection)
            live = read_live_usage(view, state, now, self._settings.rate_card)
            unpriced = prices(state.totals(now - SHOWN_FOR), live.rates)
        try:
            usage.price(unpriced)
        except LedgerError as error:
            logger.error("%s", error)  # noqa: TRY400 (the text says it all)
        with usage.view() as state:
            return live_figures(state, live, now)

    def outlooks(self, view: LedgerView, now: datetime) -> Sequence[Outlook]:
        """Estimate what is not billed yet; as of a past hour from the bill alone."""
        present = view.exported_before is None
        zones = self.timezones(view)
        hourly = {provider: zone for provider, zone in zones.items() if provider in HOURLY_BILLS}
        usage = self.gcp_usage(view) if present else None
        llm = LlmView(view.connection, self._sources) if present else None
        return [
            *_or_nothing("the nowcast", lambda: self._nowcasting.outlooks(view, usage, now, hourly)),
            *_or_nothing("the daily nowcast", lambda: daily_outlooks(view, llm, now, zones)),
        ]

    def savings(self, view: LedgerView, now: datetime) -> Sequence[FamilySamples]:
        """Tell what could be saved; nothing as of a past hour."""
        if view.exported_before is not None:
            return ()
        return _or_nothing(
            "what could be saved",
            lambda: self._savings.families(view, self.gcp_usage(view), now, self._settings.rate_card),
        )

    def language_models(self, view: LedgerView, now: datetime) -> Sequence[FamilySamples]:
        """Tell what language models cost and used."""
        usage = LlmView(view.connection, self._sources) if view.exported_before is None else None
        return _or_nothing(
            "the figures of language models",
            lambda: llm_families(view, usage, now, self.timezones(view), self._names),
        )

    def attributed(
        self, view: LedgerView, now: datetime, unit_counts: Mapping[str, float]
    ) -> Sequence[FamilySamples]:
        """Tell billed cost by category, by label and for one unit; `unit_counts` are yesterday's."""
        return _or_nothing("the attributed costs", lambda: self._attributed(view, now, unit_counts))

    def _attributed(
        self, view: LedgerView, now: datetime, unit_counts: Mapping[str, float]
    ) -> Sequence[FamilySamples]:
        settings = self._settings
        if settings.attribution is None and not settings.label_costs and not settings.units:
            return ()
        rules = settings.attribution or Attribution()
        costs = attributed_costs(view, now, self.timezones(view), rules, self._names.of_charge)
        families = label_families(costs, settings.label_costs)
        if settings.attribution is not None:
            families += category_families(costs, rules)
        return [*families, *unit_families(costs, settings.units, unit_counts)]

    def budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        """Say how each budget stands, those of the configuration first."""
        return _or_nothing("the budgets", lambda: self._budgets(view, now, outlooks))

    def _budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        rules = self._settings.budgets
        rules = replace(
            rules, budgets=(*rules.budgets, *self._told_budgets()), model_of=self._names.of_charge
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
        """Tell what alerts go by: budgets, spikes, settled days, what watching costs, and thresholds."""
        return (
            *_or_nothing("the figures of budgets", lambda: budget_families(budgets, now)),
            *_or_nothing("the spikes", lambda: spike_families(self._spikes(view, now, outlooks))),
            *_or_nothing("the settled days", lambda: self._settled_days(view, now)),
            *_or_nothing("the cost of watching", lambda: [self._watching.family(statuses, now)]),
            threshold_family(self._settings.alert_thresholds),
        )

    def _spikes(self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]) -> list[Judged]:
        thresholds = self._settings.alert_thresholds
        floors = Floors(thresholds.get("hourly_spike_usd", inf), thresholds.get("spike_score", inf))
        found = billed_spikes(view, outlooks, floors)
        if view.exported_before is None:
            found += usage_spikes(view, LlmView(view.connection, self._sources), outlooks, floors, now)
        return found

    def _settled_days(self, view: LedgerView, now: datetime) -> list[FamilySamples]:
        state = (now.replace(minute=0, second=0, microsecond=0), view.exported_before, view.state())
        if self._settled is None or self._settled[0] != state:
            self._settled = (state, settled_day_families(view, now, self.timezones(view)))
        return self._settled[1]


def _or_nothing(what: str, make: Callable[[], Sequence[_Made]]) -> Sequence[_Made]:
    try:
        return make()
    except Exception:
        logger.exception("%s could not be made; left out until the next snapshot", what)
        return ()
