"""Source `focus_bigquery` through Google's own client: its failures, and what a check says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, Finding, RefreshContext, RefreshTally, Retraction
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.opening import Opening
from exporter.sources.focus.bigquery.source import FocusBigQuerySource
from tests.fakes.bigquery_focus import FakeFocus
from tests.fakes.bigquery_rest import MEBIBYTE, ApiError, FakeBigQuery, Fault

TABLE = "pay.bills.focus_aws"
NOW = datetime(2026, 12, 3, 9, tzinfo=UTC)
DENIED = ApiError(403, "accessDenied", "Access Denied: Table pay:bills.focus_aws: permission missing")
ENTRY = FocusEntry("aws", table=TABLE)


@dataclass
class Rig:
    """A source, the server it talks to, and the cursors of what it gave."""

    focus: FakeFocus
    server: FakeBigQuery
    spool: Path
    known: dict[str, str] = field(default_factory=dict)
    slept_seconds: float = 0.0

    def source(self, *entries: FocusEntry) -> FocusBigQuerySource:
        opening = Opening(
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            endpoint=self.server.address,
            sleep=self.sleep,
            jitter=lambda: 1.0,
            monotonic=lambda: self.slept_seconds,
        )
        return FocusBigQuerySource(entries or (ENTRY,), opening=opening)

    def sleep(self, seconds: float) -> None:
        self.slept_seconds += seconds

    def context(self) -> RefreshContext:
        oldest = NOW - timedelta(days=400)
        return RefreshContext(
            dict(self.known), NOW, NOW + timedelta(hours=1), oldest, self.spool, RefreshTally()
        )

    def refresh(self, source: FocusBigQuerySource) -> list[Change]:
        changes: list[Change] = []
        for change in source.refresh(self.context()):
            changes.append(change)
            if isinstance(change, Batch):
                self.known[change.partition] = change.cursor
            elif isinstance(change, Retraction):
                del self.known[change.partition]
        return changes

    def check(self, *entries: FocusEntry) -> dict[str, Finding]:
        return {finding.what: finding for finding in self.source(*entries).check(self.context())}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    focus = FakeFocus({"2026-10": "1", "2026-11": "2.5"})
    with FakeBigQuery(focus, tables={TABLE: {}}, locations={"pay.bills": "EU"}) as server:
        yield Rig(focus, server, tmp_path)


def refused(rig: Rig, *entries: FocusEntry) -> SourceError:
    with pytest.raises(SourceError) as raised:
        rig.refresh(rig.source(*entries))
    return raised.value


IN_EU = FocusEntry("aws", table=TABLE, location="EU")


@pytest.mark.slow
def test_only_months_that_changed_are_read_and_a_month_that_is_gone_leaves(rig: Rig) -> None:
    source = rig.source(IN_EU)
    assert [change.partition for change in rig.refresh(source)] == ["aws/2026-10", "aws/2026-11"]
    assert rig.refresh(source) == []
    rig.focus.months = {"2026-11": "3"}
    gone, restated = rig.refresh(source)
    assert gone == Retraction("aws/2026-10")
    assert isinstance(restated, Batch)
    assert restated.partition == "aws/2026-11"
    (last,) = rig.server.queries("charges")[1:]
    assert "'2026-09-30 10:00:00+00'" not in last


@pytest.mark.slow
def test_a_query_over_the_cap_is_not_run_and_names_the_key(rig: Rig) -> None:
    rig.focus.bytes_of_month = 8 * MEBIBYTE
    entry = FocusEntry("aws", table=TABLE, location="EU", max_bytes_billed=16 * MEBIBYTE)
    rig.refresh(rig.source(entry))
    assert len(rig.server.queries("charges")) == 1
    rig.server.requests.clear()
    rig.focus.bytes_of_month = 9 * MEBIBYTE
    error = refused(rig, entry)
    assert error.reason == "bytes_cap"
    assert "focus.bigquery.max_bytes_billed allows 16,777,216" in str(error)
    assert rig.server.queries() == []


def test_a_missing_role_is_named_for_whom_and_where(rig: Rig) -> None:
    rig.server.faults.append(Fault("POST", "/jobs", DENIED, times=9))
    error = refused(rig)
    assert error.reason == "permission_denied"
    assert "roles/bigquery.jobUser on the project pay" in str(error)
    assert f"roles/bigquery.dataViewer on the dataset of {TABLE}" in str(error)


def test_a_missing_table_lists_the_tables_of_its_dataset(rig: Rig) -> None:
    error = refused(rig, FocusEntry("aws", table="pay.bills.focus_aw", location="EU"))
    assert error.reason == "not_found"
    assert "check focus.bigquery.table" in str(error)
    assert "pay.bills has the tables focus_aws" in str(error)
    error = refused(rig, FocusEntry("aws", table="pay.bill.focus_aws"))
    assert "pay has the datasets bills" in str(error)


def test_a_wrong_location_names_its_key(rig: Rig) -> None:
    error = refused(rig, FocusEntry("aws", table=TABLE, location="US", place="focus.bigquery[2]"))
    assert error.reason == "not_found"
    assert "not found in location US" in str(error)
    assert "that its data is in US, as focus.bigquery[2].location says" in str(error)


def test_columns_that_are_not_focus_are_named(rig: Rig) -> None:
    del rig.focus.columns["BilledCost"]
    error = refused(rig, IN_EU)
    assert error.reason == "not_an_export"
    assert "FOCUS 1.0 lacks the mandatory column BilledCost" in str(error)
    assert "focus.bigquery.sql" in str(error)


def test_a_wrong_query_names_the_key_of_the_sql(rig: Rig) -> None:
    wrong = ApiError(400, "invalidQuery", "Syntax error: Unexpected keyword WHERE at [2:1]")
    rig.server.faults.append(Fault("POST", "/jobs", wrong, times=9))
    error = refused(rig, FocusEntry("made", sql="SELECT 1 WHERE", job_project="pay"))
    assert error.reason == "invalid_query"
    assert "Syntax error" in str(error)
    assert "correct focus.bigquery.sql" in str(error)


def test_credentials_of_its_own_are_named_by_their_key(rig: Rig, tmp_path: Path) -> None:
    entry = FocusEntry(
        "aws",
        table=TABLE,
        credentials_path=tmp_path / "no.json",
        own_credentials=True,
        place="focus.bigquery[0]",
    )
    source = FocusBigQuerySource([entry])
    with pytest.raises(SourceError, match=r"focus\.bigquery\[0\]\.credentials_path: there is no file"):
        rig.refresh(source)


def test_a_check_reads_nothing_and_says_what_a_month_costs_at_most(rig: Rig) -> None:
    findings = rig.check(IN_EU)
    assert list(findings) == ["credentials", "table", "a refresh", "cost a month"]
    assert all(finding.ok for finding in findings.values())
    assert findings["table"].detail.startswith(f"aws: {TABLE}: FOCUS 1.0, 8 columns")
    assert "within max_bytes_billed (10 GiB)" in findings["a refresh"].detail
    assert "nothing while the data stays the same" in findings["cost a month"].detail
    assert rig.server.queries() == []


def test_a_check_says_that_a_query_would_exceed_the_cap(rig: Rig) -> None:
    rig.focus.bytes_of_month = 2**30
    entry = FocusEntry("aws", table=TABLE, location="EU", max_bytes_billed=2**30)
    finding = rig.check(entry)["a refresh"]
    assert not finding.ok
    assert "focus.bigquery.max_bytes_billed allows 1.0 GiB: raise it to at least 3GiB" in finding.detail


def test_a_check_names_what_is_missing_of_each_entry(rig: Rig) -> None:
    finding = rig.check(FocusEntry("aws", table="pay.bills.nowhere", location="EU"))["table"]
    assert not finding.ok
    assert "pay.bills has the tables focus_aws" in finding.detail
    rig.server.faults.append(Fault("POST", "/jobs", DENIED, times=9))
    finding = rig.check(IN_EU)["table"]
    assert not finding.ok
    assert "roles/bigquery.dataViewer" in finding.detail
