"""What is shown beside the bill: live usage and its price, estimates, language models, past accuracy.

Each kind is made by itself, and one that cannot be made takes nothing from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from exporter.analysis.rates import RateCard
from exporter.budget_families import budget_families, threshold_family
from exporter.budgeting import Budgeting, BudgetOutlook
from exporter.budgets import Budget, BudgetRules
from exporter.config_llm import GCP_LLM_SERVICE_IDS
from exporter.daily_nowcasting import daily_outlooks
from exporter.ledger.llm_queries import LlmView, billed_providers
from exporter.ledger.opening import LedgerError
from exporter.ledger.queries import LedgerView
from exporter.ledger.store import Ledger
from exporter.ledger.usage import UsageLedger
from exporter.ledger.usage_queries import UsageView
from exporter.llm_families import llm_families
from exporter.metrics import FamilySamples
from exporter.nowcasting import Nowcasting, Outlook
from exporter.ownership import HOURLY_BILLS
from exporter.usage_families import (
    NOTHING_LIVE,
    SHOWN_FOR,
    LiveFigures,
    live_figures,
    prices,
    read_live_usage,
)

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
        self._budgeting = Budgeting()
        self._told_budgets = told_budgets

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

    def language_models(self, view: LedgerView, now: datetime) -> Sequence[FamilySamples]:
        """Tell what language models cost and used."""
        usage = LlmView(view.connection, self._sources) if view.exported_before is None else None
        return _or_nothing(
            "the figures of language models",
            lambda: llm_families(view, usage, now, self.timezones(view), self._settings.llm_service_ids),
        )

    def budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        """Say how each budget stands, those of the configuration first."""
        return _or_nothing("the budgets", lambda: self._budgets(view, now, outlooks))

    def _budgets(
        self, view: LedgerView, now: datetime, outlooks: Sequence[Outlook]
    ) -> Sequence[BudgetOutlook]:
        rules = self._settings.budgets
        rules = replace(rules, budgets=(*rules.budgets, *self._told_budgets()))
        return self._budgeting.outlooks(view, now, self.timezones(view), outlooks, rules)

    def alerting(self, now: datetime, budgets: Sequence[BudgetOutlook]) -> Sequence[FamilySamples]:
        """Tell what alerts go by: budgets and thresholds."""
        return (
            *_or_nothing("the figures of budgets", lambda: budget_families(budgets, now)),
            threshold_family(self._settings.alert_thresholds),
        )


def _or_nothing(what: str, make: Callable[[], Sequence[_Made]]) -> Sequence[_Made]:
    try:
        return make()
    except Exception:
        logger.exception("%s could not be made; left out until the next snapshot", what)
        return ()
