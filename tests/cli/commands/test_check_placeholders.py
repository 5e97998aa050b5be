"""Names of the documentation's examples are trouble: with them nothing can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporter.cli.commands.check_placeholders import placeholder_findings
from exporter.config.model import parse

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "gcp: {billing_account_id: 01AB23-4C5D67-89EF01, project_ids: [project-1, shop-prod]}",
            ["the billing account 01AB23-4C5D67-89EF01", "the project project-1"],
        ),
        (
            "gcp: {billing_export: {bigquery: {table: "
            "my-project.billing.gcp_billing_export_resource_v1_01AB23_4C5D67_89EF01}}}",
            ["the billing account 01AB23-4C5D67-89EF01", "the project my-project"],
        ),
        ("gcp: {billing_account_id: 0FAB23-4C5D67-89EF01, project_ids: [shop-prod]}", []),
        ("focus: {files: [a.csv]}", []),
    ],
)
def test_each_is_named_with_the_command_that_shows_the_real_ones(text: str, named: list[str]) -> None:
    findings = list(placeholder_findings(parse(text, Path("/etc"))))

    assert [finding.detail.partition(" is the documentation's example")[0] for finding in findings] == named
    assert all(not finding.ok and "gcloud" in finding.detail for finding in findings)


def test_the_published_example_is_full_of_them() -> None:
    text = (ROOT / "docs" / "spend-exporter.example.yml").read_text()
    assert yaml.safe_load(text)["gcp"]["project_ids"]
    assert len(list(placeholder_findings(parse(text, Path("/etc"))))) >= 3
