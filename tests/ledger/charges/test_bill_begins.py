"""Where a bill begins: at its first hour of usage, by billing account, whatever came for longer or before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.core.charges import Charge
from exporter.ledger.charges.bill_begins import bill_begins
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import HOUR, charge, put

BEGINS = datetime(2026, 11, 21, 8, tzinfo=UTC)
ACCOUNT = ("gcp", "01AB23-4C5D67-89EF01")
MONTH = timedelta(days=30)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def begins(ledger: Ledger, before: datetime | None = None) -> dict[tuple[str, str], datetime]:
    with ledger.view(["files"], before) as view:
        return bill_begins(view)


def used(when: datetime, **changes: Any) -> Charge:
    return charge(**{"charge_period_start": when, "export_hour": when + 5 * HOUR, **changes})


def test_each_billing_account_has_its_own_first_hour_and_a_later_service_changes_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    rows = [
        used(BEGINS),
        used(BEGINS + HOUR),
        used(BEGINS + 48 * HOUR, service_name="BigQuery"),
        used(BEGINS + 72 * HOUR, project_id="new"),
        used(BEGINS + 96 * HOUR, billing_account_id="other"),
        used(BEGINS - 96 * HOUR, provider="openai", billing_account_id=""),
    ]
    put(ledger, tmp_path, "a", *rows)
    assert begins(ledger) == {
        ACCOUNT: BEGINS,
        ("gcp", "other"): BEGINS + 96 * HOUR,
        ("openai", ""): BEGINS - 96 * HOUR,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"charge_period_start": BEGINS - 20 * 24 * HOUR, "charge_period_end": BEGINS + 10 * 24 * HOUR},
        {"charge_period_start": BEGINS - 400 * 24 * HOUR, "charge_category": "purchase"},
        {"charge_period_start": BEGINS - 300 * HOUR, "charge_category": "tax"},
        {"charge_period_start": BEGINS - 300 * HOUR, "charge_category": "adjustment"},
        {"charge_period_start": BEGINS - 300 * HOUR, "charge_category": "credit"},
        {"charge_period_start": BEGINS - 300 * HOUR, "corrects": True},
    ],
    ids=["a month's fee", "a plan", "tax", "an adjustment", "a credit", "a correction"],
)
def test_what_is_billed_for_the_time_before_does_not_show_that_the_bill_has_that_time(
    ledger: Ledger, tmp_path: Path, changes: dict[str, Any]
) -> None:
    put(ledger, tmp_path, "a", used(BEGINS), charge(export_hour=BEGINS + 9 * HOUR, **changes))
    put(ledger, tmp_path, "b", charge("-3", charge_period_start=BEGINS - 99 * HOUR, export_hour=BEGINS))
    assert begins(ledger) == {ACCOUNT: BEGINS}


def test_a_bill_by_the_month_begins_with_its_first_month(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", used(BEGINS, charge_period_end=BEGINS + MONTH))
    assert begins(ledger) == {ACCOUNT: BEGINS}


def test_days_of_a_daily_bill_count_and_what_is_paid_ahead_does_not(ledger: Ledger, tmp_path: Path) -> None:
    ahead = charge(charge_period_start=BEGINS, export_hour=BEGINS - 48 * HOUR)
    day = used(BEGINS + 24 * HOUR, charge_period_end=BEGINS + 48 * HOUR)
    put(ledger, tmp_path, "a", ahead, day)
    assert begins(ledger) == {ACCOUNT: BEGINS + 24 * HOUR}


def test_as_of_a_past_hour_a_bill_begins_with_what_was_known_then(ledger: Ledger, tmp_path: Path) -> None:
    late = charge(charge_period_start=BEGINS - HOUR, export_hour=BEGINS + 30 * HOUR)
    put(ledger, tmp_path, "a", used(BEGINS), late)
    assert begins(ledger, BEGINS + 24 * HOUR) == {ACCOUNT: BEGINS}
    assert begins(ledger) == {ACCOUNT: BEGINS - HOUR}
    assert begins(ledger, BEGINS) == {}


def test_without_usage_nothing_is_claimed(ledger: Ledger, tmp_path: Path) -> None:
    assert begins(ledger) == {}
    put(ledger, tmp_path, "a", used(BEGINS, charge_category="tax"))
    assert begins(ledger) == {}
