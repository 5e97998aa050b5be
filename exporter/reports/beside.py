"""The figures of a report that are no sums of the bill: budgets, forecast, units, savings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.attribution import Attribution
from exporter.ledger.charges.attribution import AttributionView
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics import families as metrics
from exporter.metrics.attribution import BusinessUnit, ModelOf, combination
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.budget import BudgetRules
from exporter.metrics.outlooks.budget_outlook import Budgeting, BudgetOutlook
from exporter.metrics.outlooks.outlook import Outlook
from exporter.questions.cost_answer import amount_text
from exporter.questions.report_answer import BudgetLine, Forecast, SavingLine, UnitOfBusiness
from exporter.reports.period import ReportPeriod

_QUANTILES: Final = (0.1, 0.5, 0.9)
_MOST_SAVINGS: Final = 10

CountUnits = Callable[[datetime], Mapping[str, float]]
"""Returns the number of each unit over the day before that of a moment; without those not known."""


@dataclass(frozen=True, slots=True)
class Units:
    """The user's own units, what they cost, and how they are counted."""

    units: Sequence[BusinessUnit] = ()
    attribution: Attribution = field(default_factory=Attribution)
    model_of: ModelOf = lambda _charge: ""
    count: CountUnits = lambda _moment: {}
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside the bill, at one time."""

    view: LedgerView
    now: datetime
    zones: Mapping[str, str]
    """Billing zone by provider."""
    rules: BudgetRules
    outlooks: Callable[[], Sequence[Outlook]] = tuple
    current_budgets: Callable[[], Sequence[BudgetOutlook]] | None = None
    """Budgets of the current period, where they are known already."""
    find_savings: Callable[[], Iterable[FamilySamples]] = tuple
    units_of: Units = Units()

    def forecast(self, period: ReportPeriod) -> Forecast | None:
        """Return what the running period will cost; None where that is not known of every provider."""
        months = [outlook.month for outlook in self.outlooks()]
        known = [month for month in months if month is not None]
        if period.kind == "week" or not known or len(known) < len(months):
            return None
        of = [each.quantile_usd if period.kind == "month" else each.day_quantile_usd for each in known]
        if not all(of):
            return None
        low, median, high = (sum(each[quantile] for each in of) for quantile in _QUANTILES)
        return Forecast(low=low, median=median, high=high)

    def budgets(self, period: ReportPeriod, *, running: bool) -> Iterator[BudgetLine]:
        """Yield the budgets that have such a period."""
        if running and self.current_budgets is not None:
            found = [each for each in self.current_budgets() if each.known]
        else:
            found = self._read_budgets(period, running=running)
        for outlook in found:
            if outlook.budget.period != period.kind or not outlook.limit_usd:
                continue
            state = outlook.state(self.now) if running else None
            billed = sum(outlook.billed_usd.values(), Decimal(0))
            used = state.used_usd if state else billed
            yield BudgetLine(
                budget=outlook.budget.name,
                limit_usd=amount_text(outlook.limit_usd) or "0",
                used_usd=amount_text(used) or "0",
                used_ratio=float(used / outlook.limit_usd),
                forecast_usd=float(state.forecast_usd[0.5]) if state and outlook.outlooks else None,
                partial=outlook.covered_from is not None,
            )

    def _read_budgets(self, period: ReportPeriod, *, running: bool) -> list[BudgetOutlook]:
        estimates = self.outlooks() if running else ()
        found = []
        for budget in self.rules.budgets:
            if budget.period == period.kind:
                noon = datetime.combine(period.first, time(12), ZoneInfo(budget.zone(self.zones)))
                at = self.now if running else noon.astimezone(UTC)
                rules = BudgetRules((budget,), self.rules.attribution, self.rules.model_of)
                found += Budgeting().outlooks(self.view, at, self.zones, estimates, rules)
        return found

    def savings(self) -> list[SavingLine]:
        """Return the resources that could cost less, the most expensive first."""
        samples = {each.family: list(each.samples) for each in self.find_savings()}
        usd = dict(samples.get(metrics.SPEND_RECOMMENDATION_SAVINGS, []))
        found = [
            SavingLine(
                provider=labels[0],
                project=labels[1],
                resource=labels[3],
                advice=labels[5],
                usd_per_month=usd.get(labels[:5]),
            )
            for labels, _ in samples.get(metrics.SPEND_RECOMMENDATION_INFO, [])
        ]
        found.sort(key=lambda each: (-(each.usd_per_month or 0.0), each.project, each.resource))
        return found[:_MOST_SAVINGS]

    def units(self, period: ReportPeriod, end: date) -> Iterator[UnitOfBusiness]:
        """Yield the cost of each unit over the days on which it was counted."""
        of = self.units_of
        if not of.units:
            return
        zone = ZoneInfo(of.timezone)
        today = self.now.astimezone(zone).date()
        counted: dict[str, dict[date, float]] = {}
        day = period.first
        while day < min(end, today):
            following = day + timedelta(days=1)
            counts = of.count(datetime.combine(following, time(12), zone))
            if not counts:
                break
            for name, count in counts.items():
                counted.setdefault(name, {})[day] = count
            day = following
        for unit in of.units:
            days = counted.get(unit.name, {})
            count = sum(days.values())
            usd = sum((self._unit_usd(unit, day) for day in days), Decimal(0))
            if count > 0 and usd > 0:
                yield UnitOfBusiness(
                    unit=unit.name,
                    days=len(days),
                    count=count,
                    total=amount_text(usd) or "0",
                    usd_per_unit=float(usd) / count,
                )

    def _unit_usd(self, unit: BusinessUnit, day: date) -> Decimal:
        found = Decimal(0)
        for provider, name in self.zones.items():
            zone = ZoneInfo(name)
            window = (
                datetime.combine(day, time(), zone).astimezone(UTC),
                datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC),
            )
            for values, (usd,) in AttributionView(self.view).window_sums(provider, {"day": window}):
                charge = combination(values, self.units_of.model_of)
                wanted = not unit.categories or self.units_of.attribution.category(charge) in unit.categories
                if usd is not None and wanted and unit.match.matches(charge):
                    found += usd
        return found
