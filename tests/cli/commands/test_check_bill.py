"""`check` on the bill in the ledger: where it begins, and which months and budgets it has only a part of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.analysis.bill.attribution import Match
from exporter.cli.commands.check_bill import bill_findings
from exporter.ledger.charges.store import Ledger
from exporter.metrics.outlooks.budget import Budget, BudgetRules
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
MONTH_BEGINS = datetime(2026, 11, 1, 7, tzinfo=UTC)
BILL = "gcp 01AB23-4C5D67-89EF01"
BUDGETS = BudgetRules(
    (
        Budget("everything", "month", Decimal(9)),
        Budget("this week", "week", Decimal(9)),
        Budget("models", "month", Decimal(9), Match(providers=("openai",))),
    )
)


def found(folder: Path, rules: BudgetRules = BUDGETS) -> list[tuple[str, str, bool]]:
    zones = {"gcp": "America/Los_Angeles"}
    findings = list(bill_findings(folder / "spend.duckdb", ["files"], zones, rules, NOW))
    assert all(each.ok for each in findings)
    return [(each.what, each.detail, each.warning) for each in findings]


def bill(folder: Path, *hours: datetime, provider: str = "gcp", partition: str = "a") -> None:
    ledger = Ledger(folder / "spend.duckdb")
    charges = [
        charge(provider=provider, charge_period_start=hour, export_hour=hour + 5 * HOUR) for hour in hours
    ]
    put(ledger, folder, partition, *charges)
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "texts"),
    [
        (
            datetime(2026, 11, 21, 8, tzinfo=UTC),
            [
                f"The bill of {BILL} begins on 21 November 2026; costs before are not known. "
                "So this month is partial and last month is not in it",
                "the bill has only a part of the period of everything "
                "(month, complete from 21 November 2026 on)",
            ],
        ),
        (
            datetime(2026, 10, 30, 17, tzinfo=UTC),
            [
                f"The bill of {BILL} begins on 30 October 2026; costs before are not known. "
                "So last month is partial"
            ],
        ),
        (
            MONTH_BEGINS,
            [
                f"The bill of {BILL} begins on 1 November 2026; costs before are not known. "
                "So last month is not in it"
            ],
        ),
    ],
)
def test_what_the_bill_lacks_is_a_warning_that_names_the_day_and_the_budgets(
    tmp_path: Path, first: datetime, texts: Sequence[str]
) -> None:
    bill(tmp_path, first, first + HOUR)
    assert [detail for _, detail, _ in found(tmp_path)] == texts
    assert all(warning for *_, warning in found(tmp_path))


@pytest.mark.slow
def test_a_bill_that_covers_both_months_is_fine_also_with_a_new_service(tmp_path: Path) -> None:
    bill(tmp_path, datetime(2026, 10, 1, 7, tzinfo=UTC), NOW - 9 * HOUR)
    assert found(tmp_path) == [("first usage", f"{BILL}: usage since 1 October 2026", False)]


@pytest.mark.slow
def test_a_budget_of_one_provider_is_partial_by_the_bill_of_that_provider_alone(tmp_path: Path) -> None:
    bill(tmp_path, datetime(2026, 9, 1, tzinfo=UTC))
    bill(tmp_path, NOW - 9 * HOUR, provider="openai", partition="b")
    last = found(tmp_path)[-1]
    assert last[0] == "partial budgets"
    assert last[1].count("(") == 3
    assert "models (month, complete from 26 November 2026 on)" in last[1]
    [only_google] = [each for each in found(tmp_path, BudgetRules()) if BILL in each[1]]
    assert not only_google[2]


def test_without_a_ledger_or_a_bill_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    Ledger(tmp_path / "spend.duckdb").close()
    assert found(tmp_path) == []
