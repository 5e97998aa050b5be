"""Reports about the ledger of the tests of questions, with budgets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from exporter.analysis.bill.attribution import Match
from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.beside import Beside
from exporter.reports.reporting import Reports
from tests.support.charge_rows import put
from tests.support.question_world import NOW, ZONES, dimensions

BUDGETS = BudgetRules(
    (
        Budget("all", "month", Decimal(100)),
        Budget("shops", "month", Decimal(10_000), Match(projects=("shop-*",))),
        Budget("week", "week", Decimal(50)),
    )
)


def reports(ledger: Ledger, now: datetime = NOW, budgets: BudgetRules = BUDGETS) -> Reports:
    def beside(view: LedgerView, at: datetime) -> Beside:
        return Beside(view, at, ZONES, budgets)

    return Reports(lambda: ledger.view(["files", "openai"]), dimensions(), ZONES, beside, clock=lambda: now)


@contextmanager
def reported_ledger(
    folder: Path, rows: list[Charge], now: datetime = NOW, budgets: BudgetRules = BUDGETS
) -> Iterator[Reports]:
    """Yield reports on a ledger in memory."""
    ledger = Ledger(None)
    try:
        put(ledger, folder, "all", *(row for row in rows if row.provider == "gcp"))
        put(ledger, folder, "all", *(row for row in rows if row.provider == "openai"), source="openai")
        yield reports(ledger, now, budgets)
    finally:
        ledger.close()


def made(folder: Path, rows: list[Charge], now: datetime = NOW, **asked: object) -> Report:
    """Return one report on some charges."""
    with reported_ledger(folder, rows, now) as found:
        return found.make(ReportParameters.model_validate(asked))
