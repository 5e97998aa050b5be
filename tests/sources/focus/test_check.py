"""A check of FOCUS files: versions, providers, currencies, months, and what does not count."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.sources.base import Finding, RefreshContext, RefreshTally
from exporter.sources.focus.source import FocusSource
from tests.support.focus_rows import SAMPLE, focus_row, without, write_focus_csv

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def check(folder: Path, *patterns: str, **options: Any) -> dict[str, list[Finding]]:
    spool = folder / "spool"
    spool.mkdir()
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), NOW - timedelta(days=400), spool, RefreshTally()
    )
    source = FocusSource([str(folder / pattern) for pattern in patterns], **options)
    findings: dict[str, list[Finding]] = {}
    for finding in source.check(context):
        findings.setdefault(finding.what, []).append(finding)
    assert list(spool.iterdir()) == []
    return findings


@pytest.mark.slow
def test_the_sample_tells_its_version_providers_currency_and_months(tmp_path: Path) -> None:
    (tmp_path / "sample.csv.gz").write_bytes(SAMPLE.read_bytes())

    findings = check(tmp_path, "*.gz", "none*")

    assert all(finding.ok for each in findings.values() for finding in each)
    assert [finding.warning for finding in findings.pop("pattern")] == [False, True]
    assert {what: finding.detail for what, (finding,) in findings.items()} == {
        "FOCUS version": "1.0: sample.csv.gz",
        "providers": "aws (942 rows), azure (51 rows), oci (7 rows)",
        "currencies": "USD (1,000 rows)",
        "cost": "USD: billed 20.52, effective 14.98; "
        "focus.cost is billed: this cost counts, and sums to the invoices",
        "period": "charges that start from 2024-09-01 00:00 to 2024-09-30 23:00 UTC, "
        "on the bills of 202409 to 202410",
    }


@pytest.mark.slow
def test_versions_are_reported_file_by_file(tmp_path: Path) -> None:
    for version in ("1.1", "1.2", "1.3"):
        write_focus_csv(tmp_path / f"{version}.csv", [focus_row(version, SubAccountId=version)])
    write_focus_csv(tmp_path / "more.csv", [focus_row("1.2")])
    details = [finding.detail for finding in check(tmp_path, "*.csv")["FOCUS version"]]
    assert details == ["1.1: 1.1.csv", "1.2: 1.2.csv, more.csv", "1.3: 1.3.csv"]


def test_a_missing_mandatory_column_is_trouble_that_names_file_version_and_column(tmp_path: Path) -> None:
    write_focus_csv(tmp_path / "a.csv", [without(focus_row("1.3"), "BillingCurrency")])
    (finding,) = check(tmp_path, "*.csv")["unreadable file"]
    assert not finding.ok
    assert (
        "a.csv: FOCUS 1.3 (it has ContractApplied) lacks the mandatory column BillingCurrency"
        in finding.detail
    )


def test_no_file_at_all_is_trouble_with_the_key_to_set(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, "*.csv")["files"]
    assert not finding.ok
    assert "focus.files" in finding.detail


def test_what_is_left_out_is_counted_by_its_cause(tmp_path: Path) -> None:
    rows = [
        focus_row(),
        focus_row(BilledCost="x"),
        focus_row(BillingCurrency="EUR"),
        focus_row(BillingCurrency="CHF"),
        focus_row(ProviderName="Google Cloud"),
        focus_row(ChargeCategory="Fee"),
        focus_row(ChargeCategory="Fee", ChargeClass="Correction"),
    ]
    write_focus_csv(tmp_path / "a.csv", rows)

    findings = check(tmp_path, "*.csv", owned_by_others=frozenset({"gcp"}))

    assert findings["providers"][0].detail == "aws (3 rows)"
    (owned,) = findings["owned elsewhere"]
    assert (owned.ok, owned.warning) == (True, False)
    assert owned.detail.startswith("gcp (1 row): left out")
    (refused,) = findings["rows set aside"]
    assert (refused.warning, refused.detail) == (True, "1 x bad_cost, 2 x no_usd_rate; `serve` logs where")
    (category,) = findings["ChargeCategory"]
    assert (category.warning, category.detail) == (
        True,
        "fee (1 row): not a category of FOCUS, counted as usage",
    )


@pytest.mark.slow
def test_files_without_any_row_that_counts_are_trouble_only_where_rows_were_refused(tmp_path: Path) -> None:
    path = write_focus_csv(tmp_path / "a.csv", [focus_row(BilledCost="x")])
    assert not check(tmp_path, "*.csv")["rows"][0].ok
    (tmp_path / "spool").rmdir()
    path.write_text(",".join(focus_row()) + "\n")
    (finding,) = check(tmp_path, "*.csv")["rows"]
    assert (finding.ok, finding.warning) == (True, True)


@pytest.mark.slow
def test_other_rows_of_the_same_days_in_two_folders_are_a_warning_and_in_two_files_of_one_are_not(
    tmp_path: Path,
) -> None:
    for run in ("run-1", "run-2"):
        (tmp_path / run).mkdir()
        for part in ("part-1.csv", "part-2.csv"):
            write_focus_csv(tmp_path / run / part, [focus_row(SkuId=run + part)])

    assert "same bill twice?" not in check(tmp_path, "run-1/*.csv")
    (tmp_path / "spool").rmdir()
    (finding,) = check(tmp_path, "*/*.csv")["same bill twice?"]
    assert finding.warning
    assert f"{tmp_path / 'run-1'} and {tmp_path / 'run-2'} both have 1 of its days" in finding.detail


@pytest.mark.slow
def test_a_copy_is_named_with_the_file_that_counts_and_both_costs_are_those_of_one(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_focus_csv(tmp_path / name, [focus_row()])

    findings = check(tmp_path, "*.csv")

    (repeated,) = findings["repeated file"]
    assert repeated.warning
    assert {"a.csv", "b.csv"} == set(re.findall(r"[ab]\.csv", repeated.detail))
    (cost,) = findings["cost"]
    assert cost.detail.startswith("USD: billed 1.25, effective 1.00; focus.cost is billed")


def test_a_cost_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    write_focus_csv(tmp_path / "a.csv", [without(focus_row(), "EffectiveCost")])

    (cost,) = check(tmp_path, "*.csv")["cost"]

    assert "a.csv has no effective cost" in cost.detail


@pytest.mark.slow
def test_tags_in_a_shape_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    table = write_focus_csv(tmp_path / "a.tmp", [focus_row()])
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE ([Tags] AS Tags) FROM read_csv('{table}')) TO '{tmp_path}/a.parquet'"
        )

    (tags,) = check(tmp_path, "*.parquet")["Tags"]

    assert tags.warning
    assert "VARCHAR[] in a.parquet" in tags.detail


def test_tags_that_are_text_and_no_json_are_shown(tmp_path: Path) -> None:
    rows = [focus_row(), focus_row(Tags="team=red;env=prod"), focus_row(Tags='"team": "red"')]
    write_focus_csv(tmp_path / "a.csv", rows)

    (tags,) = check(tmp_path, "*.csv")["Tags"]

    assert (tags.ok, tags.warning) == (True, True)
    assert "'team=red;env=prod' in a.csv" in tags.detail
