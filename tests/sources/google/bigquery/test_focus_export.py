"""Google's FOCUS export through Google's own client: found, checked, and read partition by partition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import Change, Finding, RefreshContext, RefreshTally
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.bigquery.table import account_of, find_table
from tests.fakes.bigquery_export import ExportRow, FakeExport
from tests.fakes.bigquery_rest import MEBIBYTE, ApiError, FakeBigQuery, Fault
from tests.support.google_focus import TABLE_NAME, schema

DATASET = "pay.gcp_billing_immutable_0a_0b_0c_eu"
TABLE = f"{DATASET}.{TABLE_NAME}"
STANDARD = "pay.billing.gcp_billing_export_v1_0A_0B_0C"
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
DENIED = ApiError(403, "accessDenied", "Access Denied: User does not have permission")


@dataclass
class Rig:
    """A source, the server it talks to, and the cursors of what it gave."""

    export: FakeExport
    server: FakeBigQuery
    spool: Path
    known: dict[str, str] = field(default_factory=dict)
    slept_seconds: float = 0.0

    def source(self, **settings: Any) -> BigQuerySource:
        return BigQuerySource(
            **{"table": TABLE, **settings},
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            endpoint=self.server.address,
            sleep=self.sleep,
            monotonic=lambda: self.slept_seconds,
        )

    def sleep(self, seconds: float) -> None:
        self.slept_seconds += seconds

    def context(self) -> RefreshContext:
        return RefreshContext(
            dict(self.known), NOW, NOW, NOW - timedelta(days=400), self.spool, RefreshTally()
        )

    def refresh(self, source: BigQuerySource) -> list[Change]:
        changes = list(source.refresh(self.context()))
        self.known |= {change.partition: change.cursor for change in changes}  # type: ignore[union-attr]
        return changes

    def check(self, **settings: Any) -> dict[str, Finding]:
        return {each.what: each for each in self.source(**settings).check(self.context())}

    def refused(self, **settings: Any) -> SourceError:
        with pytest.raises(SourceError) as raised:
            self.refresh(self.source(**settings))
        return raised.value


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    export = FakeExport()
    export.add_day(TODAY)
    export.add_day(TODAY - timedelta(days=1))
    tables = {TABLE: {"schema": {"fields": schema()}, "timePartitioning": {"type": "DAY"}}}
    with FakeBigQuery(export, tables=tables, locations={DATASET: "EU"}) as server:
        yield Rig(export, server, tmp_path)


def test_a_partition_that_grew_is_read_again_and_no_other(rig: Rig) -> None:
    source = rig.source()
    assert len(rig.refresh(source)) == 2
    assert rig.refresh(source) == []
    rig.export.add_day(TODAY, ExportRow(TODAY + timedelta(hours=9)))
    (change,) = rig.refresh(source)
    assert change.partition == f"{TABLE}/2026-11-22"
    cursor, charges = rig.server.queries("cursor")[-1], rig.server.queries("charges")[-1]
    assert "MAX(x_ExportTime)" in cursor
    assert "_PARTITIONTIME >= TIMESTAMP '2026-11-22 00:00:00+00'" in charges


def test_a_check_says_that_it_is_the_focus_export_and_has_all_columns(rig: Rig) -> None:
    findings = rig.check()
    assert all(finding.ok and not finding.warning for finding in findings.values())
    assert "in EU; FOCUS export" in findings["table"].detail
    assert findings["columns"].detail == "the table has all columns that are used"
    assert rig.server.queries() == []


def test_a_check_says_what_follows_from_a_missing_column(rig: Rig) -> None:
    fields = [each for each in schema() if each["name"] != "x_Credits"]
    rig.server.tables[TABLE]["schema"] = {"fields": fields}
    finding = rig.check()["columns"]
    assert finding.warning
    assert "x_Credits (credits are not shown by themselves" in finding.detail
    rig.refresh(rig.source())
    assert "x_Credits" not in rig.server.queries("charges")[-1]


def test_a_table_without_partitions_is_divided_by_the_day_of_x_export_time(rig: Rig) -> None:
    del rig.server.tables[TABLE]["timePartitioning"]
    source = rig.source()
    with source._session(rig.context(), Backoff()) as session:
        export = source._read_table(rig.context(), session)
    assert export.partitioning.start_expression == "TIMESTAMP_TRUNC(x_ExportTime, DAY)"
    # Rows that Google deletes after two years are not missed: they stay in the ledger.
    oldest = export.partitioning.oldest_lasting(NOW - timedelta(days=3000), NOW)
    assert timedelta(days=690) < NOW - oldest < timedelta(days=730)


def test_a_table_of_that_name_with_other_columns_is_refused(rig: Rig) -> None:
    rig.server.tables[TABLE]["schema"] = {"fields": [{"name": "BilledCost", "type": "NUMERIC"}]}
    error = rig.refused()
    assert error.reason == "not_an_export"
    assert "has no column ChargePeriodStart, x_ExportTime" in str(error)
    assert "focus.bigquery" in str(error)


def test_a_query_over_the_cap_is_not_run(rig: Rig) -> None:
    rig.export.add_day(TODAY, *[ExportRow(TODAY)] * 20)
    error = rig.refused(max_bytes_billed=10 * MEBIBYTE)
    assert error.reason == "bytes_cap"
    assert "gcp.billing_export.bigquery.max_bytes_billed" in str(error)
    assert rig.server.queries("charges") == []


def test_a_missing_role_is_named(rig: Rig) -> None:
    rig.server.faults.append(Fault("GET", "/tables/", DENIED, times=9))
    error = rig.refused()
    assert error.reason == "permission_denied"
    assert f"roles/bigquery.dataViewer on the dataset of {TABLE}" in str(error)


def test_a_mistyped_table_is_answered_with_the_export_that_is_there(rig: Rig) -> None:
    finding = rig.check(table=f"{DATASET}.gcp_billing_export_resource_v1_0A_0B_0C")["table"]
    assert not finding.ok
    assert f"the FOCUS export of this account is there: set gcp.billing_export.bigquery.table to {TABLE}" in (
        finding.detail
    )


class Listed:
    """Datasets that are given."""

    principal = "somebody"

    def __init__(self, *tables: str) -> None:
        self._tables = [table.rsplit(".", 2) for table in tables]

    def dataset_ids(self, project_id: str) -> list[str]:
        return [dataset for project, dataset, _ in self._tables if project == project_id]

    def table_ids(self, project_id: str, dataset_id: str) -> list[str]:
        return [
            table
            for project, dataset, table in self._tables
            if (project, dataset) == (project_id, dataset_id)
        ]


def test_the_focus_export_is_found_where_its_account_has_no_other() -> None:
    assert account_of(TABLE) == "0A_0B_0C"
    assert find_table(Listed(TABLE), ["pay"], "0A-0B-0C", ()) == TABLE
    assert find_table(Listed(TABLE, STANDARD), ["pay"], "0A-0B-0C", ()) == STANDARD
