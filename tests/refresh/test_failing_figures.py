"""Every figure in turn is made to fail: it is reported, the others stay, and the bill is served anyway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.ledger.charges.store import Ledger
from exporter.metrics import collect
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.outlooks import nowcast
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge
from tests.support.exposed import by, samples

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)

FIGURES = {
    "live_usage": "read_live_usage",
    "nowcast": "Nowcasting.outlooks",
    "daily_nowcast": "daily_outlooks",
    "savings": "Savings.families",
    "language_models": "llm_families",
    "language_model_shares": "llm_shares",
    "attribution": "attributed_costs",
    "budgets": "Budgeting.outlooks",
    "budget_series": "budget_families",
    "spikes": "UnusualCost.spikes",
    "settled_days": "UnusualCost.settled_days",
    "explanations": "UnusualCost.explanations",
    "exporter_cost": "ExporterCost.family",
}
"""What computes each figure, by its name in the collector."""

ON_DEMAND = {"nowcast": nowcast.__name__}
"""Where figures are computed that the collector loads only when it needs them."""


@dataclass(slots=True)
class Bill(TestedSource):
    """Two dollars an hour for ten days; it reads live usage as well, of which there is none."""

    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"
    reads_live_usage: bool = True

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        hours = [NOW - at * HOUR for at in range(4, 240)]
        rows = [charge("2", charge_period_start=hour, export_hour=hour + 3 * HOUR) for hour in hours]
        yield Batch("bill", "cursor", write_spool_csv(context.spool / "bill.csv", rows), len(rows))


@pytest.fixture
def refresher(tmp_path: Path) -> Iterator[Refresher]:
    ledger = Ledger(None)
    settings = FigureSettings(
        attribution=Attribution([Rule("all", Match(), "cost_attribution.all")]),
        budgets=BudgetRules((Budget("everything", "month", None, Match()),)),
    )
    yield Refresher(
        [Bill()],
        ledger,
        tmp_path,
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        settings=settings,
        clock=lambda: NOW,
    )
    ledger.close()


def raising(*_arguments: object, **_named: object) -> object:
    raise ZeroDivisionError("a defect")


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_that_fails_is_reported_and_the_bill_is_served_all_the_same(
    refresher: Refresher, figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ON_DEMAND.get(figure, collect.__name__)
    monkeypatch.setattr(f"{where}.{FIGURES[figure]}", raising)
    snapshot = refresher.refresh_all()
    shown = samples(snapshot.text)
    success = {dict(labels)["figure"]: value for labels, value in shown["spend_figure_success"].items()}
    assert success.pop(figure) == 0.0
    assert FIGURES.keys() - {figure} <= success.keys()
    assert set(success.values()) == {1.0}
    assert snapshot.failed_figures == (figure,)
    assert by(shown["spend_month_to_date_usd"]) == {(): 2.0 * 236}


@pytest.mark.slow
def test_when_nothing_fails_every_figure_is_1(refresher: Refresher) -> None:
    snapshot = refresher.refresh_all()
    assert snapshot.failed_figures == ()
    assert set(samples(snapshot.text)["spend_figure_success"].values()) == {1.0}


@pytest.mark.slow
def test_grades_that_fail_are_reported_and_the_last_ones_stay(
    refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresher.refresh_all()
    refresher.grade()
    refresher.rebuild()
    before = samples(refresher.snapshot.text)["spend_nowcast_error_ratio"]
    monkeypatch.setattr(f"{nowcast.__name__}.grade", raising)
    refresher.grade()
    refresher.rebuild()
    shown = samples(refresher.snapshot.text)
    assert shown["spend_nowcast_error_ratio"] == before
    assert shown["spend_figure_success"][(("figure", "nowcast_grades"),)] == 0.0
