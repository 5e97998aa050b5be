"""What `check` says of the bill that live usage does not cover: SKUs by name, with their dollars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.analysis.unit_cost import coverage as covered
from exporter.cli.commands.check_live_usage import live_usage_findings
from exporter.core.meters import RUN, USAGE_TABLE
from exporter.ledger.charges.store import Ledger
from exporter.sources.base import Finding
from tests.support.charge_rows import charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
NOT_COVERED = {
    "NVIDIA L4 GPU with no zonal redundancy in us-central1": "31.50",
    "Worker Pools CPU in us-central1": "4.00",
    "Instances CPU in us-central1": "3.00",
    "Services Startup CPU Boost in us-central1": "0.75",
}


def ledger_file(folder: Path) -> Path:
    path = folder / "spend.duckdb"
    ledger = Ledger(path)
    run = {"service_id": RUN, "service_name": "Cloud Run", "charge_period_start": NOW - timedelta(days=2)}
    functions = {**run, "service_id": "29E7-DA93-CA13", "service_name": "Cloud Run Functions"}
    put(
        ledger,
        folder,
        "a",
        charge("60", sku_id="4856-B847-F1EB", sku="Services CPU (Request-based billing)", **run),
        charge("-10", sku_id="4856-B847-F1EB", charge_category="credit", **run),
        charge("5", sku_id="900B-EA7D-0386", sku="Jobs CPU in europe-west2", **run),
        *(charge(usd, sku_id=sku[:9], sku=sku, **run) for sku, usd in NOT_COVERED.items()),
        charge("2.25", sku_id="CPU", sku="CPU Time (2nd Gen)", **functions),
        charge("99", sku_id="old", sku="old", **{**run, "charge_period_start": NOW - timedelta(days=9)}),
    )
    ledger.close()
    return path


def found(path: Path) -> list[Finding]:
    return list(live_usage_findings(path, ["files"], NOW))


def test_what_no_meter_covers_is_named_with_its_dollars(tmp_path: Path) -> None:
    run, functions = found(ledger_file(tmp_path))
    assert (run.ok, run.what) == (True, "Cloud Run")
    assert run.detail == (
        "$39.25 of $104.25 in the last 7 days is in SKUs without live usage, known from the bill alone: "
        "NVIDIA L4 GPU with no zonal redundancy in us-central1 $31.50; "
        "Worker Pools CPU in us-central1 $4.00; Instances CPU in us-central1 $3.00; "
        "Services Startup CPU Boost in us-central1 $0.75"
    )
    assert (functions.ok, functions.what) == (True, "Cloud Run Functions")
    assert "CPU Time (2nd Gen) $2.25" in functions.detail


def test_many_skus_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    ledger = Ledger(path)
    run = {"service_id": RUN, "service_name": "Cloud Run", "charge_period_start": NOW - timedelta(days=2)}
    put(ledger, tmp_path, "a", *(charge(str(n + 1), sku_id=f"{n}", sku=f"SKU {n}", **run) for n in range(9)))
    ledger.close()
    (only,) = found(path)
    assert "SKU 8 $9.00; SKU 7 $8.00; SKU 6 $7.00" in only.detail
    assert only.detail.endswith("SKU 3 $4.00; 3 more $6.00")


@pytest.mark.slow
def test_a_bill_that_is_covered_says_so(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    ledger = Ledger(path)
    run = {"service_id": RUN, "service_name": "Cloud Run", "charge_period_start": NOW - timedelta(days=2)}
    put(ledger, tmp_path, "a", charge("60", sku_id="4856-B847-F1EB", sku="Services CPU", **run))
    ledger.close()
    assert [(each.what, each.detail) for each in found(path)] == [
        ("Cloud Run", "all of $60.00 in the last 7 days has live usage")
    ]


def test_a_sku_that_two_meters_claim_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered, "explaining", lambda *_row: list(USAGE_TABLE[:2]))
    first = found(ledger_file(tmp_path))[0]
    assert not first.ok
    assert "cloud_run_requests and cloud_run_cpu_seconds" in first.detail


def test_without_a_ledger_nothing_is_looked_at(tmp_path: Path) -> None:
    (only,) = found(tmp_path / "none.duckdb")
    assert (only.ok, only.what) == (True, "coverage")
    assert only.detail.startswith("not looked at: ")
