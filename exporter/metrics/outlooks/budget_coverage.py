"""Which bills a budget counts, and from when on they cover its period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from exporter.analysis.bill.coverage import Bill, covered_from
from exporter.ledger.charges.attribution import ATTRIBUTION_COLUMNS
from exporter.ledger.charges.budgets import BudgetView, Choice, Kind, chosen
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics.outlooks.budget import Budget, BudgetRules

ALL = -1
"""Instead of a budget's number: every charge."""

_ACCOUNT = ATTRIBUTION_COLUMNS.index("billing_account_id")


class Counted:
    """The charges that each budget counts, by its number, and the bills that have them."""

    def __init__(self, ledger: BudgetView, since: datetime, rules: BudgetRules, zones: Iterable[str]) -> None:
        """Sort every kind of charge of usage since a moment; `zones` names the providers."""
        self.choices: dict[int, list[Choice]] = {}
        self.providers: list[str] = []
        """Those with any charge."""
        self._bills: dict[int, set[Bill]] = {}
        for provider in zones:
            kinds = ledger.kinds(provider, since)
            if kinds:
                self.providers.append(provider)
                self._sort(provider, kinds, rules)

    def _sort(self, provider: str, kinds: Sequence[Kind], rules: BudgetRules) -> None:
        counted = {values: rules.counted_by(values) for values in {kind.values for kind in kinds}}
        for number in range(len(rules.budgets)):
            wanted = [counted[kind.values][number] for kind in kinds]
            self.choices.setdefault(number, []).extend(chosen(kinds, wanted))
            self._bills.setdefault(number, set()).update(
                (provider, kind.values[_ACCOUNT]) for kind, own in zip(kinds, wanted, strict=True) if own
            )
        self.choices.setdefault(ALL, []).extend(chosen(kinds, [True] * len(kinds)))

    def covered_from(
        self, number: int, budget: Budget, begins: Mapping[Bill, datetime], starts: Mapping[str, datetime]
    ) -> datetime | None:
        """Return from when on a period of the budget is known; None where that is from its start on.

        Where a budget counts no charge yet, any bill that it is about may have had one.
        """
        about = {name.casefold() for name in budget.match.providers}
        own = self._bills.get(number) or {bill for bill in begins if not about or bill[0].casefold() in about}
        return covered_from({bill: begin for bill, begin in begins.items() if bill in own}, starts)


def budgets_covered_from(
    view: LedgerView,
    now: datetime,
    zones: Mapping[str, str],
    rules: BudgetRules,
    begins: Mapping[Bill, datetime],
) -> list[datetime | None]:
    """Return for each budget from when on its present period is known, without reading any cost."""
    windows = [budget.window(now, zones) for budget in rules.budgets]
    since = min((begin for begin, _ in windows), default=now) - timedelta(days=1)
    counted = Counted(BudgetView(view), since, rules, zones)
    return [
        counted.covered_from(number, budget, begins, period_starts(budget, window, zones))
        for number, (budget, window) in enumerate(zip(rules.budgets, windows, strict=True))
    ]


def period_starts(
    budget: Budget, window: tuple[datetime, datetime], zones: Mapping[str, str]
) -> dict[str, datetime]:
    """Return the start of a budget's period by each provider's own days."""
    return {name: budget.window_of(name, window, zones)[0] for name in zones}
