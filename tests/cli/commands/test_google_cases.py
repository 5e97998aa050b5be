"""Google bills as people have them: each input shows its right value, or says what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.cases import copied_case, shown
from tests.support.exposed import by

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 25, 20, 10, tzinfo=UTC)


def test_an_export_that_became_known_within_the_current_hour_is_shown(tmp_path: Path) -> None:
    config = copied_case("gcp/93-gcp-files-first-export-this-hour", tmp_path)
    file = config.with_name("e.jsonl")
    file.write_text(file.read_text().replace("2026-11-25T19:16:41.156272", "2026-11-25T20:05:41.156272"))

    found = shown(config, NOW)

    assert by(found["spend_month_to_date_usd"], "service_name") == {("Vertex AI",): 200.0}
    assert by(found["spend_figure_success"], "figure")[("spikes",)] == 1


@pytest.mark.parametrize(
    ("case", "invoice", "month_to_date"),
    [
        ("10b-refund-older-than-400d", 75.0, 100.0),
        ("11-epoch-dated-adjustment", 70.0, 100.0),
        ("12-prepaid-future-start", 1300.0, 100.0),
        ("14-rounding-error-restated", 10.01, 10.01),
    ],
)
def test_the_invoice_has_every_row_whatever_its_time(
    tmp_path: Path, case: str, invoice: float, month_to_date: float
) -> None:
    found = shown(copied_case(f"gcp/{case}", tmp_path), NOW)

    assert by(found["spend_invoice_month_cost"], "invoice_month") == {("202611",): invoice}
    assert by(found["spend_month_to_date_usd"]) == {(): month_to_date}


@pytest.mark.parametrize(
    ("case", "sku"),
    [
        ("02-flattened-csv", "N1 Core"),
        ("03-flattened-csv-underscore", "N1 Core"),
        ("05-pandas-epoch-ms", "N1 Predefined Instance Core running in Americas"),
        ("06-node-client-value-objects", "N1 Predefined Instance Core running in Americas"),
    ],
)
def test_an_export_is_read_as_common_tools_write_it(tmp_path: Path, case: str, sku: str) -> None:
    found = shown(copied_case(f"gcp/{case}", tmp_path), NOW)

    of_month = by(found["spend_month_to_date_usd"], "project_id", "service_name", "sku", "region_id")
    assert of_month == {("p1", "Compute Engine", sku, "us-central1"): 7.0}
    assert by(found["spend_invoice_month_cost"], "invoice_month") == {("202611",): 7.0}


def test_times_in_seconds_since_1970_are_read(tmp_path: Path) -> None:
    config = copied_case("gcp/04-rest-epoch-times", tmp_path)

    found = shown(config, datetime(2025, 11, 25, 20, 10, tzinfo=UTC))

    assert by(found["spend_month_to_date_usd"], "project_id") == {("sandbox",): 0.000528}


def test_the_rounding_of_an_invoice_is_not_restated(tmp_path: Path) -> None:
    found = shown(copied_case("gcp/14-rounding-error-restated", tmp_path), NOW)

    assert by(found["spend_restated_usd_total"], "direction") == {("up",): 0.0, ("down",): 0.0}


def test_a_plan_paid_ahead_counts_in_the_month_that_it_begins_in(tmp_path: Path) -> None:
    config = copied_case("gcp/12-prepaid-future-start", tmp_path)

    found = shown(config, datetime(2026, 12, 2, 20, 10, tzinfo=UTC))

    assert by(found["spend_month_to_date_usd"], "service_name") == {("Vendor X",): 1200.0}
    assert by(found["spend_last_month_usd"]) == {(): 100.0}
    reaches = by(found["spend_billed_through_timestamp_seconds"], "service_name")
    assert reaches == {("Compute Engine",): datetime(2026, 11, 20, 21, tzinfo=UTC).timestamp()}


def test_a_renamed_export_file_changes_no_figure(tmp_path: Path) -> None:
    config = copied_case("gcp/10b-refund-older-than-400d", tmp_path)
    config.write_text("gcp:\n  billing_export: {files: ['*.jsonl']}\n")
    ledger = tmp_path / "spend.duckdb"
    names = ("spend_month_to_date_usd", "spend_billed_usd_total", "spend_restated_usd_total")
    before = shown(config, NOW, ledger)

    config.with_name("export.jsonl").rename(config.with_name("november.jsonl"))
    after = shown(config, NOW, ledger)

    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    assert after["spend_invoice_month_cost"] == before["spend_invoice_month_cost"]
    assert by(before["spend_billed_usd_total"]) == {(): 100.0}
