"""Bill and live usage in the wrong order, and neither: nothing is counted twice and nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.core.charges import UsagePoint
from exporter.core.meters import RUN
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.live_usage import live_usage_families, read_live_usage
from exporter.metrics.outlooks.nowcast import Nowcasting
from exporter.metrics.outlooks.outlook import outlook_families
from exporter.sources.base import HoursRead
from exporter.sources.spool import write_usage_csv
from tests.support.charge_rows import HOUR, charge, put

PACIFIC = {"gcp": "America/Los_Angeles"}
BEGINS = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Midnight in the billing zone."""
NOW = BEGINS + 14 * 24 * HOUR + 12 * HOUR + timedelta(minutes=20)
THIS_HOUR = BEGINS + 14 * 24 * HOUR + 12 * HOUR
REQUESTS_PER_HOUR = 1_000_000.0
USD_PER_HOUR = 2.0

Figures = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_bill(ledger: Ledger, folder: Path, *, hours: range) -> None:
    """Cloud Run requests, billed one hour after each hour began."""
    charges = [
        charge(
            str(USD_PER_HOUR),
            service_id=RUN,
            service_name="Cloud Run",
            sku_id="2DA5-55D3-E679",
            sku="Requests",
            charge_period_start=BEGINS + at * HOUR,
            export_hour=BEGINS + (at + 1) * HOUR,
            consumed_quantity=REQUESTS_PER_HOUR,
            consumed_unit="requests",
        )
        for at in hours
    ]
    put(ledger, folder, "bill", *charges)


def put_usage(ledger: Ledger, folder: Path, *, hours: range) -> None:
    points = [
        UsagePoint(
            provider="gcp",
            project_id="shop-prod",
            region_id="europe-west4",
            service_id=RUN,
            resource="checkout",
            revision="checkout-00007",
            meter="cloud_run_requests",
            dimension="2xx",
            start=BEGINS + at * HOUR + part * timedelta(minutes=20),
            end=BEGINS + at * HOUR + (part + 1) * timedelta(minutes=20),
            value=REQUESTS_PER_HOUR / 3,
            unit="requests",
        )
        for at in hours
        for part in range(3)
    ]
    since, until = (BEGINS + at * HOUR for at in (hours.start, hours.stop))
    read = HoursRead("shop-prod", "cloud_run_requests", since, until, until, f"read to {until}")
    spool = write_usage_csv(folder / f"usage-{hours.start}.csv", points)
    UsageLedger(ledger).put("cloud_monitoring", [read], spool)


def figures(ledger: Ledger) -> Figures:
    with ledger.view(["files"]) as view:
        usage = UsageView(view.connection)
        live = read_live_usage(view, usage, NOW, None)
        outlooks = Nowcasting().outlooks(view, usage, NOW, PACIFIC)
        families = [*outlook_families(outlooks, NOW), *live_usage_families(usage, live, NOW)]
        return {each.family.name: dict(each.samples) for each in families}


HOURS_NOW = int((THIS_HOUR - BEGINS) / HOUR)
BILLED_THROUGH = HOURS_NOW - 1
"""Hours of which the bill has arrived; the last hour's has not."""


@pytest.mark.slow
def test_a_bill_that_arrives_before_the_usage_is_not_added_to_by_it(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path, hours=range(BILLED_THROUGH))
    bill_alone = figures(ledger)
    # Live usage is known for what was billed long ago, and not yet for the ten hours billed last.
    put_usage(ledger, tmp_path, hours=range(HOURS_NOW - 11))
    usage_behind = figures(ledger)
    put_usage(ledger, tmp_path, hours=range(HOURS_NOW - 11, HOURS_NOW))
    usage_there = figures(ledger)
    so_far = 12 + 1 / 3
    for found in (bill_alone, usage_behind, usage_there):
        today = found["spend_nowcast_today_usd"]
        assert today["gcp", "Cloud Run", "billed"] == 11 * USD_PER_HOUR
        assert sum(today.values()) == pytest.approx(so_far * USD_PER_HOUR, rel=0.02)
        assert found["spend_forecast_day_usd"]["gcp", "Cloud Run"] == pytest.approx(
            24 * USD_PER_HOUR, rel=0.02
        )
    assert usage_behind["spend_estimate_to_billed_ratio"] == {("gcp", "Cloud Run"): pytest.approx(1.0)}
    assert usage_there["spend_estimate_to_billed_ratio"] == {("gcp", "Cloud Run"): pytest.approx(1.0)}


@pytest.mark.slow
def test_the_estimate_is_counted_once_when_the_usage_comes_after_the_bill(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path, hours=range(BILLED_THROUGH))
    put_usage(ledger, tmp_path, hours=range(HOURS_NOW - 3, HOURS_NOW))
    once = figures(ledger)["spend_cloud_run_requests_total"]
    put_usage(ledger, tmp_path, hours=range(HOURS_NOW - 3, HOURS_NOW))
    assert figures(ledger)["spend_cloud_run_requests_total"] == once
    assert sum(once.values()) == pytest.approx(3 * REQUESTS_PER_HOUR)


def test_usage_without_any_bill_has_list_prices_and_no_nowcast(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path, hours=range(HOURS_NOW - 30, HOURS_NOW))
    found = figures(ledger)
    assert {labels[4] for labels in found["spend_cloud_run_rate_usd"]} == {"list"}
    assert sum(found["spend_cloud_run_requests_total"].values()) == pytest.approx(30 * REQUESTS_PER_HOUR)
    (cost,) = found["spend_cloud_run_cost_per_request_usd"].values()
    assert 0.0 < cost <= 0.40e-6
    for name in ("spend_nowcast_today_usd", "spend_forecast_month_end_usd", "spend_estimate_to_billed_ratio"):
        assert not found.get(name)


@pytest.mark.slow
def test_the_first_days_of_the_first_month_are_billed_and_not_forecast(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path, hours=range(HOURS_NOW - 60, BILLED_THROUGH))
    assert not figures(ledger).get("spend_nowcast_today_usd")
    put_bill(ledger, tmp_path, hours=range(HOURS_NOW - 80, BILLED_THROUGH))
    found = figures(ledger)
    assert found["spend_nowcast_today_usd"]["gcp", "Cloud Run", "billed"] == 11 * USD_PER_HOUR
    quantiles = found["spend_forecast_month_end_usd"]
    assert quantiles["gcp", "0.1"] <= quantiles["gcp", "0.5"] <= quantiles["gcp", "0.9"]
