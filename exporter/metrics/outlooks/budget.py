"""A budget: which charges it counts, its limit, its period, and its alert thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from exporter.analysis.bill.attribution import Attribution, Combination, Match
from exporter.analysis.budgets.budget_state import Period, budget_period
from exporter.ledger.charges.attribution import Values
from exporter.metrics.attribution import ModelOf, combination, model_by_contract

_BY_OWN_DATES = ("month", "quarter", "year")

Severity = Literal["info", "warning", "critical"]
Basis = Literal["actual", "forecast"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """The alert fires from this share of the limit on."""

    basis: Basis
    severity: Severity
    ratio: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What some charges may cost in a period."""

    name: str
    period: Period | Literal["custom"]
    limit: Decimal | None
    """In `currency`. None: the billed cost of the previous period, in US dollars."""
    match: Match = field(default_factory=Match)
    categories: tuple[str, ...] = ()
    """A charge must match one of these, if there are any."""
    with_credits: bool = True
    thresholds: tuple[Threshold, ...] = ()
    timezone: str | None = None
    """None: the billing zone of the one provider it is about, else UTC."""
    custom_period: tuple[datetime, datetime] | None = None
    """Of the period `custom`."""
    currency: str = "USD"
    """Other currencies are converted at the recent rate of the bill."""

    def counts(self, charge: Combination, attribution: Attribution) -> bool:
        """Return whether the budget counts a charge."""
        return self.match.matches(charge) and (
            not self.categories or attribution.category(charge) in self.categories
        )

    def zone(self, zones: Mapping[str, str]) -> str:
        """Return the time zone of its periods; `zones` has the billing zone of each provider."""
        about = [name.casefold() for name in self.match.providers] or list(zones)
        return self.timezone or (zones.get(about[0], "UTC") if len(about) == 1 else "UTC")

    def window(self, now: datetime, zones: Mapping[str, str]) -> tuple[datetime, datetime]:
        """Return start and end (excluded) of the period of `now`, in UTC."""
        if self.period == "custom":
            if self.custom_period is None:
                raise ValueError(f"The budget {self.name} has a custom period without its dates.")
            return self.custom_period
        return budget_period(now, self.period, self.zone(zones))

    def window_of(
        self, provider: str, window: tuple[datetime, datetime], zones: Mapping[str, str]
    ) -> tuple[datetime, datetime]:
        """Return the same dates in a provider's own billing zone, where the budget names no zone.

        So a month's budget of several providers counts each provider's own billing month. Days and weeks are
        those of one zone: a day that ends before a provider's own day would never be complete.
        """
        if self.timezone is not None or self.period not in _BY_OWN_DATES or provider not in zones:
            return window
        own, zone = ZoneInfo(self.zone(zones)), ZoneInfo(zones[provider])
        begin, end = (
            datetime.combine(moment.astimezone(own).date(), time(), zone).astimezone(UTC) for moment in window
        )
        return begin, end


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """The budgets of an exporter, and how charges are matched to them."""

    budgets: tuple[Budget, ...] = ()
    attribution: Attribution = field(default_factory=Attribution)
    """Returns the category of a charge."""
    model_of: ModelOf = model_by_contract

    def counted_by(self, values: Values) -> list[bool]:
        """Return for each budget whether it counts a kind of charge, given the ledger's values."""
        charge = combination(values, self.model_of)
        return [budget.counts(charge, self.attribution) for budget in self.budgets]
