"""What alerts go by, as the whole exporter shows it: budgets, spikes, settled days, thresholds, own cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.config.model import parse
from exporter.ledger.charges.store import Ledger
from exporter.metrics import families as metrics
from exporter.metrics.exporter_cost import ExporterCost
from exporter.metrics.settled_day import settled_day_families
from exporter.metrics.summary import summary
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, BilledReads, Change, RefreshContext
from exporter.sources.spool import write_spool_csv
from exporter.sources.status import SourceStatus
from exporter.wiring.budgets import alert_thresholds, kept_tags
from exporter.wiring.sources import figure_settings
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge, put
from tests.support.config_documents import FROM_FILES
from tests.support.exposed import Samples, by, samples

PACIFIC = "America/Los_Angeles"
BEGINS = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Midnight in the billing zone."""
NOW = BEGINS + timedelta(days=18, hours=14, minutes=20)
CONFIG = {
    "gcp": {
        **FROM_FILES["gcp"],
        "budget_alerts": {"daily_limit_usd": 40.0, "hourly_spike_threshold": 7.5},
    },
    "cost_attribution": {"run": ["run"], "rest": {"providers": ["gcp"]}},
    "budgets": [
        {"name": "run", "limit_usd": 500, "match": {"category": "run", "labels": {"team": "a"}}},
        {"name": "rest", "period": "week", "limit_usd": 100, "match": {"category": "rest"}},
    ],
}


@dataclass
class Bill(TestedSource):
    """Two dollars an hour, each known three hours after its hour began; and something more in one hour."""

    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = PACIFIC

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        hours = [BEGINS + at * HOUR for at in range(19 * 24)]
        charges = [
            charge(
                "22" if hour == BEGINS + timedelta(days=18, hours=10) else "2",
                charge_period_start=hour,
                export_hour=hour + 3 * HOUR,
            )
            for hour in hours
            if hour + 4 * HOUR <= NOW
        ]
        spool = write_spool_csv(context.spool / "bill.csv", charges)
        yield Batch("bill", "cursor", spool, len(charges))


@pytest.fixture(scope="module")
def refresher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refresher]:
    ledger = Ledger(None)
    config = parse(json.dumps(CONFIG), Path("/etc"))
    made = Refresher(
        [Bill()],
        ledger,
        tmp_path_factory.mktemp("spool"),
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        settings=figure_settings(config),
        clock=lambda: NOW,
    )
    made.refresh_all()
    yield made
    ledger.close()


@pytest.fixture(scope="module")
def shown(refresher: Refresher) -> Samples:
    return samples(refresher.snapshot.exposition.text)


@pytest.mark.slow
def test_every_budget_is_exposed_and_its_parts_sum(shown: Samples) -> None:
    used = by(shown["spend_budget_used_usd"], "budget", "period")
    assert set(used) == {("gcp daily limit", "day"), ("run", "month"), ("rest", "week")}
    billed = by(shown["spend_budget_billed_usd"], "budget", "period")
    estimated = by(shown["spend_budget_estimated_usd"], "budget", "period")
    by_service = by(shown["spend_budget_service_used_usd"], "budget", "period")
    limits = by(shown["spend_budget_limit_usd"], "budget", "period")
    remaining = by(shown["spend_budget_remaining_usd"], "budget", "period")
    for key, usd in used.items():
        assert billed.get(key, 0.0) + estimated[key] == pytest.approx(usd, abs=1e-9)
        assert by_service.get(key, 0.0) == pytest.approx(usd, abs=1e-9)
        assert limits[key] - usd == pytest.approx(remaining[key], abs=1e-9)
    today = by(shown["spend_nowcast_today_usd"])[()]
    assert used["gcp daily limit", "day"] == pytest.approx(today, abs=1e-9)
    assert used["run", "month"] == 0.0


@pytest.mark.slow
def test_thresholds_are_exposed_by_severity_and_by_name(shown: Samples) -> None:
    ratios = by(shown["spend_budget_threshold_ratio"], "budget", "basis", "severity")
    assert ratios["run", "actual", "warning"] == 0.9
    assert ratios["gcp daily limit", "forecast", "warning"] == 1.0
    thresholds = by(shown["spend_alert_threshold"], "name")
    assert thresholds[("hourly_spike_usd",)] == 7.5
    assert thresholds[("bill_stale_seconds",)] == 129_600.0


@pytest.mark.slow
def test_the_spike_is_exposed_with_its_dollars_and_its_sku(shown: Samples) -> None:
    above = by(shown["spend_spike_usd"], "service_name", "sku")
    assert above["Compute Engine", ""] == pytest.approx(20.0, rel=0.02)
    assert above["Compute Engine", "N2 Core"] == 20.0
    assert (
        by(shown["spend_spike_hour_timestamp_seconds"])[()]
        == (BEGINS + timedelta(days=18, hours=10)).timestamp()
    )


def test_the_summary_has_the_budgets_of_the_exposition(refresher: Refresher, shown: Samples) -> None:
    used = by(shown["spend_budget_used_usd"], "budget")
    listed = summary(refresher.snapshot, NOW)["budgets"]
    assert [each["budget"] for each in listed] == ["gcp daily limit", "run", "rest"]
    for each in listed:
        assert each["used_usd"] == pytest.approx(used[(each["budget"],)], abs=1e-9)
        assert each["forecast_usd"] is not None


def test_the_key_of_alerts_goes_before_the_older_one() -> None:
    config = parse(json.dumps({**CONFIG, "alerts": {"hourly_spike_usd": 33.0}}), Path("/etc"))
    assert alert_thresholds(config)["hourly_spike_usd"] == 33.0
    assert kept_tags(config) == ("label:team",)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        # A charge comes three hours after its hour began, so a day is settled some hours after its end.
        (BEGINS + timedelta(days=14, hours=3), 12),
        (BEGINS + timedelta(days=14, hours=7), 13),
    ],
)
def test_settled_days_are_whole_and_a_week_apart(tmp_path: Path, now: datetime, last: int) -> None:
    ledger = Ledger(None)
    try:
        hours = [BEGINS + at * HOUR for at in range(15 * 24)]
        charges = [
            charge(str((hour - BEGINS).days), charge_period_start=hour, export_hour=hour + 3 * HOUR)
            for hour in hours
            if hour + 4 * HOUR <= now
        ]
        put(ledger, tmp_path, "a", *charges)
        with ledger.view(["files"]) as view:
            days, recurring = settled_day_families(view, now, {"gcp": PACIFIC})
    finally:
        ledger.close()
    assert dict(days.samples) == {
        ("gcp", "Compute Engine", str(before)): 24.0 * (last - before) for before in (0, 1, 7)
    }
    # The bill grows day by day, so the third dearest of the days before is three days earlier.
    assert recurring.samples == [(("gcp", "Compute Engine"), 24.0 * (last - 3))]


def test_the_exporters_own_cost_follows_from_the_last_day_without_the_first_fill() -> None:
    exporter_cost = ExporterCost()

    def status(name: str, up: bool | None, billed_reads: BilledReads, **read: int) -> SourceStatus:
        return SourceStatus(name, up, None, "", 0, (), billed_reads=billed_reads, **read)

    def reported(hours: float, tebibytes: float, millions: float, *, up: bool | None = True) -> list[float]:
        statuses = [
            SourceStatus(
                "bigquery",
                up,
                None,
                "",
                0,
                (),
                billed_reads=BilledReads.BYTES,
                billed_bytes=round(tebibytes * 2**40),
            ),
            SourceStatus(
                "cloud_monitoring",
                True,
                None,
                "",
                0,
                (),
                billed_reads=BilledReads.SERIES,
                series_returned=round(millions * 1e6),
            ),
        ]
        family = exporter_cost.family(statuses, BEGINS + hours * HOUR)
        assert family.family is metrics.SPEND_EXPORTER_COST_USD_PER_MONTH
        return [value for _, value in family.samples]

    assert reported(0, 50, 0, up=None) == []
    assert reported(0.1, 50, 0) == []
    assert reported(0.9, 50, 0) == []
    [usd] = reported(12.1, 50.1, 0.05)
    assert usd == pytest.approx(0.2 * 6.25 * 365 / 12 + (0.1 * 365 / 12 - 1) * 0.5)
    for hour in range(13, 40):
        reported(hour, 50.1, 0.05)
    [later] = reported(40, 50.1, 0.05)
    assert later == 0.0


def test_reading_files_costs_nothing() -> None:
    status = SourceStatus("files", True, None, "", 0, ())
    exporter_cost = ExporterCost()
    for hour in range(3):
        assert list(exporter_cost.family([status], BEGINS + hour * HOUR).samples) == []
