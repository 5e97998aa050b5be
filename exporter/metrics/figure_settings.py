"""The settings of the figures that are shown next to the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.analysis.bill.attribution import Attribution
from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.outlooks.budget import BudgetRules


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """The settings of the figures."""

    llm_service_ids: tuple[str, ...] = GCP_LLM_SERVICE_IDS
    """Services of Google's bill that are language models."""
    rate_card: RateCard | None = None
    attribution: Attribution | None = None
    """Rules that sort charges into categories; None without any."""
    label_costs: tuple[str, ...] = ()
    """Labels whose values get their own cost of the month."""
    units: tuple[BusinessUnit, ...] = ()
    """Units of the user's business whose cost is shown."""
    budgets: BudgetRules = BudgetRules()  # noqa: RUF009 - frozen
    alert_thresholds: Mapping[str, float] = field(default_factory=dict)
    """Thresholds of alert rules, by name."""
