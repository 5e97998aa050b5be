"""Live usage by model: each SKU is estimated from the tokens of its own model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.core.charges import UsagePoint
from exporter.core.meters.vertex_ai import VERTEX
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.queries import UsageView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.outlooks.nowcast import Nowcasting
from exporter.sources.base import HoursRead
from exporter.sources.spool import write_usage_csv
from tests.support.charge_rows import HOUR, charge, put

pytestmark = pytest.mark.slow

PACIFIC = {"gcp": "America/Los_Angeles"}
BEGINS = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Midnight in the billing zone."""
HOURS = 14 * 24 + 12
NOW = BEGINS + HOURS * HOUR
LATE_HOURS = 5
"""So long after an hour its bill arrives."""
SKUS = {
    "gemini-3.0-pro": "Gemini 3.0 Pro Text Input - Predictions",
    "gemini-2.5-flash": "Gemini 2.5 Flash GA Text Input - Predictions",
}
TOKENS_PER_HOUR = 1000.0
USD_PER_HOUR = 1


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_bill(ledger: Ledger, folder: Path) -> None:
    charges = [
        charge(
            str(USD_PER_HOUR),
            service_id=VERTEX,
            service_name="Vertex AI",
            sku_id=model,
            sku=sku,
            charge_period_start=BEGINS + at * HOUR,
            export_hour=BEGINS + (at + LATE_HOURS) * HOUR,
            consumed_quantity=TOKENS_PER_HOUR,
            consumed_unit="requests",
        )
        for at in range(HOURS - LATE_HOURS)
        for model, sku in SKUS.items()
    ]
    put(ledger, folder, "bill", *charges)


def put_usage(ledger: Ledger, folder: Path, times_of_last_hours: dict[str, float]) -> None:
    """Steady tokens of both models, in the hours that are not billed yet so many times as much."""
    points = [
        UsagePoint(
            provider="gcp",
            project_id="shop-prod",
            region_id="us-central1",
            service_id=VERTEX,
            resource=model,
            revision="",
            meter="vertex_tokens",
            dimension="input",
            start=BEGINS + at * HOUR,
            end=BEGINS + (at + 1) * HOUR,
            value=TOKENS_PER_HOUR * (times if at >= HOURS - LATE_HOURS else 1.0),
            unit="requests",
        )
        for at in range(HOURS)
        for model, times in times_of_last_hours.items()
    ]
    read = HoursRead("shop-prod", "vertex_tokens", BEGINS, NOW, NOW, "read")
    UsageLedger(ledger).put("cloud_monitoring", [read], write_usage_csv(folder / "usage.csv", points))


def today_usd(ledger: Ledger) -> float:
    with ledger.view(["files"]) as view:
        [outlook] = Nowcasting().outlooks(view, UsageView(view.connection), NOW, PACIFIC)
    return sum(
        value for family, _, value in outlook.families(NOW) if family.name == "spend_nowcast_today_usd"
    )


@pytest.mark.parametrize("model", SKUS)
def test_tokens_of_a_runaway_model_are_in_todays_estimate_before_the_bill_has_them(
    ledger: Ledger, tmp_path: Path, model: str
) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, {**dict.fromkeys(SKUS, 1.0), model: 10.0})
    usual, more = 12 * 2 * USD_PER_HOUR, LATE_HOURS * 9 * USD_PER_HOUR
    assert today_usd(ledger) == pytest.approx(usual + more, rel=0.03)


def test_tokens_of_a_model_that_the_bill_does_not_name_are_in_no_models_estimate(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, {**dict.fromkeys(SKUS, 1.0), "gemini-9-ultra": 50.0})
    assert today_usd(ledger) == pytest.approx(12 * 2 * USD_PER_HOUR, rel=0.03)
