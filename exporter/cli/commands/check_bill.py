"""What `spend-exporter check` reports on the bill in the ledger: where it begins, and what is partial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from exporter.analysis.bill.coverage import BillCoverage, beginning_text, bill_name, day_text
from exporter.cli.commands.check_ledger import charges_of
from exporter.core.providers import OTHER_BILLS_ZONE
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import billed_providers
from exporter.metrics.coverage import bill_coverage
from exporter.metrics.outlooks.budget import BudgetRules
from exporter.metrics.outlooks.budget_coverage import budgets_covered_from
from exporter.sources.base import Finding

_SHOWN_WINDOWS: Final = {"month_to_date": "this month", "last_month": "last month"}


def bill_findings(
    ledger: Path, sources: Sequence[str], timezones: Mapping[str, str], rules: BudgetRules, now: datetime
) -> Iterator[Finding]:
    """Report where each bill begins, and the months and budgets of which it has only a part.

    `sources` are the names of those with a bill, `timezones` the billing zone of each provider. Nothing
    where the ledger cannot be read.
    """
    connection = charges_of(ledger)
    if isinstance(connection, str):
        return
    with connection:
        view = LedgerView(connection, sources)
        zones = dict.fromkeys(billed_providers(view), OTHER_BILLS_ZONE) | dict(timezones)
        coverage = bill_coverage(view, now, zones)
        covered = budgets_covered_from(view, now, zones, rules, coverage.begins)
    yield from _of_bills(coverage)
    partial = [
        f"{budget.name} ({budget.period}, complete from {day_text(begin, budget.zone(zones))} on)"
        for budget, begin in zip(rules.budgets, covered, strict=True)
        if begin
    ]
    if partial:
        detail = f"the bill has only a part of the period of {', '.join(partial)}"
        yield Finding(True, "partial budgets", detail, warning=True)


def _of_bills(coverage: BillCoverage) -> Iterator[Finding]:
    for bill, begin in sorted(coverage.begins.items()):
        zone = coverage.zones[bill[0]]
        late = [
            f"{text} is {'partial' if begin < end else 'not in it'}"
            for name, text in _SHOWN_WINDOWS.items()
            for start, end in [coverage.windows[bill[0]][name]]
            if begin > start
        ]
        if late:
            detail = f"{beginning_text(bill, begin, zone)} So {' and '.join(late)}"
        else:
            detail = f"{bill_name(bill)}: usage since {day_text(begin, zone)}"
        yield Finding(True, "first usage", detail, warning=bool(late))
