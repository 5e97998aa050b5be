"""The figures of a report that are no sums of the bill: units and savings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from exporter.analysis.bill.attribution import Match
from exporter.ledger.charges.store import Ledger
from exporter.metrics import families as metrics
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.budget import BudgetRules
from exporter.reports.beside import Beside, CountUnits, Units
from exporter.reports.period import read_period
from tests.support.charge_rows import charge, put
from tests.support.question_world import NOW, ZONES

OCTOBER = read_period("month", "2026-10")
ORDERS = BusinessUnit("order", Match(projects=("shop-*",)))


@contextmanager
def beside(
    folder: Path, count: CountUnits = lambda _moment: {}, savings: Iterable[FamilySamples] = ()
) -> Iterator[Beside]:
    """Yield the figures of a ledger with $6 of a shop and $9 of others on each of two October days."""
    ledger = Ledger(None)
    rows = [
        charge(usd, charge_period_start=datetime(2026, 10, day, 18, tzinfo=UTC), project_id=project)
        for day in (30, 31)
        for usd, project in (("6", "shop-prod"), ("9", "other"))
    ]
    put(ledger, folder, "all", *rows)
    try:
        with ledger.view(["files"]) as view:
            units = Units((ORDERS,), count=count)
            yield Beside(view, NOW, ZONES, BudgetRules(), find_savings=lambda: savings, units_of=units)
    finally:
        ledger.close()


@pytest.mark.slow
def test_the_cost_of_a_unit_is_of_the_days_on_which_it_was_counted(tmp_path: Path) -> None:
    def count(moment: datetime) -> Mapping[str, float]:
        day = (moment - timedelta(days=1)).date()
        return {"order": 2.0} if day != date(2026, 10, 31) else {}

    with beside(tmp_path, count) as figures:
        [unit] = figures.units(OCTOBER, OCTOBER.end)
    # Thirty days were counted, one of which had a cost.
    assert (unit.days, unit.count, unit.total, unit.usd_per_unit) == (30, 60.0, "6", 0.1)


def test_a_unit_that_nobody_counts_has_no_cost(tmp_path: Path) -> None:
    with beside(tmp_path) as figures:
        assert list(figures.units(OCTOBER, OCTOBER.end)) == []


def test_savings_have_their_dollars_and_the_largest_is_first(tmp_path: Path) -> None:
    place = [("gcp", "shop", "spend_exporter/disks", name, "us-central1") for name in ("a", "b", "c")]
    advice = [((*labels, f"Delete {labels[3]}."), 1.0) for labels in place]
    usd = [(place[0], 5.0), (place[1], 20.0)]
    found = [
        FamilySamples(metrics.SPEND_RECOMMENDATION_SAVINGS, usd),
        FamilySamples(metrics.SPEND_RECOMMENDATION_INFO, advice),
    ]
    with beside(tmp_path, savings=found) as figures:
        lines = figures.savings()
    assert [(line.advice, line.usd_per_month) for line in lines] == [
        ("Delete b.", 20.0),
        ("Delete a.", 5.0),
        ("Delete c.", None),
    ]
