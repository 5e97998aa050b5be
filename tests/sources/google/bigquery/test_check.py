"""A check of the BigQuery source: by dry runs alone, through Google's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.base import Finding, RefreshContext, RefreshTally
from exporter.sources.google.bigquery.costs import billed_bytes, price_text
from exporter.sources.google.bigquery.source import BigQuerySource
from tests.fakes.bigquery_export import DAILY_TABLE, ROW_BYTES, ExportRow, FakeExport
from tests.fakes.bigquery_rest import MEBIBYTE, ApiError, FakeBigQuery, Fault
from tests.support.export_rows import SCHEMA

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
STANDARD = "pay.billing.gcp_billing_export_v1_0A_0B_0C"
KEY = "gcp.billing_export.bigquery.table"
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
WHOLE_SCHEMA = json.loads(SCHEMA.read_text())
DENIED = ApiError(403, "accessDenied", "Access Denied: User does not have permission")


@dataclass
class Rig:
    export: FakeExport
    server: FakeBigQuery
    context: RefreshContext
    slept_seconds: float = 0.0
    progress: list[str] = field(default_factory=list)

    def source(self, table: str | None = TABLE, **settings: object) -> BigQuerySource:
        settings.setdefault("credentials", AnonymousCredentials())  # type: ignore[no-untyped-call]
        return BigQuerySource(
            table=table,
            job_project="runner",
            endpoint=self.server.address,
            sleep=self.sleep,
            monotonic=lambda: self.slept_seconds,
            **settings,  # type: ignore[arg-type]
        )

    def sleep(self, seconds: float) -> None:
        self.slept_seconds += seconds

    def check(self, source: BigQuerySource) -> dict[str, Finding]:
        context = replace(self.context, tally=RefreshTally(progress=self.progress.append))
        return {finding.what: finding for finding in source.check(context)}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    export = FakeExport()
    tables = {TABLE: {**DAILY_TABLE, "schema": {"fields": WHOLE_SCHEMA}}}
    context = RefreshContext({}, NOW, NOW, NOW - timedelta(days=400), tmp_path, RefreshTally())
    with FakeBigQuery(export, tables=tables, locations={"pay.billing": "EU"}) as server:
        yield Rig(export, server, context)


def fill(rig: Rig, days: int, rows: int = 1) -> None:
    for number in range(days):
        day = TODAY - timedelta(days=number)
        rig.export.add_day(day, *[ExportRow(day)] * rows)


def test_a_good_set_up_is_reported_in_full_and_no_query_is_run_or_billed(rig: Rig) -> None:
    fill(rig, 60)

    findings = rig.check(rig.source())

    assert list(findings) == [
        *("credentials", "table", "columns", "running queries", "reading rows"),
        *("a first fill", "a refresh", "cost a month"),
    ]
    assert all(finding.ok and not finding.warning for finding in findings.values())
    assert "partitioned by day of _PARTITIONTIME" in findings["table"].detail
    assert "in EU; detailed export" in findings["table"].detail
    assert "the project runner" in findings["running queries"].detail
    posted = [request for request in rig.server.requests if request.method == "POST"]
    assert posted
    assert all(request.is_dry_run for request in posted)


def test_the_estimates_are_the_bytes_of_the_queries_that_a_refresh_asks(rig: Rig) -> None:
    fill(rig, 100, rows=20)
    findings = rig.check(rig.source(update_interval=timedelta(hours=1)))

    assert f"{100 * 20 * ROW_BYTES / 2**30:.1f} GiB" in findings["a first fill"].detail
    newest = billed_bytes(20 * ROW_BYTES)
    assert "reads 10 MiB to look" in findings["a refresh"].detail
    assert f"up to {newest // MEBIBYTE} MiB more" in findings["a refresh"].detail
    # 720 refreshes and 30 looks at all partitions, at 10 MiB each; and what is new at every refresh.
    least = (720 + 30) * 10 * MEBIBYTE
    most = least + 720 * newest
    assert f"{price_text(least)} (" in findings["cost a month"].detail
    assert f"{price_text(most)} (" in findings["cost a month"].detail
    assert "every 60 minutes" in findings["cost a month"].detail


def test_early_in_a_day_the_day_before_tells_how_large_the_newest_partition_will_be(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    rig.export.add_day(TODAY - timedelta(days=1), *[ExportRow(NOW)] * 50)

    detail = rig.check(rig.source())["a refresh"].detail

    assert f"up to {billed_bytes(50 * ROW_BYTES) // MEBIBYTE} MiB more" in detail


@pytest.mark.slow
def test_a_month_over_the_cap_is_trouble_and_a_cap_that_would_do_is_named(rig: Rig) -> None:
    fill(rig, 80, rows=30)

    findings = rig.check(rig.source(max_bytes_billed=2**30))

    finding = findings["a first fill"]
    assert not finding.ok
    largest = billed_bytes(31 * 30 * ROW_BYTES)
    assert f"the month 2026-10 would bill {largest / 2**30:.1f} GiB (and 2 more)" in finding.detail
    assert "gcp.billing_export.bigquery.max_bytes_billed allows 1.0 GiB a query" in finding.detail
    assert "raise it to at least 3GiB" in finding.detail
    assert findings["a refresh"].ok
    assert rig.progress[-1] == "14 of 14 months estimated"

    repaired = rig.check(rig.source(max_bytes_billed=3 * 2**30))
    assert repaired["a first fill"].ok


@pytest.mark.slow
def test_a_month_over_the_cap_is_only_a_warning_once_the_ledger_has_the_history(rig: Rig) -> None:
    fill(rig, 80, rows=30)
    rig.context = replace(rig.context, known={f"{TABLE}/2026-10-01": "cursor"})

    finding = rig.check(rig.source(max_bytes_billed=2**30))["a first fill"]

    assert (finding.ok, finding.warning) == (True, True)


def test_a_refresh_over_the_cap_is_trouble(rig: Rig) -> None:
    fill(rig, 2, rows=30)

    finding = rig.check(rig.source(max_bytes_billed=20 * MEBIBYTE))["a refresh"]

    assert not finding.ok
    assert "max_bytes_billed allows 20 MiB" in finding.detail


def test_an_export_without_rows_is_a_warning(rig: Rig) -> None:
    finding = rig.check(rig.source())["a first fill"]

    assert (finding.ok, finding.warning) == (True, True)
    assert "no rows since 2025-10-18" in finding.detail


def test_without_the_permission_to_run_jobs_the_table_is_still_reported(rig: Rig) -> None:
    rig.server.faults = [Fault("POST", "/jobs", DENIED, times=100)]

    findings = rig.check(rig.source())

    assert list(findings) == ["credentials", "table", "columns", "running queries"]
    assert findings["table"].ok
    assert not findings["running queries"].ok
    assert "roles/bigquery.jobUser on the project runner" in findings["running queries"].detail


def test_without_the_permission_on_the_table_that_to_run_jobs_is_still_reported(rig: Rig) -> None:
    rig.server.faults = [Fault("GET", "/tables/", DENIED, times=100)]

    findings = rig.check(rig.source())

    assert list(findings) == ["credentials", "table", "running queries"]
    assert not findings["table"].ok
    assert "roles/bigquery.dataViewer" in findings["table"].detail
    assert findings["running queries"].ok


def test_metadata_without_rows_is_reported_as_missing_permission_to_read(rig: Rig) -> None:
    fill(rig, 2)
    answer = rig.server.answer

    def refuse_rows(purpose: str, sql: str):  # type: ignore[no-untyped-def]
        if purpose != "check":
            raise DENIED
        return answer(purpose, sql)

    rig.server.answer = refuse_rows

    findings = rig.check(rig.source())

    assert findings["running queries"].ok
    assert not findings["reading rows"].ok
    assert "roles/bigquery.dataViewer" in findings["reading rows"].detail


def test_a_table_that_does_not_exist_is_trouble_with_the_key_to_set(rig: Rig) -> None:
    findings = rig.check(rig.source("pay.billing.gcp_billing_export_v1_TYPO"))

    assert not findings["table"].ok
    assert "gcp.billing_export.bigquery.table" in findings["table"].detail
    assert findings["running queries"].ok


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            TABLE.replace("_0A_0B_0C", "_0A-0B-0C"),
            f"BigQuery has underscores where the account has dashes: set {KEY} to {TABLE}",
        ),
        (STANDARD, f"the detailed export of this account is there: set {KEY} to {TABLE}"),
        (TABLE.replace("0C", "0D"), f"did you mean {TABLE}?"),
        ("pay.biling.gcp_billing_export_v1_0A_0B_0C", "pay has no dataset biling; exports are in billing."),
        (
            "pay.other.gcp_billing_export_v1_0A_0B_0C",
            "the dataset pay.other has no export table yet (only notes)",
        ),
        ("nobody.billing.gcp_billing_export_v1_0A_0B_0C", "nobody has no dataset that can be seen"),
    ],
)
def test_a_mistyped_table_is_answered_with_what_is_there(rig: Rig, written: str, words: str) -> None:
    rig.server.tables["pay.other.notes"] = {"schema": {"fields": WHOLE_SCHEMA}}

    finding = rig.check(rig.source(written))["table"]

    assert not finding.ok
    assert words in finding.detail


def test_where_nothing_may_be_listed_the_tables_own_error_stands_alone(rig: Rig) -> None:
    rig.server.faults.append(Fault("GET", r"/datasets\?", DENIED, times=9))

    finding = rig.check(rig.source(TABLE.replace("0C", "0D")))["table"]

    assert not finding.ok
    assert "check gcp.billing_export.bigquery.table" in finding.detail
    assert "did you mean" not in finding.detail


def test_a_table_of_another_account_than_the_configuration_names_is_trouble(rig: Rig) -> None:
    fill(rig, 3)

    finding = rig.check(rig.source(billing_account_id="0A-0B-0D"))["account"]

    assert not finding.ok
    assert "gcp.billing_account_id is 0A-0B-0D, but the table's name says 0A-0B-0C" in finding.detail


def test_a_service_perimeter_is_told_from_a_missing_role(rig: Rig) -> None:
    refusal = (
        "VPC Service Controls: Request is prohibited by organization's policy. "
        "vpcServiceControlsUniqueIdentifier: x1"
    )
    rig.server.faults.append(Fault("GET", "/tables/", ApiError(403, "accessDenied", refusal)))

    finding = rig.check(rig.source())["table"]

    assert not finding.ok
    assert "whatever its roles: run the exporter inside the perimeter" in finding.detail
    assert "vpcServiceControlsUniqueIdentifier: x1" in finding.detail


def test_a_table_that_is_looked_for_by_name_is_named_with_its_kind(rig: Rig) -> None:
    fields = [column for column in WHOLE_SCHEMA if column["name"] not in ("resource", "credits")]
    rig.server.tables = {STANDARD: {**DAILY_TABLE, "schema": {"fields": fields}}}
    fill(rig, 2)

    findings = rig.check(rig.source(None, billing_account_id="0A-0B-0C", project_ids=["pay"]))

    assert findings["table"].detail.startswith(STANDARD)
    assert findings["table"].detail.endswith("standard export")
    assert findings["columns"].warning
    assert "credits" in findings["columns"].detail


def test_a_view_is_warned_about_since_every_refresh_reads_all_of_it(rig: Rig) -> None:
    rig.server.tables[TABLE] = {"schema": {"fields": WHOLE_SCHEMA}, "type": "VIEW"}

    assert rig.check(rig.source())["partitioning"].warning


def test_no_credentials_is_a_finding(rig: Rig, tmp_path: Path) -> None:
    findings = rig.check(rig.source(credentials=None, credentials_path=tmp_path / "none.json"))

    assert list(findings) == ["credentials"]
    assert not findings["credentials"].ok
    assert "there is no file" in findings["credentials"].detail


def test_somebody_who_waits_is_warned_of_an_api_in_trouble_within_seconds(rig: Rig) -> None:
    rig.server.faults = [Fault("GET", "/tables/", ApiError(503, "backendError", "Try later"), times=10**6)]

    findings = rig.check(rig.source())

    assert not findings["table"].ok
    assert 0 < rig.slept_seconds <= 10


@given(st.integers(0, 2**50))
def test_billed_bytes_are_whole_mebibytes_at_least_ten_and_never_less_than_what_is_read(count: int) -> None:
    billed = billed_bytes(count)

    assert billed % MEBIBYTE == 0
    assert billed >= 10 * MEBIBYTE
    assert count <= billed < max(count + MEBIBYTE, 10 * MEBIBYTE + 1)


def test_a_tebibyte_costs_what_google_asks_and_little_is_not_called_nothing() -> None:
    assert price_text(2**40) == "$6.25"
    assert price_text(1) == "less than $0.01"
