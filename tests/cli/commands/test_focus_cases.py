"""FOCUS bills as people have them: each input shows its right value, or what is wrong with it is reported."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.cli.commands.check import check
from exporter.cli.commands.check_report import JsonReport
from exporter.config.model import load
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.support.cases import copied_case, shown
from tests.support.exposed import by, samples

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

RIGHT = {
    "14-azure-empty-service": {("azure", "unnamed service"): 5.0, ("azure", "Virtual Machines"): 8.12},
    "15-overlapping-files": {("gcp", "Compute Engine"): 7.0},
    "20-oci-real-report": {("oci", "COMPUTE"): 0.75, ("oci", "BLOCK_STORAGE"): 0.5},
    "23-overlap-same-folder": {("aws", "Amazon EC2"): 250.0},
    "23c-copy-in-same-folder": {("aws", "Amazon EC2"): 250.0},
    "25-tags-list_struct": {("somesaas", "Compute"): 7.0},
    "focus-0.5": {("aws", "Amazon EC2"): 7.0},
    "header-in-upper-case": {("aws", "Amazon EC2"): 7.0},
    "header-with-trailing-comma": {("aws", "Amazon EC2"): 7.0},
    "rows-with-trailing-comma": {("aws", "Amazon EC2"): 7.0},
    "column-twice": {("aws", "Amazon EC2"): 7.0},
}

REPORTED = {
    "15-overlapping-files": "has the same rows as",
    "23-overlap-same-folder": "focus-2026-11-25.csv has all its rows and more",
    "23c-copy-in-same-folder": "has the same rows as",
    "overlapping-spans": "6 days of an account",
    "column-twice": "a.csv' has the column 'tags' twice",
    "20-oci-real-report": "1.0 preview: 0001000000123456-00001.csv.gz",
    "14-azure-empty-service": "azure (2 rows)",
}


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_the_month_is_what_the_bill_is(tmp_path: Path, name: str) -> None:
    found = shown(copied_case(f"focus/{name}", tmp_path), NOW)
    assert by(found["spend_month_to_date_usd"], "provider", "service_name") == RIGHT[name]


@pytest.mark.parametrize("name", sorted(REPORTED))
def test_a_check_reports_what_matters(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config_file = copied_case(f"focus/{name}", tmp_path)
    with (tmp_path / "report.json").open("w") as report:
        check(load(config_file), config_file, JsonReport(report), NOW)
    assert REPORTED[name] in json.dumps(
        json.loads((tmp_path / "report.json").read_text()), ensure_ascii=False
    )


@pytest.mark.parametrize(
    "name", ["25-tags-list_struct", "tags-json-list", "tags-json-object", "tags-no-braces"]
)
def test_tags_are_read_in_every_shape(tmp_path: Path, name: str) -> None:
    found = shown(copied_case(f"focus/{name}", tmp_path), NOW)
    assert by(found["spend_label_month_to_date_usd"], "value") == {("a b",): 7.0}


def test_spans_that_overlap_are_a_metric_at_every_refresh(tmp_path: Path) -> None:
    config = load(copied_case("focus/overlapping-spans", tmp_path))
    sources = configured_sources(config, os.environ)
    with opened_refresher(config, sources, None, clock=lambda: NOW) as refresher:
        counts = [
            by(samples(refresher.refresh_all().text)["spend_source_errors_total"], "source", "reason")
            for _ in range(2)
        ]
    assert [count["focus", "overlapping_file"] for count in counts] == [1.0, 2.0]
