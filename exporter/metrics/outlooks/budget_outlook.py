"""The state of the budgets, from one state of the ledger and the nowcast; kept until one of them changes.

A budget's outlook is valid for any moment of its hour, like the nowcast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.attribution import Combination
from exporter.analysis.bill.billing_calendar import hour_at, hours_at
from exporter.analysis.budgets.budget_state import BudgetSpending, BudgetState, budget_period, budget_state
from exporter.analysis.budgets.spending_season import LEARNT_DAYS, SpendingSeason, learn_season
from exporter.analysis.nowcast.unbilled import unbilled_since
from exporter.core.cost_cells import NANO
from exporter.ledger.charges.bill_begins import bill_begins
from exporter.ledger.charges.budgets import NOTHING, BudgetView, Dollars
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from exporter.metrics.outlooks.budget_coverage import ALL, Counted
from exporter.metrics.outlooks.budget_month import rest_of_month_usd
from exporter.metrics.outlooks.outlook import Outlook
from exporter.sources.registry import HOURLY_BILLS

SHARED_OVER: Final = timedelta(days=14)
"""A budget's share of a service's estimate is measured over this many days of the bill."""

SEASON_FROM: Final = timedelta(days=35)
SETTLING: Final = timedelta(days=3)
"""More recent days are not used: part of their cost is still to arrive."""

_LARGEST_SHARE: Final = 10.0
"""The most gross dollars per net dollar."""

Service = tuple[str, str]
"""Provider and service name."""


@dataclass(frozen=True, slots=True)
class UsedPart:
    """One service's part of a budget's cost. US dollars."""

    billed_usd: Decimal = Decimal(0)
    estimated_usd: Decimal = Decimal(0)

    @property
    def used_usd(self) -> Decimal:
        """Sum of the two."""
        return self.billed_usd + self.estimated_usd


@dataclass(frozen=True, slots=True)
class BudgetOutlook:
    """A budget, and the data to compute its state at any moment of the hour."""

    budget: Budget
    period: tuple[datetime, datetime]
    limit_usd: Decimal | None
    """None where it follows from the previous period's bill, or is in another currency, and that bill or rate
    is not known.
    """
    known: bool
    """Whether there is a bill or an estimate for the charges that it counts."""
    billed_usd: Mapping[Service, Decimal]
    shares: Mapping[Service, float]
    """The budget's share of each dollar that a service is estimated to cost."""
    season: SpendingSeason
    settled_days_usd: Sequence[tuple[float, float]]
    hourly_usd: Mapping[int, float]
    outlooks: tuple[Outlook, ...] = ()
    begins: Mapping[str, datetime] = field(default_factory=dict)
    """Start of the period by a provider's own days, where that differs."""
    providers: frozenset[str] = frozenset()
    """Whose charges it counts: those with a bill."""
    covered_from: datetime | None = None
    """From when on all bills that it counts are known; None where that is from the period's start on."""

    def used(self, now: datetime) -> dict[Service, UsedPart]:
        """Return what each service has used so far; the parts sum to the whole exactly."""
        begins = self._begins()
        parts = {service: UsedPart(usd) for service, usd in self.billed_usd.items()}
        for outlook in self.outlooks:
            nano = unbilled_since(
                outlook.nowcast,
                hours_at(begins[outlook.provider]),
                hours_at(now),
                daily_bill=outlook.provider not in HOURLY_BILLS,
            )
            for name, to_come in nano.items():
                service = (outlook.provider, name)
                share = self.shares.get(service, 0.0)
                if share:
                    billed = parts.get(service, UsedPart()).billed_usd
                    parts[service] = UsedPart(billed, Decimal(round(to_come * share)) / NANO)
        return parts

    def state(self, now: datetime) -> BudgetState | None:
        """Return its state; None where its charges or its limit are not known."""
        if not self.known or self.limit_usd is None or self.limit_usd <= 0:
            return None
        now = min(now, self.period[1] - timedelta(microseconds=1))
        parts = self.used(now).values()
        spending = BudgetSpending(
            sum((part.billed_usd for part in parts), Decimal(0)),
            sum((part.estimated_usd for part in parts), Decimal(0)),
            self._burn_rate(now),
            self.season,
            self.settled_days_usd,
            self.hourly_usd,
            rest_of_month_usd(self.budget, self.outlooks, self.providers, self._begins(), now),
        )
        return budget_state(self.limit_usd, self.period, now, spending)

    def _begins(self) -> dict[str, datetime]:
        """Return the start of the period of each provider with an estimate."""
        return {each.provider: self.begins.get(each.provider, self.period[0]) for each in self.outlooks}

    def _burn_rate(self, now: datetime) -> float:
        return sum(
            usd * self.shares.get((outlook.provider, name), 0.0)
            for outlook in self.outlooks
            for name, usd in outlook.nowcast.burn_rate_usd_per_hour(hours_at(now)).items()
        )


class Budgeting:
    """Makes the outlooks of budgets; reads the ledger again only when it has changed."""

    def __init__(self) -> None:
        self._read: tuple[object, _Read] | None = None

    def outlooks(
        self,
        view: LedgerView,
        now: datetime,
        zones: Mapping[str, str],
        estimates: Sequence[Outlook],
        rules: BudgetRules,
    ) -> list[BudgetOutlook]:
        """Return the outlook of each budget; `zones` has the billing zone of each provider with a bill."""
        if not rules.budgets:
            return []
        windows = [budget.window(now, zones) for budget in rules.budgets]
        state = (hour_at(now), view.exported_before, view.state(), rules.budgets, windows, dict(zones))
        if self._read is None or self._read[0] != state:
            self._read = (state, _Read(view, now, zones, rules))
        read = self._read[1]
        return [read.outlook(number, estimates) for number in range(len(rules.budgets))]


class _Read:
    """The data of one state of the ledger for all budgets."""

    def __init__(self, view: LedgerView, now: datetime, zones: Mapping[str, str], rules: BudgetRules) -> None:
        self._now = now
        self._zones = dict(zones)
        self._rules = rules
        self._windows = {number: each.window(now, zones) for number, each in enumerate(rules.budgets)}
        # The cost of the previous period is read under a separate number.
        self._before = {
            number: len(rules.budgets) + number
            for number, each in enumerate(rules.budgets)
            if each.limit is None and each.period != "custom"
        }
        windows = dict(self._windows)
        for number, other in self._before.items():
            windows[other] = rules.budgets[number].window(windows[number][0] - timedelta(hours=1), zones)
        ledger = BudgetView(view)
        since = min([now - SEASON_FROM, *(begin for begin, _ in windows.values())]) - timedelta(days=1)
        self._counted = Counted(ledger, since, rules, zones)
        choices = self._counted.choices
        self._begins = bill_begins(view)
        of_budgets = {number: choices.get(number, []) for number in self._windows}
        of_periods = of_budgets | {other: of_budgets[number] for number, other in self._before.items()}
        self._spans = {
            number: {name: self._budget(number).window_of(name, window, zones) for name in zones}
            for number, window in windows.items()
        }
        self._billed = ledger.billed(of_periods, self._spans)
        self._hourly = ledger.hourly(of_budgets, now - SEASON_FROM)
        self._recent = ledger.by_service(of_budgets | {ALL: choices.get(ALL, [])}, now - SHARED_OVER)
        currencies = {each.currency for each in rules.budgets}
        self._usd_per = ledger.usd_per(currencies - {"USD"}, now - SEASON_FROM) | {"USD": Decimal(1)}
        self._seasons = {number: self._season(number) for number in self._windows}

    def outlook(self, number: int, estimates: Sequence[Outlook]) -> BudgetOutlook:
        budget = self._rules.budgets[number]
        about = {name.casefold() for name in budget.match.providers}
        outlooks = tuple(each for each in estimates if not about or each.provider.casefold() in about)
        with_charges = [name for name in self._counted.providers if not about or name.casefold() in about]
        shares = {
            (each.provider, name): self._share(number, (each.provider, name))
            for each in outlooks
            for name in each.nowcast.billed
        }
        season, settled = self._seasons[number]
        return BudgetOutlook(
            budget,
            self._windows[number],
            self._limit(number),
            bool(with_charges or outlooks),
            {service: self._usd(number, usd) for service, usd in self._billed.get(number, {}).items()},
            shares,
            season,
            settled,
            self._hours_now(number, outlooks, shares),
            outlooks,
            {name: begin for name, (begin, _) in self._spans[number].items()},
            frozenset(with_charges),
            self._covered_from(number),
        )

    def _covered_from(self, number: int) -> datetime | None:
        starts = {name: begin for name, (begin, _) in self._spans[number].items()}
        own = number % len(self._rules.budgets)
        return self._counted.covered_from(own, self._budget(number), self._begins, starts)

    def _budget(self, number: int) -> Budget:
        """Return the budget of a number, or of the number for its previous period."""
        return self._rules.budgets[number % len(self._rules.budgets)]

    def _usd(self, number: int, usd: Dollars) -> Decimal:
        return usd.net if self._rules.budgets[number].with_credits else usd.gross

    def _limit(self, number: int) -> Decimal | None:
        budget = self._rules.budgets[number]
        if budget.limit is not None or number not in self._before:
            rate = self._usd_per.get(budget.currency)
            return budget.limit * rate if budget.limit is not None and rate is not None else None
        if self._covered_from(self._before[number]) is not None:
            # Part of the previous period would be a limit that is too low.
            return None
        parts = self._billed.get(self._before[number])
        return sum((self._usd(number, usd) for usd in parts.values()), Decimal(0)) if parts else None

    def _share(self, number: int, service: Service) -> float:
        """The budget's share of a dollar of the service's estimate, which is net of credits."""
        whole = self._recent.get(ALL, {}).get(service)
        if whole is None or whole.gross <= 0:
            provider, name = service
            unbilled = Combination(provider, "", "", "", name, "", "", "", "")
            return float(self._rules.budgets[number].counts(unbilled, self._rules.attribution))
        part = self._recent.get(number, {}).get(service, NOTHING)
        if not self._rules.budgets[number].with_credits:
            return min(max(float(part.gross / whole.net), 0.0), _LARGEST_SHARE) if whole.net > 0 else 0.0
        ratio = part.net / whole.net if whole.net > 0 else part.gross / whole.gross
        return min(max(float(ratio), 0.0), 1.0)

    def _season(self, number: int) -> tuple[SpendingSeason, list[tuple[float, float]]]:
        """The usual spending, and the days it was learnt from: each day's cost and its usual cost."""
        zone = self._rules.budgets[number].zone(self._zones)
        local = (self._now - SETTLING).astimezone(ZoneInfo(zone)).date()
        until = budget_period(self._now - SETTLING, "day", zone)[0]
        usual = [0.0] * 168
        costs: dict[int, float] = {}
        for provider, hours in self._hourly.get(number, {}).items():
            usd = {hour: float(self._usd(number, each)) for hour, each in hours.items()}
            daily = provider not in HOURLY_BILLS
            if not daily:
                # It loads numpy, which serving without budgets has no use for.
                from exporter.analysis.nowcast.single_charges import without_single_charges  # noqa: PLC0415

                # A fee counts when it is billed; the plan for other hours has nothing of it.
                usd = without_single_charges(usd)
            learnt = learn_season(usd, hour_at(until), zone, daily=daily)
            usual = [one + other for one, other in zip(usual, learnt.usd, strict=True)]
            for hour, each in usd.items():
                costs[hour] = costs.get(hour, 0.0) + each
        season = SpendingSeason(usual, zone)
        first = min(costs, default=hour_at(until))
        days = []
        for back in range(min(LEARNT_DAYS, int((hours_at(until) - first) // 24)), 0, -1):
            noon = datetime(local.year, local.month, local.day, 12, tzinfo=ZoneInfo(zone))
            begin, end = budget_period(noon - timedelta(days=back), "day", zone)
            cost = sum(costs.get(hour, 0.0) for hour in range(hour_at(begin), hour_at(end)))
            days.append((cost, season.between(begin, end)))
        return season, days

    def _hours_now(
        self, number: int, outlooks: Iterable[Outlook], shares: Mapping[Service, float]
    ) -> dict[int, float]:
        """The best estimate of the cost of each of the last hours."""
        costs: dict[int, float] = {}
        for hours in self._hourly.get(number, {}).values():
            for hour, usd in hours.items():
                costs[hour] = costs.get(hour, 0.0) + float(self._usd(number, usd))
        for outlook in outlooks:
            nowcast = outlook.nowcast
            for name, billed in nowcast.billed.items():
                share = shares.get((outlook.provider, name), 0.0) / NANO
                for at in range(min(nowcast.as_of, nowcast.end - 1) - nowcast.begin + 1 if share else 0):
                    hour = nowcast.begin + at
                    to_come = (nowcast.estimate[name][at] - billed[at]) * share
                    costs[hour] = costs.get(hour, 0.0) + to_come
        return costs
