"""Families of the bill on small known cases: restatements, freshness, lateness, and invoices cut by age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.metrics.billed import billed_families, invoice_families, lateness_families
from exporter.metrics.families import FamilySamples
from tests.support.charge_rows import HOUR, charge, put

PACIFIC = {"gcp": "America/Los_Angeles"}
ACCOUNT = ("gcp", "01AB23-4C5D67-89EF01")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, 8, tzinfo=UTC)
"""Midnight at which the Pacific day of NOW began."""


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def values(families: list[FamilySamples]) -> dict[str, dict[tuple[str, ...], float]]:
    return {each.family.name: dict(each.samples) for each in families}


def lateness(
    ledger: Ledger, now: datetime = NOW, before: datetime | None = None
) -> dict[str, dict[tuple[str, ...], float]]:
    with ledger.view(["files"], before) as view:
        return values(lateness_families(view, now, PACIFIC))


def test_restated_dollars_are_reported_by_direction_and_are_zero_before(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", charge("10"))
    assert lateness(ledger)["spend_restated_usd_total"] == {("gcp", "down"): 0.0, ("gcp", "up"): 0.0}
    correction = charge("-3", charge_category="adjustment", export_hour=NOW - HOUR)
    taken_back = charge("0.5", charge_category="credit", export_hour=NOW - HOUR)
    put(ledger, tmp_path, "a", charge("10"), correction, taken_back)
    assert lateness(ledger)["spend_restated_usd_total"] == {("gcp", "down"): 3.0, ("gcp", "up"): 0.5}


def test_without_any_charge_nothing_is_claimed(ledger: Ledger) -> None:
    assert {name: found for name, found in lateness(ledger).items() if found} == {}
    with ledger.view(["files"]) as view:
        assert values(invoice_families(view)) == {"spend_invoice_month_cost": {}}


def test_freshness_is_reported_by_service(ledger: Ledger, tmp_path: Path) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        charge(charge_period_start=NOW - 9 * HOUR, export_hour=NOW - 2 * HOUR),
        charge(charge_period_start=NOW - 5 * HOUR, export_hour=NOW - 3 * HOUR),
        charge(
            service_name="BigQuery",
            charge_period_start=NOW - 30 * HOUR,
            export_hour=NOW - 20 * HOUR,
            exported_at=NOW - 19.25 * HOUR,
        ),
    )
    found = lateness(ledger)
    assert found["spend_billed_through_timestamp_seconds"] == {
        (*ACCOUNT, "Compute Engine"): (NOW - 4 * HOUR).timestamp(),
        (*ACCOUNT, "BigQuery"): (NOW - 29 * HOUR).timestamp(),
    }
    assert found["spend_export_last_timestamp_seconds"] == {
        (*ACCOUNT, "Compute Engine"): (NOW - 2 * HOUR).timestamp(),
        (*ACCOUNT, "BigQuery"): (NOW - 19.25 * HOUR).timestamp(),
    }


def steady_bill(first: datetime, last: datetime, lags_hours: tuple[int, ...]) -> list[Charge]:
    """A dollar for each hour of usage, in equal parts that arrive so many hours after the hour began."""
    hours = range(int((last - first) / HOUR))
    return [
        charge(
            Decimal(1) / len(lags_hours),
            charge_period_start=first + hour * HOUR,
            export_hour=first + (hour + lag) * HOUR,
        )
        for hour in hours
        for lag in lags_hours
    ]


def test_what_is_still_to_arrive_is_what_arrives_later(ledger: Ledger, tmp_path: Path) -> None:
    bill = steady_bill(NOW - timedelta(days=20), NOW + timedelta(days=3), (5, 29))
    put(ledger, tmp_path, "a", *bill)
    known = [each for each in bill if each.export_hour < NOW]
    # The bill last grew in the hour before NOW.
    found = lateness(ledger, NOW, NOW)
    assert max(each.exported_at for each in known) == NOW - HOUR

    def truly_missing(days_ago: int) -> Decimal:
        start = TODAY - timedelta(days=days_ago)
        end = min(start + timedelta(days=1), NOW)
        of_day = [each for each in bill if start <= each.charge_period_start < end]
        arrived = [each for each in of_day if each.export_hour < NOW - HOUR]
        return 1 - sum(each.billed_cost_usd for each in arrived) / sum(
            each.billed_cost_usd for each in of_day
        )

    ratios = found["spend_unsettled_ratio"]
    assert ratios.keys() == {(*ACCOUNT, str(days_ago)) for days_ago in range(7)}
    for days_ago in range(7):
        assert ratios[(*ACCOUNT, str(days_ago))] == pytest.approx(float(truly_missing(days_ago)), abs=1e-12)
    assert ratios[(*ACCOUNT, "0")] == 1.0
    assert 0.0 < ratios[(*ACCOUNT, "2")] < 0.5 < ratios[(*ACCOUNT, "1")] < 1.0
    assert ratios[(*ACCOUNT, "3")] == 0.0
    # What was exported by an hour ago, of which all parts come within 30 hours.
    assert found["spend_settled_through_timestamp_seconds"] == {ACCOUNT: (NOW - 31 * HOUR).timestamp()}


def test_two_accounts_are_learnt_apart_and_one_too_young_claims_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    bill = steady_bill(NOW - timedelta(days=20), NOW, (2,))
    young = steady_bill(NOW - timedelta(days=2), NOW, (2,))
    put(ledger, tmp_path, "a", *bill, *(replace(each, billing_account_id="young") for each in young))
    found = lateness(ledger, NOW, NOW)
    assert {labels[:2] for labels in found["spend_unsettled_ratio"]} == {ACCOUNT}
    assert found["spend_settled_through_timestamp_seconds"].keys() == {ACCOUNT}
    assert len(found["spend_export_last_timestamp_seconds"]) == 2


def test_a_clock_behind_the_bill_gives_ratios_between_nought_and_one(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", *steady_bill(NOW - timedelta(days=30), NOW, (2,)))
    behind = NOW - timedelta(days=5)
    found = lateness(ledger, behind)
    assert all(0.0 <= ratio <= 1.0 for ratio in found["spend_unsettled_ratio"].values())
    assert found["spend_settled_through_timestamp_seconds"][ACCOUNT] <= behind.timestamp()


def invoices(ledger: Ledger) -> dict[tuple[str, ...], float]:
    with ledger.view(["files"]) as view:
        found = values(invoice_families(view))["spend_invoice_month_cost"]
    return {(month, category): cost for (_, month, _, category), cost in found.items()}


@pytest.mark.slow
def test_invoices_keep_what_is_forgotten_and_those_that_were_never_read_whole_are_left_out(
    ledger: Ledger, tmp_path: Path
) -> None:
    september, october, november = (datetime(2026, month, 15, tzinfo=UTC) for month in (9, 10, 11))
    charges = [
        charge("1", charge_period_start=september, invoice_month="202609"),
        charge("2", charge_period_start=october, invoice_month="202610"),
        charge("4", charge_period_start=november, invoice_month="202611"),
        # Of October, and reported so late that the November invoice has it.
        charge("8", charge_period_start=october, invoice_month="202611", sku_id="late"),
        charge("16", charge_period_start=november, invoice_month="202612", sku_id="later"),
        charge("0.5", charge_period_start=november, invoice_month="202612", charge_category="tax"),
    ]
    put(ledger, tmp_path, "a", *charges)
    assert invoices(ledger) == {
        ("202609", "usage"): 1.0,
        ("202610", "usage"): 2.0,
        ("202611", "usage"): 12.0,
        ("202612", "usage"): 16.0,
        ("202612", "tax"): 0.5,
    }
    ledger.forget_before(datetime(2026, 10, 2, tzinfo=UTC))
    later = {("202611", "usage"): 12.0, ("202612", "usage"): 16.0, ("202612", "tax"): 0.5}
    assert invoices(ledger) == later
    ledger.forget_before(datetime(2026, 10, 20, tzinfo=UTC))
    assert invoices(ledger) == later
    put(ledger, tmp_path, "a", *charges)
    assert invoices(ledger) == later
    ledger.forget_before(datetime(2026, 11, 20, tzinfo=UTC))
    assert invoices(ledger) == {("202612", "usage"): 16.0, ("202612", "tax"): 0.5}


def billed(ledger: Ledger, *, everything_read: bool) -> dict[str, dict[tuple[str, ...], float]]:
    with ledger.view(["files"]) as view:
        return values(billed_families(view, NOW, PACIFIC, 50_000, everything_read=everything_read).families)


def test_until_everything_was_read_once_windows_are_shown_and_counters_of_new_series_are_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", charge("1"))
    assert len(billed(ledger, everything_read=False)["spend_month_to_date_usd"]) == 1
    assert billed(ledger, everything_read=False)["spend_billed_usd_total"] == {}
    assert list(billed(ledger, everything_read=True)["spend_billed_usd_total"].values()) == [1.0]


def test_a_provider_is_counted_in_the_days_of_its_own_zone(ledger: Ledger, tmp_path: Path) -> None:
    at_seven = charge("1", charge_period_start=TODAY - HOUR)
    put(ledger, tmp_path, "a", at_seven, charge("2", charge_period_start=TODAY - HOUR, provider="openai"))
    with ledger.view(["files"]) as view:
        zones = {**PACIFIC, "openai": "UTC"}
        found = values(billed_families(view, NOW, zones, 50_000, everything_read=True).families)
    assert {labels[0]: value for labels, value in found["spend_today_usd"].items()} == {"openai": 2.0}
    assert {labels[0]: value for labels, value in found["spend_yesterday_usd"].items()} == {"gcp": 1.0}
