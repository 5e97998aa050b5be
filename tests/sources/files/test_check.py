"""A check of the source `files`: what is there, what is damaged, what the newest file says."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.sources.base import Finding, RefreshContext, RefreshTally
from exporter.sources.files.source import FilesSource
from tests.support.export_rows import WRITERS, export_row, write_csv, write_json_lines, write_parquet

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def check(folder: Path, *patterns: str) -> dict[str, list[Finding]]:
    spool = folder / "spool"
    spool.mkdir()
    context = RefreshContext(
        {}, NOW, NOW + timedelta(days=1), NOW - timedelta(days=400), spool, RefreshTally()
    )
    findings: dict[str, list[Finding]] = {}
    for finding in FilesSource([str(folder / pattern) for pattern in patterns]).check(context):
        findings.setdefault(finding.what, []).append(finding)
    assert list(spool.iterdir()) == []
    return findings


def aged(path: Path, days: int) -> Path:
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", list(WRITERS))
def test_good_files_are_counted_and_the_newest_tells_its_rows_and_times(tmp_path: Path, suffix: str) -> None:
    rows = [export_row(), export_row(usage_start_time="2026-11-12 09:00:00 UTC")]
    aged(WRITERS[suffix](tmp_path / f"old{suffix}", [export_row(cost_type="tax")]), 9)
    aged(WRITERS[suffix](tmp_path / f"new{suffix}", rows), 1)

    findings = check(tmp_path, f"*{suffix}")

    assert list(findings) == ["pattern", "columns", "newest file"]
    ((pattern,), (columns,), (newest,)) = findings.values()
    assert f"*{suffix}: 2 files, " in pattern.detail
    assert columns == Finding(True, "columns", f"new{suffix} has all columns that are used")
    assert newest == Finding(
        True,
        "newest file",
        f"new{suffix}: 2 rows, usage from 2026-11-10 08:00 to 2026-11-12 09:00 UTC, "
        "exported from 2026-11-10 13:21 to 2026-11-10 13:21 UTC",
    )


def test_a_pattern_that_matches_nothing_is_a_warning_and_none_that_does_is_trouble(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.jsonl", [export_row()])

    beside = check(tmp_path, "*.jsonl", "*.csv")
    assert [finding.warning for finding in beside["pattern"]] == [False, True]
    assert "files" not in beside


def test_no_file_at_all_is_trouble_with_the_key_to_set(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, "*.csv", "*.parquet")["files"]

    assert not finding.ok
    assert "gcp.billing_export.files" in finding.detail


def test_a_file_that_two_patterns_match_is_reported_as_counting_once(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.jsonl", [export_row()])

    first, second = check(tmp_path, "*.jsonl", "a.*")["pattern"]

    assert "counts once" not in first.detail
    assert "1 also matched above, which counts once" in second.detail


@pytest.mark.slow
def test_each_file_that_cannot_be_read_is_trouble_with_its_reason_and_many_are_summed_up(
    tmp_path: Path,
) -> None:
    write_json_lines(tmp_path / "good.jsonl", [export_row()])
    write_csv(tmp_path / "people.csv", [{"name": "Ada", "age": 36}])
    for number in range(7):
        (tmp_path / f"x{number}.parquet").write_bytes(b"PAR1 this is not it")

    findings = check(tmp_path, "*.*")

    shown = findings["unreadable file"]
    assert "people.csv: not a billing export" in shown[0].detail
    assert [finding.ok for finding in shown] == [False] * 5
    assert findings["unreadable files"] == [Finding(False, "unreadable files", "3 more")]
    assert findings["newest file"][0].ok


@pytest.mark.slow
def test_a_newest_file_that_breaks_off_is_trouble(tmp_path: Path) -> None:
    packed = gzip.compress("".join(json.dumps(export_row()) + "\n" for _ in range(2_000)).encode())
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])

    findings = check(tmp_path, "*.gz")

    assert len(findings) == 2
    assert not any(finding.ok for what, (finding,) in findings.items() if what != "pattern")
    assert "cut.jsonl.gz" in str(findings)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("missing", ["credits", "invoice"])
def test_a_missing_column_is_a_warning_with_what_follows_from_it(
    tmp_path: Path, suffix: str, missing: str
) -> None:
    WRITERS[suffix](tmp_path / f"a{suffix}", [export_row(**{missing: ...})])

    (finding,) = check(tmp_path, f"*{suffix}")["columns"]

    assert (finding.ok, finding.warning) == (True, True)
    assert finding.detail.startswith(f"a{suffix} lacks {missing} (")


def test_a_file_without_a_currency_is_trouble(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [export_row(currency=..., currency_conversion_rate=...)])

    findings = check(tmp_path, "*.csv")

    assert not findings["columns"][0].ok
    assert not findings["newest file"][0].ok
    assert "currency and currency_conversion_rate" in findings["columns"][0].detail


def test_a_file_that_lacks_what_a_bill_needs_is_unreadable_and_the_list_is_shown(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [export_row(export_time=...)])

    (finding,) = check(tmp_path, "*.csv")["unreadable file"]

    assert not finding.ok
    assert "it lacks export_time" in finding.detail


@pytest.mark.slow
def test_rows_that_would_be_set_aside_are_counted_by_reason(tmp_path: Path) -> None:
    rows = [export_row(), export_row(cost="NaN"), export_row(cost=None), export_row(export_time="soon")]
    write_json_lines(tmp_path / "a.jsonl", rows)

    findings = check(tmp_path, "*.jsonl")

    costs, times = findings["rows set aside"]
    assert costs.warning
    assert costs.detail.startswith("2 x bad_cost in a.jsonl: ")
    assert times.warning
    assert times.detail.startswith("1 x bad_timestamp in a.jsonl: ")
    assert "export_time is soon" in times.detail
    assert "a.jsonl: 1 row, usage" in findings["newest file"][0].detail


def test_an_empty_newest_file_is_a_warning(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [])

    (finding,) = check(tmp_path, "*.parquet")["newest file"]

    assert (finding.ok, finding.warning) == (True, True)


@pytest.mark.slow
def test_a_link_that_leads_to_itself_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "good.jsonl", [export_row()])
    link = tmp_path / "link.jsonl"
    link.symlink_to(link)
    (unreadable,) = check(tmp_path, "*.jsonl")["unreadable file"]
    assert not unreadable.ok
    assert str(link) in unreadable.detail
