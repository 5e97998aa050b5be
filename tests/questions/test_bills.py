"""Where a bill begins, and what is partial: the same for questions as for the summary and the metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.metrics.coverage import bill_coverage
from exporter.questions.asking import Running
from tests.support.charge_rows import HOUR, charge, put
from tests.support.question_world import ZONES, questions

MONTH = datetime(2026, 11, 1, 7, tzinfo=UTC)
"""Midnight in the billing zone."""
NOW = MONTH + timedelta(days=19)


def partial(folder: Path, *rows: Charge) -> tuple[bool, bool | None, str]:
    """Whether November is partial in an answer and in the summary, and where the answer's bill begins."""
    ledger = Ledger(None)
    put(ledger, folder, "all", *rows)
    query = [("from", "2026-11-01"), ("step", "total")]
    answer = json.loads(questions(ledger, NOW).costs(query, Running()).body)
    with ledger.view(["files"]) as view:
        shown = bill_coverage(view, NOW, ZONES).is_partial("month_to_date")
    ledger.close()
    return answer["partial"], shown, answer["providers"][0]["billed_from"]


@pytest.mark.parametrize(("late", "is_partial"), [(0, False), (3, False), (4, True)])
def test_a_bill_may_begin_three_hours_after_the_month(tmp_path: Path, late: int, is_partial: bool) -> None:
    begin = MONTH + late * HOUR
    rows = [charge("1", charge_period_start=begin + hour * HOUR) for hour in range(48)]
    assert partial(tmp_path, *rows) == (is_partial, is_partial, f"{begin:%Y-%m-%dT%H:%M:%SZ}")


def test_a_fee_of_before_the_usage_does_not_show_that_a_bill_reaches_so_far_back(tmp_path: Path) -> None:
    fee = charge(
        "9",
        charge_period_start=MONTH - timedelta(days=5),
        charge_period_end=MONTH + timedelta(days=25),
        sku_id="fee",
    )
    tax = charge("1", charge_period_start=MONTH - timedelta(days=3), charge_category="tax")
    used = charge("1", charge_period_start=MONTH + timedelta(days=9))
    assert partial(tmp_path, fee, tax, used) == (True, True, "2026-11-10T07:00:00Z")


def test_a_second_billing_account_that_begins_later_is_partial(tmp_path: Path) -> None:
    old = charge("1", charge_period_start=MONTH - timedelta(days=5))
    new = charge("1", charge_period_start=MONTH + timedelta(days=9), billing_account_id="another")
    assert partial(tmp_path, old, new)[:2] == (True, True)
