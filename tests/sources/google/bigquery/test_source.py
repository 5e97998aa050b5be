"""Source `bigquery` through Google's own client, against a BigQuery of ours on a loopback socket."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Retraction
from exporter.sources.google.bigquery.source import BigQuerySource
from tests.fakes.bigquery_export import DAILY_TABLE, ROW_BYTES, SCHEMA, ExportRow, FakeExport
from tests.fakes.bigquery_rest import MEBIBYTE, ApiError, FakeBigQuery, Fault

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Clock:
    """Time that passes only by being slept through."""

    seconds: float = 0.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Rig:
    """A source, the server it talks to, and a ledger that is a dictionary of cursors."""

    export: FakeExport
    server: FakeBigQuery
    spool: Path
    clock: Clock = field(default_factory=Clock)
    known: dict[str, str] = field(default_factory=dict)
    costs: dict[str, list[Decimal]] = field(default_factory=dict)
    progress: list[str] = field(default_factory=list)
    meter: RefreshTally = field(default_factory=RefreshTally)

    def source(self, table: str | None = TABLE, **settings: object) -> BigQuerySource:
        return BigQuerySource(
            table=table,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            endpoint=self.server.address,
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
            monotonic=self.clock.monotonic,
            **settings,  # type: ignore[arg-type]
        )

    def refresh(self, source: BigQuerySource, now: datetime = NOW, stop_after: int = 10**9) -> list[Change]:
        """Refresh, committing each change before asking for the next, as a ledger does."""
        self.meter = RefreshTally(progress=self.progress.append)
        changes: list[Change] = []
        context = RefreshContext(
            known=dict(self.known),
            now=now,
            latest_plausible=now + timedelta(hours=1),
            oldest_kept=now - timedelta(days=400),
            spool=self.spool,
            tally=self.meter,
            stopping=lambda: len(changes) >= stop_after,
        )
        for change in source.refresh(context):
            changes.append(change)
            self._commit(change)
        return changes

    def _commit(self, change: Change) -> None:
        if isinstance(change, Retraction):
            del self.known[change.partition], self.costs[change.partition]
            return
        assert isinstance(change, Batch)
        with change.charges.open(newline="", encoding="utf-8") as handle:
            self.costs[change.partition] = [Decimal(row["billed_cost"]) for row in csv.DictReader(handle)]
        change.charges.unlink()
        self.known[change.partition] = change.cursor


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    export = FakeExport()
    tables = {TABLE: dict(DAILY_TABLE)}
    with FakeBigQuery(export, tables=tables, locations={"pay.billing": "EU"}) as server:
        yield Rig(export, server, tmp_path)


def days_ago(days: int) -> datetime:
    return TODAY - timedelta(days=days)


def partitions(changes: list[Change]) -> list[str]:
    return [change.partition.rpartition("/")[2] for change in changes]


def refused(rig: Rig, source: BigQuerySource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        rig.refresh(source)
    return raised.value


def test_the_first_run_reads_one_month_after_the_other_oldest_first_and_says_how_far_it_is(rig: Rig) -> None:
    for days in (70, 40, 39, 3, 2):
        rig.export.add_day(days_ago(days))

    changes = rig.refresh(rig.source())

    assert partitions(changes) == ["2026-09-13", "2026-10-13", "2026-10-14", "2026-11-19", "2026-11-20"]
    assert len(rig.server.queries("charges")) == 3
    assert rig.progress[1:] == [
        "2026-09: 1 partitions, 1 charges (1 of 3 months)",
        "2026-10: 2 partitions, 2 charges (2 of 3 months)",
        "2026-11: 2 partitions, 2 charges (3 of 3 months)",
    ]
    assert "partitioned by day of _PARTITIONTIME, clustered by billing_account_id, in EU" in rig.progress[0]


def test_a_refresh_of_an_unchanged_export_makes_the_cursor_query_alone(rig: Rig) -> None:
    rig.export.add_day(days_ago(3))
    rig.export.add_day(days_ago(2))
    source = rig.source()
    rig.refresh(source)
    already = len(rig.server.requests)

    assert rig.refresh(source) == []

    later = rig.server.requests[already:]
    posted = [(request.purpose, request.is_dry_run) for request in later if request.method == "POST"]
    assert posted == [("cursor", True), ("cursor", False)]
    assert rig.meter.requests == len(later) == 4
    assert rig.meter.billed_bytes == 10 * MEBIBYTE


def test_one_changed_partition_is_read_again_and_no_other(rig: Rig) -> None:
    for days in range(9):
        rig.export.add_day(days_ago(days))
    source = rig.source()
    rig.refresh(source)
    rig.export.add_day(days_ago(4), ExportRow(NOW, cost="-0.5"))

    changes = rig.refresh(source)

    assert partitions(changes) == ["2026-11-18"]
    assert rig.costs[changes[0].partition] == [Decimal("1.5"), Decimal("-0.5")]
    assert rig.meter.billed_bytes == (10 + 10) * MEBIBYTE
    assert len(rig.server.queries("charges")) == 2


@pytest.mark.slow
def test_bytes_grow_with_what_changed_and_not_with_the_table(rig: Rig) -> None:
    for days in range(300):
        rig.export.add_day(days_ago(days), *[ExportRow(days_ago(days))] * 10)
    source = rig.source()
    rig.refresh(source)
    whole = rig.meter.billed_bytes
    rig.export.add_day(TODAY, *[ExportRow(NOW)] * 10)

    rig.refresh(source)

    read = 20 * ROW_BYTES
    assert rig.meter.billed_bytes == 10 * MEBIBYTE + -(-read // MEBIBYTE) * MEBIBYTE
    assert whole > 100 * rig.meter.billed_bytes


def test_an_old_partition_that_moved_is_seen_by_the_next_daily_check(rig: Rig) -> None:
    rig.export.add_day(days_ago(60))
    rig.export.add_day(TODAY)
    source = rig.source()
    rig.refresh(source)
    rig.export.add_day(days_ago(60), ExportRow(NOW))

    assert rig.refresh(source, NOW + timedelta(hours=23)) == []
    assert partitions(rig.refresh(source, NOW + timedelta(hours=24))) == ["2026-09-23"]
    assert rig.refresh(source, NOW + timedelta(hours=25)) == []


def test_a_clock_that_jumped_back_cannot_put_off_the_full_check(rig: Rig) -> None:
    rig.export.add_day(days_ago(60))
    source = rig.source()
    rig.refresh(source)
    rig.export.add_day(days_ago(60), ExportRow(days_ago(3)))

    assert partitions(rig.refresh(source, NOW - timedelta(days=2))) == ["2026-09-23"]


def test_a_partition_that_is_gone_is_retracted_and_one_outside_the_window_is_left_alone(rig: Rig) -> None:
    for days in (60, 5, 4):
        rig.export.add_day(days_ago(days))
    source = rig.source()
    rig.refresh(source)
    del rig.export.partitions[days_ago(5)]
    del rig.export.partitions[days_ago(60)]

    assert rig.refresh(source) == [Retraction(f"{TABLE}/2026-11-17")]
    assert rig.refresh(source, NOW + timedelta(days=1)) == [Retraction(f"{TABLE}/2026-09-23")]


def test_partitions_that_expired_in_bigquery_stay_in_the_ledger(rig: Rig) -> None:
    rig.server.tables[TABLE]["timePartitioning"] = {"type": "DAY", "expirationMs": str(60 * 86_400_000)}
    rig.export.add_day(days_ago(59))
    rig.export.add_day(TODAY)
    rig.refresh(rig.source())
    del rig.export.partitions[days_ago(59)]

    assert rig.refresh(rig.source(), NOW + timedelta(days=2)) == []
    assert f"{TABLE}/2026-09-24" in rig.known


def test_partitions_of_another_export_of_the_account_are_retracted_before_the_new_one_is_read(
    rig: Rig,
) -> None:
    rig.known["pay.billing.gcp_billing_export_v1_0A_0B_0C/2026-11-20"] = "x/1"
    rig.costs["pay.billing.gcp_billing_export_v1_0A_0B_0C/2026-11-20"] = []
    rig.export.add_day(days_ago(2))

    changes = rig.refresh(rig.source())

    assert [type(change) for change in changes] == [Retraction, Batch]
    assert list(rig.known) == [f"{TABLE}/2026-11-20"]


OTHER_ACCOUNT = "old.billing.gcp_billing_export_resource_v1_FF_FF_FF"


def remember(rig: Rig, *tables: str) -> None:
    """Have the ledger hold a partition of each table."""
    for table in tables:
        rig.known[f"{table}/2026-11-20"] = "x/1"
        rig.costs[f"{table}/2026-11-20"] = [Decimal(7)]


def test_the_past_of_another_billing_account_stays_when_the_table_is_changed(rig: Rig) -> None:
    remember(rig, OTHER_ACCOUNT)
    rig.export.add_day(days_ago(2))

    changes = rig.refresh(rig.source())

    assert [type(change) for change in changes] == [Batch]
    assert rig.known.keys() == {f"{TABLE}/2026-11-20", f"{OTHER_ACCOUNT}/2026-11-20"}
    assert rig.refresh(rig.source()) == []


def test_a_table_that_is_named_as_replaced_leaves_the_ledger(rig: Rig) -> None:
    remember(rig, OTHER_ACCOUNT, "pay.billing.all_exports")
    rig.export.add_day(days_ago(2))

    changes = rig.refresh(rig.source(replaces=(OTHER_ACCOUNT, "pay.billing.all_exports")))

    assert [type(change) for change in changes] == [Retraction, Retraction, Batch]
    assert list(rig.known) == [f"{TABLE}/2026-11-20"]


def test_where_names_do_not_show_whose_export_it_was_nothing_is_touched_and_the_choice_is_explained(
    rig: Rig,
) -> None:
    remember(rig, "pay.billing.all_exports")
    rig.export.add_day(days_ago(2))

    error = refused(rig, rig.source())

    assert error.reason == "table_unclear"
    assert "gcp.billing_export.bigquery.replaces: [pay.billing.all_exports]" in str(error)
    assert list(rig.known) == ["pay.billing.all_exports/2026-11-20"]


def test_a_source_knows_its_own_table_those_it_replaces_and_others_of_its_account(rig: Rig) -> None:
    source = rig.source(replaces=("pay.old.everything",))
    other = "pay.billing.gcp_billing_export_v1_0D_0E_0F"
    assert source.reads_partition(f"{TABLE}/2026-11-20")
    assert source.reads_partition("pay.old.everything/2026-11")
    assert source.reads_partition("pay.us.gcp_billing_export_v1_0A_0B_0C/2026-11-20")
    assert not source.reads_partition(f"{other}/2026-11-20")
    found = rig.source(None, billing_account_id="0D-0E-0F")
    assert found.reads_partition(f"{other}/2026-11-20")
    assert not found.reads_partition(f"{TABLE}/2026-11-20")
    assert not rig.source(None).reads_partition(f"{TABLE}/2026-11-20")


def test_an_interrupted_first_run_goes_on_where_it_was_after_a_restart(rig: Rig) -> None:
    for days in (70, 40, 3):
        rig.export.add_day(days_ago(days))

    assert partitions(rig.refresh(rig.source(), stop_after=1)) == ["2026-09-13"]
    assert partitions(rig.refresh(rig.source())) == ["2026-10-13", "2026-11-19"]
    assert rig.refresh(rig.source()) == []


def test_a_first_run_that_failed_in_the_middle_goes_on_in_the_same_process(rig: Rig) -> None:
    for days in (70, 40, 3):
        rig.export.add_day(days_ago(days))
    quota = ApiError(403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes")
    source = rig.source()
    rig.server.job_errors = [("charges", quota)]
    assert refused(rig, source).reason == "quota"

    assert partitions(rig.refresh(source)) == ["2026-09-13", "2026-10-13", "2026-11-19"]


def test_the_cursor_is_that_of_the_rows_read_even_when_more_arrived_in_between(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    asked = rig.server.answer

    def grow_after_the_cursor_query(purpose: str, sql: str):  # type: ignore[no-untyped-def]
        answer = asked(purpose, sql)
        if purpose == "cursor" and len(rig.server.jobs) == 0:
            rig.export.partitions[TODAY] = [ExportRow(TODAY), ExportRow(NOW)]
        return answer

    rig.server.answer = grow_after_the_cursor_query
    source = rig.source()
    rig.refresh(source)

    assert len(rig.costs[f"{TABLE}/2026-11-22"]) == 2
    assert rig.refresh(source) == []


def test_refused_rows_are_counted_by_reason_and_count_as_rows_of_the_partition(rig: Rig) -> None:
    rig.export.add_day(TODAY, ExportRow(TODAY), ExportRow(NOW, reason="bad_cost"))
    source = rig.source()

    (batch,) = rig.refresh(source)

    assert isinstance(batch, Batch)
    assert batch.rows == 1
    assert [(one.reason, one.count, one.place) for one in batch.rejected] == [
        ("bad_cost", 1, f"{TABLE}/2026-11-22")
    ]
    assert rig.refresh(source) == []


@pytest.mark.slow
def test_results_of_many_pages_arrive_whole_and_in_order(rig: Rig) -> None:
    costs = [f"{number}.25" for number in range(4_500)]
    rig.export.add_day(days_ago(1), *(ExportRow(TODAY, cost) for cost in costs[:3_000]))
    rig.export.add_day(TODAY, *(ExportRow(NOW, cost) for cost in costs[3_000:]))

    rig.refresh(rig.source())

    assert [cost for day in rig.costs.values() for cost in day] == [Decimal(cost) for cost in costs]
    assert sum("/queries/" in request.path for request in rig.server.requests) >= 3


@pytest.mark.slow
def test_a_page_that_breaks_off_is_fetched_again_without_losing_or_doubling_a_row(rig: Rig) -> None:
    costs = [f"{number}.25" for number in range(4_500)]
    rig.export.add_day(TODAY, *(ExportRow(NOW, cost) for cost in costs))
    rig.server.faults = [Fault("GET", r"/queries/.*pageToken=2000", times=2), Fault("GET", "pageToken=4000")]

    rig.refresh(rig.source())

    assert rig.costs[f"{TABLE}/2026-11-22"] == [Decimal(cost) for cost in costs]
    assert len(rig.server.queries("charges")) == 1


@pytest.mark.parametrize(
    "error",
    [
        ApiError(429, "rateLimitExceeded", "Exceeded rate limits: too many api requests"),
        ApiError(403, "rateLimitExceeded", "Exceeded rate limits: too many concurrent queries"),
        ApiError(500, "backendError", "Error encountered during execution. Retrying may solve the problem."),
        ApiError(502, "badGateway", "Bad gateway"),
        ApiError(503, "backendError", "Service unavailable"),
        None,
    ],
    ids=lambda error: f"{error.code}-{error.reason}" if error else "broken-connection",
)
def test_a_failure_that_passes_is_waited_out_with_growing_pauses(rig: Rig, error: ApiError | None) -> None:
    rig.export.add_day(TODAY)
    rig.server.faults = [Fault("POST", "/jobs", error, times=3)]

    assert len(rig.refresh(rig.source())) == 1
    assert rig.clock.naps == [1.0, 2.0, 4.0]


def test_a_failure_that_stays_is_given_up_within_a_minute_and_reported(rig: Rig) -> None:
    rig.server.faults = [Fault("GET", "/tables/", ApiError(503, "backendError", "Try later"), times=10**6)]

    error = refused(rig, rig.source())

    assert error.reason == "unavailable"
    assert 30 < rig.clock.seconds <= 60


def test_waiting_ends_when_the_process_wants_to_end(rig: Rig) -> None:
    rig.server.faults = [Fault("GET", "/tables/", ApiError(503, "backendError", "Try later"), times=10**6)]

    with pytest.raises(SourceError):
        rig.refresh(rig.source(), stop_after=0)

    assert rig.clock.naps == []


def test_a_job_that_failed_for_a_moment_is_run_again_as_another_job(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    limit = ApiError(400, "jobRateLimitExceeded", "Job exceeded rate limits")
    rig.server.job_errors = [("charges", limit), ("charges", limit)]

    assert len(rig.refresh(rig.source())) == 1
    assert len(rig.server.queries("charges")) == 3


def test_a_job_whose_start_was_not_confirmed_is_found_again_and_not_run_twice(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    source = rig.source()
    rig.refresh(source)
    rig.server.faults = [Fault("POST", "/jobs", after_doing=True, spares_dry_runs=True)]
    already = len(rig.server.jobs)

    rig.refresh(source)

    assert len(rig.server.jobs) == already + 1
    assert len(rig.server.queries("cursor")) == 3


def test_a_job_that_takes_long_is_asked_after_until_it_is_done(rig: Rig) -> None:
    rig.server.polls_until_done = 5
    rig.export.add_day(TODAY)

    assert len(rig.refresh(rig.source())) == 1


def test_access_denied_names_the_roles_and_where_they_are_needed(rig: Rig) -> None:
    denied = ApiError(
        403, "accessDenied", "Access Denied: Table pay:billing.x: User does not have permission"
    )
    rig.server.faults = [Fault("GET", "/tables/", denied, times=10)]

    error = refused(rig, rig.source(job_project="runner"))

    assert error.reason == "permission_denied"
    for part in (
        "Access Denied",
        "roles/bigquery.jobUser on the project runner",
        "roles/bigquery.dataViewer",
        TABLE,
    ):
        assert part in str(error)
    assert rig.clock.naps == []


def test_a_table_that_does_not_exist_is_reported_with_the_key_to_set(rig: Rig) -> None:
    error = refused(rig, rig.source(table="pay.billing.gcp_billing_export_v1_TYPO"))

    assert error.reason == "not_found"
    assert "pay:billing.gcp_billing_export_v1_TYPO" in str(error)
    assert "gcp.billing_export.bigquery.table" in str(error)


def test_a_dataset_that_moved_to_another_location_is_reported_and_found_by_the_next_refresh(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    source = rig.source()
    rig.refresh(source)
    rig.server.locations["pay.billing"] = "US"

    error = refused(rig, source)

    assert error.reason == "not_found"
    assert "was not found in location EU" in str(error)
    assert rig.refresh(source) == []


def test_a_query_over_the_cap_is_not_run_and_the_text_has_estimate_cap_and_key(rig: Rig) -> None:
    rig.export.add_day(TODAY, *[ExportRow(NOW)] * 100)
    error = refused(rig, rig.source(max_bytes_billed=150 * MEBIBYTE))

    assert error.reason == "bytes_cap"
    for part in ("200,278,016 bytes", "157,286,400", "gcp.billing_export.bigquery.max_bytes_billed", "1GiB"):
        assert part in str(error)
    assert rig.server.queries("charges") == []


def test_a_cap_between_the_estimate_and_what_is_really_billed_refuses_before_the_job_fails(rig: Rig) -> None:
    rig.export.add_day(TODAY)

    error = refused(rig, rig.source(max_bytes_billed=ROW_BYTES))

    assert error.reason == "bytes_cap"
    assert rig.server.queries() == []


def test_a_cap_that_bigquery_enforces_in_spite_of_the_estimate_is_reported_as_such(rig: Rig) -> None:
    over = ApiError(
        500, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1. 2 or higher required."
    )
    rig.export.add_day(TODAY)
    rig.server.job_errors = [("charges", over)]

    error = refused(rig, rig.source())

    assert error.reason == "bytes_cap"
    assert "gcp.billing_export.bigquery.max_bytes_billed" in str(error)
    assert rig.clock.naps == []


@pytest.mark.parametrize(
    ("api_error", "reason", "advice"),
    [
        (ApiError(403, "quotaExceeded", "Quota exceeded"), "quota", "gcp.update_interval_minutes"),
        (
            ApiError(400, "invalidQuery", "Unrecognized name: cost at [3:4]"),
            "invalid_query",
            "Unrecognized name",
        ),
        (ApiError(400, "resourcesExceeded", "Resources exceeded"), "resources", "keep less history"),
        (
            ApiError(403, "accessNotConfigured", "API not used"),
            "permission_denied",
            "bigquery.googleapis.com",
        ),
        (ApiError(403, "billingNotEnabled", "Billing disabled"), "permission_denied", "billing account"),
        (
            ApiError(499, "stopped", "Job execution was cancelled: Job timed out after 600s"),
            "timeout",
            "next refresh",
        ),
        (ApiError(400, "somethingNew", "Never seen"), "refused", "somethingNew"),
    ],
    ids=lambda value: value.reason if isinstance(value, ApiError) else "",
)
def test_every_reason_has_its_label_and_its_advice(
    rig: Rig, api_error: ApiError, reason: str, advice: str
) -> None:
    rig.server.faults = [Fault("POST", "/jobs", api_error, times=5)]

    error = refused(rig, rig.source())

    assert error.reason == reason
    assert api_error.message in str(error)
    assert advice in str(error)
    assert rig.clock.naps == []


def test_every_job_carries_labels_cap_timeout_and_location_and_dry_runs_avoid_the_cache(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    rig.refresh(rig.source(max_bytes_billed=2**30))

    jobs = [request.body for request in rig.server.requests if request.method == "POST"]
    assert len(jobs) == 4
    for job in jobs:
        configuration = job["configuration"]
        assert configuration["labels"]["app"] == "spend-exporter"
        assert job["jobReference"]["location"] == "EU"
        if configuration.get("dryRun"):
            assert configuration["query"]["useQueryCache"] is False
        else:
            assert configuration["query"]["maximumBytesBilled"] == str(2**30)
            assert int(configuration["jobTimeoutMs"]) == 600_000


def test_without_a_table_the_detailed_export_of_the_account_is_found(rig: Rig) -> None:
    rig.server.tables["pay.billing.gcp_billing_export_v1_0A_0B_0C"] = DAILY_TABLE
    rig.server.tables["pay.other.gcp_billing_export_resource_v1_FF_FF_FF"] = DAILY_TABLE
    rig.server.tables["pay.logs.requests"] = {"schema": {"fields": []}}
    rig.export.add_day(TODAY)

    source = rig.source(None, billing_account_id="0A-0B-0C", project_ids=["web", "pay"])

    assert [change.partition for change in rig.refresh(source)] == [f"{TABLE}/2026-11-22"]


def test_without_a_detailed_export_the_standard_one_is_taken(rig: Rig) -> None:
    standard = "pay.billing.gcp_billing_export_v1_0A_0B_0C"
    rig.server.tables = {standard: DAILY_TABLE}
    rig.export.add_day(TODAY)

    changes = rig.refresh(rig.source(None, billing_account_id="0A-0B-0C", project_ids=["pay"]))

    assert [change.partition for change in changes] == [f"{standard}/2026-11-22"]


def test_a_detailed_export_that_was_turned_on_later_does_not_push_out_the_history_of_the_standard_one(
    rig: Rig,
) -> None:
    standard = "pay.billing.gcp_billing_export_v1_0A_0B_0C"
    rig.server.tables = {standard: DAILY_TABLE}
    rig.export.add_day(TODAY)
    rig.refresh(rig.source(None, project_ids=["pay"]))
    rig.server.tables[TABLE] = DAILY_TABLE

    assert rig.refresh(rig.source(None, project_ids=["pay"])) == []
    assert list(rig.known) == [f"{standard}/2026-11-22"]


def test_a_table_that_is_suddenly_empty_erases_nothing(rig: Rig) -> None:
    rig.export.add_day(TODAY)
    source = rig.source()
    rig.refresh(source)
    rig.export.partitions.clear()

    error = refused(rig, source)

    assert error.reason == "export_empty"
    assert list(rig.known) == [f"{TABLE}/2026-11-22"]


def test_no_export_anywhere_names_the_key_and_what_was_looked_for(rig: Rig) -> None:
    error = refused(rig, rig.source(None, billing_account_id="DD-EE-FF", project_ids=["pay"]))

    assert error.reason == "table_not_found"
    assert "gcp.billing_export.bigquery.table" in str(error)
    assert "gcp_billing_export_resource_v1_DD_EE_FF" in str(error)


def test_several_exports_that_fit_are_named_and_none_is_guessed(rig: Rig) -> None:
    rig.server.tables["pay.copy.gcp_billing_export_resource_v1_0A_0B_0C"] = DAILY_TABLE

    error = refused(rig, rig.source(None, billing_account_id="0A-0B-0C", project_ids=["pay"]))

    assert error.reason == "table_ambiguous"
    assert "pay.copy." in str(error)
    assert "pay.billing." in str(error)


def test_listings_of_many_tables_are_followed_page_by_page(rig: Rig) -> None:
    for number in range(1_200):
        rig.server.tables[f"pay.billing.a{number}"] = {"schema": {"fields": []}}
    rig.export.add_day(TODAY)

    changes = rig.refresh(rig.source(None, billing_account_id="0A-0B-0C", project_ids=["pay"]))

    assert partitions(changes) == ["2026-11-22"]


@pytest.mark.parametrize("table", ["billing.table", "a.b.c.d`; DROP TABLE x", "pay.billing."])
def test_a_table_name_that_is_not_in_full_is_refused_before_anything_is_asked(rig: Rig, table: str) -> None:
    error = refused(rig, rig.source(table=table))

    assert error.reason == "bad_configuration"
    assert "project.dataset.table" in str(error)
    assert rig.server.requests == []


def test_a_table_that_is_no_export_is_reported_by_its_missing_columns(rig: Rig) -> None:
    rig.server.tables[TABLE] = {"schema": {"fields": SCHEMA[:2]}}

    error = refused(rig, rig.source())

    assert error.reason == "not_an_export"
    assert "cost, export_time" in str(error)


@pytest.mark.slow
def test_nothing_is_left_in_the_spool_when_reading_breaks_off(rig: Rig) -> None:
    rig.export.add_day(TODAY, *[ExportRow(NOW)] * 2_500)
    gone = ApiError(404, "notFound", "Not found: Job")
    rig.server.faults = [Fault("GET", "pageToken=2000", gone, times=100)]

    assert refused(rig, rig.source()).reason == "not_found"
    assert list(rig.spool.iterdir()) == []
