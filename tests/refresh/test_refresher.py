"""Refreshing: every source on its own, its status, and a clock that may jump."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.core.errors import SourceError
from exporter.history.remote_write import Receiver
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.metrics.snapshot import Snapshot
from exporter.refresh.guard import RetractionRules
from exporter.refresh.refresher import Refresher
from exporter.refresh.timing import FIRST_RETRY_SECONDS, wait_seconds
from exporter.sources.base import (
    Batch,
    BilledReads,
    Change,
    Doubtful,
    RefreshContext,
    Rejected,
    Retraction,
    Source,
    Unreadable,
)
from exporter.sources.files.source import FilesSource
from exporter.sources.prometheus_units import UnitCounts, UnitQuery
from exporter.sources.spool import write_spool_csv
from tests.fakes.remote_receiver import RemoteReceiver
from tests.sources.test_prometheus_units import saying, server, vector
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import Samples, by, samples, until

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
DAY = timedelta(days=1)

Told = Callable[[RefreshContext], Iterator[Change]]


@dataclass
class Scripted(TestedSource):
    """A source of which each refresh does what the next entry of `rounds` says; the last one stays."""

    rounds: list[Told]
    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"
    billed_reads: BilledReads | None = None
    update_interval: timedelta | None = None
    refreshes: int = field(default=0, init=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        reported = self.rounds[min(self.refreshes, len(self.rounds) - 1)]
        self.refreshes += 1
        return reported(context)


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


_numbers = itertools.count()


def batch(
    context: RefreshContext, partition: str, *charges: Charge, rejected: Sequence[Rejected] = ()
) -> Batch:
    spool = write_spool_csv(context.spool / f"{next(_numbers)}.csv", charges)
    return Batch(partition, "cursor", spool, len(charges), tuple(rejected))


def gives(*charges: Charge, partition: str = "a", rejected: Sequence[Rejected] = ()) -> Told:
    def reported(context: RefreshContext) -> Iterator[Change]:
        yield batch(context, partition, *charges, rejected=rejected)

    return reported


def nothing_new(_: RefreshContext) -> Iterator[Change]:
    yield from ()


def fails(error: Exception, *before: Charge) -> Told:
    def reported(context: RefreshContext) -> Iterator[Change]:
        if before:
            yield batch(context, "before", *before)
        raise error

    return reported


Make = Callable[..., Refresher]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


@pytest.fixture
def make(tmp_path: Path, clock: Clock, ledger: Ledger) -> Iterator[Make]:
    made: list[Refresher] = []

    def refresher(
        *sources: Source, interval: timedelta = 15 * timedelta(minutes=1), **more: object
    ) -> Refresher:
        spool = tmp_path / "spool"
        spool.mkdir(exist_ok=True)
        settings = {"keep": 400 * DAY, "max_series": 50_000, "clock": clock, **more}
        made.append(Refresher(sources, ledger, spool, interval=interval, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield refresher
    for each in made:
        each.stop()


def shown(refresher: Refresher) -> Samples:
    return samples(refresher.snapshot.exposition.text)


def month(refresher: Refresher) -> dict[tuple[str, ...], float]:
    return by(shown(refresher)["spend_month_to_date_usd"])


def of_source(refresher: Refresher, metric: str) -> dict[str, float]:
    return {dict(labels)["source"]: value for labels, value in shown(refresher)[metric].items()}


def errors(refresher: Refresher) -> dict[tuple[str, ...], float]:
    return by(shown(refresher)["spend_source_errors_total"], "source", "reason")


def test_sources_that_are_read_once_are_read_at_the_same_time(make: Make) -> None:
    together = threading.Barrier(2, timeout=20)

    def waiting(told: Told) -> Told:
        def reported(context: RefreshContext) -> Iterator[Change]:
            together.wait()
            yield from told(context)

        return reported

    good = Scripted([waiting(gives(charge("4")))])
    bad = Scripted([waiting(fails(SourceError("quota", "wait")))], name="bigquery")
    refresher = make(good, bad)
    assert refresher.refresh_each() == ("bigquery",)
    assert (good.refreshes, bad.refreshes) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceError("permission_denied", "grant roles/bigquery.dataViewer"), "permission_denied"),
        (ZeroDivisionError("whatever"), "unexpected"),
    ],
)
def test_a_failing_source_is_counted_and_dims_neither_the_others_nor_its_own_last_good_data(
    make: Make, error: Exception, reason: str
) -> None:
    failing = Scripted([gives(charge("5")), fails(error)], name="bigquery")
    refresher = make(failing, Scripted([gives(charge("2")), gives(charge("3"))]))
    refresher.refresh_all()
    assert month(refresher) == {(): 7.0}
    refresher.refresh_all()
    assert month(refresher) == {(): 8.0}
    assert of_source(refresher, "spend_source_up") == {"bigquery": 0.0, "files": 1.0}
    assert errors(refresher) == {("bigquery", reason): 1.0}
    refresher.refresh_all()
    assert errors(refresher) == {("bigquery", reason): 2.0}


@pytest.mark.slow
def test_what_a_source_gave_before_it_failed_stays(make: Make) -> None:
    refresher = make(Scripted([gives(charge("3")), fails(SourceError("quota", "wait"), charge("4"))]))
    refresher.refresh_all()
    refresher.refresh_all()
    assert month(refresher) == {(): 7.0}
    assert of_source(refresher, "spend_source_up") == {"files": 0.0}


@pytest.mark.slow
def test_a_failure_is_reported_until_the_source_has_recovered(make: Make, clock: Clock) -> None:
    failing = fails(SourceError("quota", "wait until tomorrow"))
    refresher = make(Scripted([nothing_new, failing, nothing_new]))
    refresher.refresh_all()
    clock.now += HOUR
    assert refresher.refresh_all().sources[0].last_error == "wait until tomorrow"
    assert of_source(refresher, "spend_source_last_success_timestamp_seconds") == {"files": NOW.timestamp()}
    clock.now += HOUR
    assert refresher.refresh_all().sources[0].last_error == ""
    assert of_source(refresher, "spend_source_up") == {"files": 1.0}
    last_success = of_source(refresher, "spend_source_last_success_timestamp_seconds")
    assert last_success == {"files": (NOW + 2 * HOUR).timestamp()}


@pytest.mark.slow
def test_rows_requests_billed_bytes_and_duration_are_counted(make: Make) -> None:
    def metered(context: RefreshContext) -> Iterator[Change]:
        context.tally.requests += 3
        context.tally.billed_bytes += 10_485_760
        yield batch(context, "a", charge("1"), charge("2", sku_id="b"))

    metered_reads = Scripted([metered], name="bigquery", billed_reads=BilledReads.BYTES)
    refresher = make(metered_reads, Scripted([nothing_new]))
    refresher.refresh_all()
    refresher.refresh_all()
    assert of_source(refresher, "spend_source_rows_total") == {"bigquery": 4.0, "files": 0.0}
    assert of_source(refresher, "spend_source_requests_total") == {"bigquery": 6.0, "files": 0.0}
    assert shown(refresher)["spend_bigquery_billed_bytes_total"] == {(): 20_971_520.0}
    assert all(
        seconds >= 0 for seconds in of_source(refresher, "spend_source_refresh_duration_seconds").values()
    )
    assert shown(refresher)["spend_source_errors_total"] == {}


@pytest.mark.slow
def test_series_of_cloud_monitoring_are_counted_over_all_refreshes(make: Make) -> None:
    def metered(context: RefreshContext) -> Iterator[Change]:
        context.tally.series_returned += 5
        yield from ()

    refresher = make(Scripted([metered], name="cloud_monitoring", billed_reads=BilledReads.SERIES))
    refresher.refresh_all()
    refresher.refresh_all()
    assert shown(refresher)["spend_monitoring_series_returned_total"] == {(): 10.0}


def test_what_a_failed_refresh_used_is_counted_as_well(make: Make) -> None:
    def spent_and_failed(context: RefreshContext) -> Iterator[Change]:
        context.tally.billed_bytes += 7
        raise SourceError("quota", "wait")
        yield

    refresher = make(Scripted([spent_and_failed], name="bigquery", billed_reads=BilledReads.BYTES))
    refresher.refresh_all()
    assert shown(refresher)["spend_bigquery_billed_bytes_total"] == {(): 7.0}


@pytest.mark.slow
def test_rows_set_aside_and_unreadable_partitions_are_logged_and_counted_by_reason(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    bad_cost, bad_json = (
        Rejected(reason, 2, "a row 7, 9", "left out") for reason in ("bad_cost", "bad_json")
    )
    truncated = Rejected("unreadable_file", 1, "b.parquet", "no magic bytes")

    def with_one_unreadable(context: RefreshContext) -> Iterator[Change]:
        yield Unreadable("b", truncated)
        yield batch(context, "a", charge("1"), rejected=[bad_cost, bad_json])

    refresher = make(Scripted([gives(charge("10"), partition="b"), with_one_unreadable]))
    refresher.refresh_all()
    refresher.refresh_all()
    assert month(refresher) == {(): 11.0}
    assert errors(refresher) == {
        ("files", "bad_cost"): 2.0,
        ("files", "bad_json"): 2.0,
        ("files", "unreadable_file"): 1.0,
    }
    assert of_source(refresher, "spend_source_up") == {"files": 1.0}
    assert set(refresher.snapshot.sources[0].rejected) == {truncated, bad_cost, bad_json}
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for each in (truncated, bad_cost, bad_json):
        assert f"files: {each.place}: {each.count} x {each.reason}: {each.detail}" in warnings


@pytest.mark.slow
def test_what_is_in_doubt_is_counted_at_each_refresh_and_logged_once_for_each_change(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    overlap, other = (Rejected("overlapping_file", 1, name, "both count") for name in ("a.csv", "b.csv"))

    def doubts(*each: Rejected) -> Told:
        return lambda _: iter([Doubtful(rejected.place, rejected) for rejected in each])

    refresher = make(
        Scripted([doubts(overlap), doubts(overlap), doubts(other, overlap), doubts(), doubts(other)])
    )
    logged = []
    for _ in range(5):
        caplog.clear()
        refresher.refresh_all()
        logged.append([record.args[1] for record in caplog.records if isinstance(record.args, tuple)])
    logged = [[place for place in places if str(place).endswith(".csv")] for places in logged]
    assert logged == [["a.csv"], [], ["b.csv"], [], ["b.csv"]]
    assert errors(refresher) == {("files", "overlapping_file"): 5.0}


@pytest.mark.slow
def test_what_is_set_aside_is_shown_until_that_partition_reads_well_or_is_gone(make: Make) -> None:
    bad = Rejected("bad_cost", 1, "row 1", "left out")
    source = Scripted(
        [
            gives(charge("1"), rejected=[bad]),
            gives(charge("1"), partition="b", rejected=[bad]),
            gives(charge("2")),
            lambda _: iter([Retraction("b")]),
        ]
    )
    refresher = make(source)
    assert [len(refresher.refresh_all().sources[0].rejected) for _ in range(4)] == [1, 2, 1, 0]


@pytest.mark.slow
def test_a_spool_file_is_removed_once_it_is_stored_and_when_it_cannot_be(make: Make, tmp_path: Path) -> None:
    def garbage(context: RefreshContext) -> Iterator[Change]:
        spool = context.spool / "garbage.parquet"
        spool.write_bytes(b"no parquet")
        yield Batch("b", "cursor", spool, 1)

    refresher = make(Scripted([gives(charge("2")), garbage]))
    refresher.refresh_all()
    refresher.refresh_all()
    assert list((tmp_path / "spool").iterdir()) == []
    assert errors(refresher) == {("files", "ledger_write"): 1.0}
    assert month(refresher) == {(): 2.0}


def test_after_failures_it_waits_longer_and_longer_with_jitter_and_never_longer_than_usual() -> None:
    interval, chance = timedelta(minutes=15), random.Random(1)
    waits = [[wait_seconds(failures, interval, chance) for _ in range(200)] for failures in range(1, 40)]
    for failures, some in enumerate(waits, 1):
        longest = min(FIRST_RETRY_SECONDS * 2 ** (failures - 1), 900.0)
        assert longest / 2 <= min(some) < max(some) <= longest
        assert len(set(some)) > 100
    assert wait_seconds(0, interval, chance) == 900.0
    assert wait_seconds(5, timedelta(seconds=1), chance) <= 1.0


class Waits:
    """Notes how long refreshes are to wait and lets them go on at once, so many times; there they stay."""

    def __init__(self, most: int) -> None:
        self.seconds: list[float] = []
        self._most = most

    def __call__(self, event: threading.Event, seconds: float) -> bool:
        if threading.current_thread().name == "snapshot-builder":
            return event.wait(0.01)
        self.seconds.append(seconds)
        return event.wait(0.0 if len(self.seconds) < self._most else None)


@pytest.mark.slow
def test_a_success_ends_the_back_off(make: Make) -> None:
    failing = fails(SourceError("quota", "wait"))
    source = Scripted([failing, failing, failing, nothing_new, failing, nothing_new])
    waits = Waits(6)
    refresher = make(source, chance=random.Random(2), wait=waits)
    refresher.start()
    until(lambda: len(waits.seconds) == 6, "six refreshes")
    first, second, third, after_success, again, last = waits.seconds
    assert 7.5 <= first <= 15 <= second <= 30 <= third <= 60
    assert (after_success, last) == (900.0, 900.0)
    assert 7.5 <= again <= 15


def test_a_source_is_read_at_its_own_interval_where_it_has_one(make: Make) -> None:
    live = Scripted([nothing_new], name="cloud_monitoring", update_interval=timedelta(minutes=1))
    waits = Waits(1)
    make(live, Scripted([nothing_new]), wait=waits).start()
    until(lambda: len(waits.seconds) == 2, "one refresh of each source")
    assert sorted(waits.seconds) == [60.0, 900.0]


@pytest.mark.slow
def test_a_source_that_hangs_blocks_neither_the_others_nor_the_builder_nor_the_end(
    make: Make, clock: Clock
) -> None:
    release = threading.Event()

    def hangs(_: RefreshContext) -> Iterator[Change]:
        release.wait()
        yield from ()

    waits = Waits(3)
    refresher = make(
        Scripted([hangs], name="bigquery"),
        Scripted([gives(charge("1")), gives(charge("2")), gives(charge("3"))]),
        wait=waits,
    )
    refresher.start()
    until(lambda: month(refresher) == {(): 3.0}, "the other source's figures")
    assert of_source(refresher, "spend_source_up") == {"files": 1.0}
    clock.now += DAY
    until(lambda: refresher.snapshot.built_at == clock.now, "windows of the next day")
    assert not refresher.stop(timeout_seconds=0.1)
    release.set()
    assert refresher.stop()


def windows(refresher: Refresher) -> dict[str, dict[tuple[str, ...], float]]:
    names = ("today", "yesterday", "month_to_date", "last_month")
    found = {name: by(shown(refresher)[f"spend_{name}_usd"]) for name in names}
    return {name: values for name, values in found.items() if values}


LONG_DAY = datetime(2026, 11, 1, 7, tzinfo=UTC)
"""Midnight at which a Pacific day of 25 hours begins, and a month."""


@pytest.mark.slow
def test_windows_roll_over_at_pacific_midnight_without_a_refresh_also_after_a_day_of_25_hours(
    make: Make, clock: Clock
) -> None:
    clock.now = LONG_DAY - HOUR
    october = charge("1", charge_period_start=LONG_DAY - 2 * HOUR, export_hour=LONG_DAY - HOUR)
    source = Scripted([gives(october), nothing_new])
    # Refreshes stop after the first.
    refresher = make(source, wait=Waits(1))
    refresher.start()

    def rolled_to(moment: datetime) -> dict[str, dict[tuple[str, ...], float]]:
        clock.now = moment
        until(lambda: refresher.snapshot.built_at == moment, f"a snapshot of {moment}")
        return windows(refresher)

    until(lambda: windows(refresher) != {}, "first figures")
    assert windows(refresher) == {"today": {(): 1.0}, "month_to_date": {(): 1.0}}
    assert rolled_to(LONG_DAY) == {"yesterday": {(): 1.0}, "last_month": {(): 1.0}}
    assert rolled_to(LONG_DAY + 24.5 * HOUR) == {"yesterday": {(): 1.0}, "last_month": {(): 1.0}}
    assert rolled_to(LONG_DAY + 25 * HOUR) == {"last_month": {(): 1.0}}
    assert source.refreshes == 1


@pytest.mark.slow
def test_a_rollover_between_the_first_snapshot_and_the_builder_is_not_missed(
    make: Make, clock: Clock
) -> None:
    clock.now = LONG_DAY - HOUR
    refresher = make(Scripted([gives(charge("1", charge_period_start=LONG_DAY - 2 * HOUR)), nothing_new]))
    refresher.refresh_all()
    release = threading.Event()

    def hangs(_: RefreshContext) -> Iterator[Change]:
        release.wait()
        yield from ()

    # It is before midnight when the refresher is made and its first snapshot built, and after it ever since.
    moments = iter(2 * [LONG_DAY - timedelta(seconds=1)])
    late = make(Scripted([hangs]), clock=lambda: next(moments, LONG_DAY), wait=Waits(1))
    late.start()
    until(
        lambda: windows(late) == {"yesterday": {(): 1.0}, "last_month": {(): 1.0}}, "the next day's windows"
    )
    release.set()


def counters(refresher: Refresher) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        name: by(values, "sku_id")
        for name, values in shown(refresher).items()
        if name in ("spend_billed_usd_total", "spend_billed_credit_usd_total", "spend_restated_usd_total")
    }


@pytest.mark.slow
def test_a_clock_that_jumps_back_sets_nothing_aside_and_no_figure_breaks(
    make: Make, clock: Clock, tmp_path: Path
) -> None:
    first = export_row(export_time=export_time(NOW - HOUR), usage_start_time=export_time(NOW - 5 * HOUR))
    path = write_json_lines(tmp_path / "a.jsonl", [first])
    refresher = make(FilesSource([str(path)]))
    refresher.refresh_all()
    before = counters(refresher)
    clock.now = NOW - 40 * DAY
    refresher.refresh_all()
    assert counters(refresher) == before
    assert shown(refresher)["spend_source_errors_total"] == {}
    later = export_row(export_time=export_time(NOW + HOUR), usage_start_time=export_time(NOW - HOUR))
    write_json_lines(path, [first, later])
    refresher.refresh_all()
    assert shown(refresher)["spend_source_errors_total"] == {}
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 2.5}
    assert of_source(refresher, "spend_source_up") == {"files": 1.0}
    clock.now = NOW + 2 * HOUR
    refresher.refresh_all()
    assert month(refresher) == {(): 2.5}
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 2.5}


@pytest.mark.slow
def test_rows_set_aside_because_the_clock_was_behind_are_read_once_it_is_right(
    make: Make, clock: Clock, tmp_path: Path
) -> None:
    recent = export_row(export_time=export_time(NOW - HOUR), usage_start_time=export_time(NOW - 5 * HOUR))
    never = export_row(export_time=export_time(NOW + 9999 * DAY))
    write_json_lines(tmp_path / "a.jsonl", [recent])
    write_json_lines(tmp_path / "b.jsonl", [never, {**recent, "project": {"id": "other"}}])
    refresher = make(FilesSource([str(tmp_path / "*.jsonl")]), retractions=RetractionRules(largest_share=1.0))
    clock.now = NOW - 10 * DAY
    refresher.refresh_all()
    assert errors(refresher) == {("files", "future_timestamp"): 3.0}
    assert month(refresher) == {}
    clock.now = NOW
    refresher.refresh_all()
    assert month(refresher) == {(): 2.5}
    assert errors(refresher) == {("files", "future_timestamp"): 4.0}
    clock.now += HOUR
    refresher.refresh_all()
    assert of_source(refresher, "spend_source_requests_total") == {"files": 4.0}, "read again for nothing"
    (tmp_path / "b.jsonl").unlink()
    refresher.refresh_all()
    assert month(refresher) == {(): 1.25}


@pytest.mark.slow
def test_a_clock_that_stays_behind_catches_up_with_the_bill(make: Make, clock: Clock, tmp_path: Path) -> None:
    for number in range(12):
        when = export_time(NOW + 6 * number * HOUR)
        row = export_row(export_time=when, usage_start_time=when)
        write_json_lines(tmp_path / f"{number}.jsonl", [row])
    clock.now = NOW - 10 * HOUR
    refresher = make(FilesSource([str(tmp_path / "*.jsonl")]))
    for _ in range(4):
        refresher.refresh_all()
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 15.0}


@pytest.mark.slow
def test_a_clock_that_jumps_far_ahead_erases_nothing(make: Make, clock: Clock, ledger: Ledger) -> None:
    source = Scripted([gives(charge("2")), nothing_new])
    refresher = make(source, keep=62 * DAY)
    refresher.refresh_all()
    before = shown(refresher)["spend_month_to_date_usd"]
    clock.now = NOW + 4000 * DAY
    refresher.refresh_all()
    assert windows(refresher) == {}
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 2.0}
    clock.now = NOW
    refresher.refresh_all()
    assert shown(refresher)["spend_month_to_date_usd"] == before
    assert ledger.kept_from() < NOW - 61 * DAY


@pytest.mark.slow
def test_usage_older_than_is_kept_leaves_the_windows_and_stays_in_the_counters(
    make: Make, clock: Clock, ledger: Ledger
) -> None:
    old = charge("1", charge_period_start=NOW - 61 * DAY, export_hour=NOW - 60 * DAY)
    new = charge("2", charge_period_start=NOW + 5 * DAY, export_hour=NOW + 6 * DAY)
    refresher = make(Scripted([gives(old), gives(new, partition="b"), nothing_new]), keep=62 * DAY)
    refresher.refresh_all()
    assert by(shown(refresher)["spend_invoice_month_cost"]) == {(): 1.0}
    clock.now = NOW + 7 * DAY
    refresher.refresh_all()
    assert ledger.kept_from() == NOW - 56 * DAY
    assert by(shown(refresher)["spend_billed_usd_total"]) == {(): 3.0}
    assert month(refresher) == {(): 2.0}


def published(ledger: Ledger) -> dict[str, str | None]:
    with ledger.view(["files", "bigquery"]) as view:
        return {each.labels[4]: each.published for each in view.series_totals()}


@pytest.mark.slow
def test_which_series_are_shown_is_remembered_only_when_every_source_was_read_once(
    make: Make, ledger: Ledger
) -> None:
    quick = Scripted([gives(charge("1", sku_id="quick")), nothing_new])
    slow = Scripted([gives(charge("9", sku_id="slow")), nothing_new], name="bigquery")
    refresher = make(quick, slow)
    refresher.refresh(quick)
    refresher.rebuild()
    assert month(refresher) == {(): 1.0}
    assert published(ledger) == {"quick": None}
    refresher.refresh(slow)
    refresher.rebuild()
    assert published(ledger) == {"quick": "own", "slow": "own"}


@pytest.mark.slow
def test_figures_as_of_a_past_hour_are_not_remembered(make: Make, ledger: Ledger) -> None:
    refresher = make(Scripted([gives(charge("1"))]))
    refresher.refresh_all(as_of=NOW)
    assert month(refresher) == {(): 1.0}
    assert published(ledger) == {"CF4E-A0C7-E3BF": None}


@pytest.mark.slow
def test_only_a_snapshot_of_now_reads_the_numbers_of_units(make: Make) -> None:
    queries: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        queries.append(request.path)
        saying(vector("7"))(request)

    with server(answer) as address:
        refresher = make(Scripted([nothing_new]), units=UnitCounts([UnitQuery("order", "orders", address)]))
        refresher.refresh_all(as_of=NOW)
        assert queries == []
        refresher.refresh_all()
        # Yesterday's, and those of past days.
        assert [path.partition("?")[0] for path in queries] == ["/api/v1/query", "/api/v1/query_range"]


@pytest.mark.slow
def test_what_a_refresh_brings_is_sent_at_once(make: Make, clock: Clock, ledger: Ledger) -> None:
    with RemoteReceiver() as receiver:
        sender = HistorySender(ledger, Receiver(receiver.url), ["files"], since=31 * DAY, clock=clock)
        refresher = make(Scripted([gives(charge("1.25"))]), wait=Waits(1), history_sender=sender)
        refresher.start()
        until(lambda: list(receiver.sums().values()) == [1.25], "what was billed, at the receiver")
        assert refresher.stop()


@pytest.mark.slow
def test_a_restart_shows_the_ledger_before_any_source_has_answered(make: Make) -> None:
    make(Scripted([gives(charge("1"))])).refresh_all()
    release = threading.Event()

    def hangs(_: RefreshContext) -> Iterator[Change]:
        release.wait()
        yield from ()

    restarted = make(Scripted([hangs]), wait=Waits(1))
    assert not restarted.snapshot.ready
    restarted.start()
    assert restarted.snapshot.ready
    assert month(restarted) == {(): 1.0}
    assert of_source(restarted, "spend_source_up") == {}
    release.set()


@pytest.mark.slow
def test_a_ledger_that_cannot_be_read_leaves_the_last_snapshot_up(
    make: Make, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    refresher = make(Scripted([gives(charge("1")), nothing_new]))
    refresher.refresh_all()
    last = refresher.snapshot
    ledger.close()
    refresher.refresh_all()
    assert refresher.snapshot.exposition is last.exposition
    assert last.failed_figures == ()
    assert refresher.snapshot.failed_figures == ("bill",)
    assert b'spend_figure_success{figure="bill"} 0' in refresher.snapshot.text
    assert "the last figures stay" in caplog.text


@pytest.mark.slow
def test_the_sum_of_decimals_is_exact(make: Make) -> None:
    parts = [charge(Decimal("0.1"), sku_id=str(number)) for number in range(1000)]
    refresher = make(Scripted([gives(*parts, charge("-100", charge_category="credit"))]))
    assert dict(refresher.refresh_all().totals)["Month to date"] == Decimal(0)


@pytest.mark.slow
def test_a_snapshot_is_given_away_before_anyone_reads_it(make: Make, ledger: Ledger) -> None:
    refresher = make(Scripted([gives(charge("1")), nothing_new]))
    seen: list[tuple[Snapshot, Snapshot]] = []
    refresher.show_first(lambda snapshot: seen.append((snapshot, refresher.snapshot)))
    first = refresher.refresh_all()
    ledger.close()
    last = refresher.refresh_all()
    assert [given for given, _ in seen] == [first, last]
    assert [before for _, before in seen][1] is first
