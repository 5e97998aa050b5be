"""Files that come, change and go, through intake and ledger: every charge of the month counts once."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ledger.charges.store import Ledger
from exporter.refresh.guard import RetractionRules
from exporter.refresh.intake import Intake
from exporter.sources.base import Batch, Change, Doubtful, RefreshContext, RefreshTally, Source
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from tests.support.export_rows import export_row, write_csv, write_json_lines
from tests.support.focus_rows import focus_row, write_focus_csv, write_focus_parquet

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALL_TIME = {"all": (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))}

Write = Callable[[Path, Sequence[int]], Path]


def focus_days(path: Path, days: Sequence[int], amounts: dict[int, str] | None = None) -> Path:
    """Write a FOCUS export of some days of November: ten dollars a day, or what is given for it."""
    rows = [
        focus_row(
            ChargePeriodStart=f"2026-11-{day:02}T00:00:00Z",
            ChargePeriodEnd=f"2026-11-{day:02}T23:59:59Z",
            BilledCost=(amounts or {}).get(day, "10"),
        )
        for day in days
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".csv.gz"):
        plain = write_focus_csv(path.with_suffix(".tmp"), rows)
        path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
        plain.unlink()
        return path
    if path.suffix == ".parquet":
        plain = write_focus_csv(path.with_suffix(".tmp"), rows)
        write_focus_parquet(path, plain, "DECIMAL(38,18)")
        plain.unlink()
        return path
    return write_focus_csv(path, rows)


def google_days(path: Path, days: Sequence[int]) -> Path:
    """Write a billing export of some days of November: ten dollars a day."""
    rows = [
        export_row(
            usage_start_time=f"2026-11-{day:02} 20:00:00 UTC",
            export_time=f"2026-11-{day + 1:02} 01:30:00 UTC",
            cost=12.5,
            credits=[{"name": "SUD", "amount": -2.5}],
        )
        for day in days
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    return (write_csv if path.suffix == ".csv" else write_json_lines)(path, rows)


def aged(path: Path, hours: int) -> Path:
    moment = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))
    return path


@dataclass(slots=True)
class World:
    """A folder of exports, the source that reads it, and a ledger."""

    folder: Path
    make: Callable[[str], Source]
    ledger: Ledger = field(init=False)
    rules: RetractionRules = RetractionRules()  # noqa: RUF009 - frozen
    seen: list[Change] = field(default_factory=list, init=False)
    """What the last refresh yielded."""

    def __post_init__(self) -> None:
        (self.folder / "spool").mkdir()
        self.ledger = Ledger(self.folder / "spend.duckdb")

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.folder / "spend.duckdb")

    def refresh(self, limit: Decimal | None = None) -> Decimal:
        """Read what changed; never meanwhile is there more than the limit. Returns the net cost."""
        intake = Intake(self.ledger, self.folder / "spool", timedelta(days=400), lambda: NOW, self.rules)
        source = self.make(str(self.exports / "**" / "*.*"))
        context: RefreshContext = intake.context(source, RefreshTally(), lambda: False)
        self.seen = []
        with intake.receiving(source, context) as receiver:
            for change in source.refresh(context):
                self.seen.append(change)
                receiver.take(change)
                assert limit is None or self.net(source) <= limit
        assert list((self.folder / "spool").iterdir()) == []
        return self.net(source)

    def net(self, source: Source) -> Decimal:
        with self.ledger.view([source.name]) as view:
            return sum(
                (
                    amount
                    for provider in view.providers()
                    for _, sums in view.window_sums(provider, ALL_TIME)
                    if (amount := sums[0]) is not None
                ),
                Decimal(0),
            )

    @property
    def said(self) -> list[tuple[str, str]]:
        """Reasons and files of what the last refresh refused or doubted."""
        rejected = [
            each
            for change in self.seen
            for each in (
                change.rejected
                if isinstance(change, Batch)
                else [change.rejected]
                if isinstance(change, Doubtful)
                else []
            )
        ]
        return [(each.reason, Path(each.place).name) for each in rejected]


def focus_source(pattern: str) -> Source:
    return FocusSource([pattern])


def google_source(pattern: str) -> Source:
    return FilesSource([pattern])


@pytest.fixture
def focus(tmp_path: Path) -> World:
    return World(tmp_path, focus_source)


@pytest.fixture
def google(tmp_path: Path) -> World:
    return World(tmp_path, google_source)


@pytest.mark.slow
def test_month_to_date_exports_in_one_folder_count_once_and_the_newest_wins(focus: World) -> None:
    for last in (23, 24, 25):
        focus_days(focus.exports / f"focus-2026-11-{last}.csv", range(1, last + 1))
    assert focus.refresh(Decimal(250)) == 250
    assert sorted(focus.said) == [
        ("repeated_file", "focus-2026-11-23.csv"),
        ("repeated_file", "focus-2026-11-24.csv"),
    ]
    assert len(focus.seen) == 3  # The longest was read first, so that no other one ever counted.
    focus.restart()
    assert (focus.refresh(), focus.seen) == (Decimal(250), [])


@pytest.mark.parametrize(
    "names",
    [("a.csv", "a copy.csv"), ("a.csv", "a.csv.gz"), ("a.csv", "a.parquet"), ("x/a.csv", "y/a.csv")],
)
def test_a_copy_counts_once_and_counts_alone_when_the_original_is_gone(
    focus: World, names: tuple[str, str]
) -> None:
    first, second = (focus.exports / name for name in names)
    aged(focus_days(first, range(1, 26)), 5)
    assert focus.refresh() == 250
    aged(focus_days(second, range(1, 26)), 4)
    assert focus.refresh(Decimal(250)) == 250
    assert focus.said == [("repeated_file", second.name)]
    first.unlink()
    assert focus.refresh(Decimal(250)) == 250
    assert (focus.refresh(), focus.seen) == (Decimal(250), [])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_copy_of_a_google_export_counts_once(google: World, suffix: str) -> None:
    aged(google_days(google.exports / f"export{suffix}", range(1, 26)), 5)
    aged(google_days(google.exports / f"again{suffix}", range(1, 26)), 4)
    assert google.refresh(Decimal(250)) == 250
    assert google.said == [("repeated_file", f"again{suffix}")]


def test_daily_dumps_of_a_google_export_count_once(google: World) -> None:
    for last in (10, 11, 12):
        google_days(google.exports / f"dump-{last}.jsonl", range(1, last + 1))
        assert google.refresh(Decimal(10) * last) == 10 * last


def test_a_later_export_with_restated_days_takes_the_place_of_the_older_one(focus: World) -> None:
    aged(focus_days(focus.exports / "a.csv", range(1, 21)), 5)
    assert focus.refresh() == 200
    aged(focus_days(focus.exports / "b.csv", range(1, 22), {19: "11", 20: "12"}), 4)
    assert focus.refresh(Decimal(213)) == 213
    assert focus.said == [("superseded_file", "a.csv")]


def test_spans_that_overlap_both_count_and_both_are_named_at_every_refresh(focus: World) -> None:
    aged(focus_days(focus.exports / "a.csv", range(1, 16)), 5)
    aged(focus_days(focus.exports / "b.csv", range(10, 26)), 4)
    assert focus.refresh() == 310
    for _ in range(2):
        (doubt,) = [change for change in focus.seen if isinstance(change, Doubtful)]
        assert doubt.rejected.reason == "overlapping_file"
        assert {
            name for name in ("a.csv", "b.csv") if name in doubt.rejected.place + doubt.rejected.detail
        } == {
            "a.csv",
            "b.csv",
        }
        assert "6 days of an account" in doubt.rejected.detail
        focus.restart()
        focus.refresh()


def test_machines_of_one_kind_in_files_of_their_own_both_count(focus: World) -> None:
    for team in ("red", "blue"):
        rows = [
            focus_row(
                ChargePeriodStart=f"2026-11-{day:02}T00:00:00Z", BilledCost="10", ResourceId=f"vm-{team}"
            )
            for day in range(1, 11)
        ]
        focus.exports.mkdir(exist_ok=True)
        write_focus_csv(focus.exports / f"{team}.csv", rows)
    assert focus.refresh() == 200
    assert focus.said == []


def test_rows_with_other_labels_in_pieces_of_their_own_both_count(google: World) -> None:
    google.exports.mkdir()
    for team in ("red", "blue"):
        write_json_lines(
            google.exports / f"{team}.jsonl", [export_row(labels=[{"key": "team", "value": team}])]
        )
    assert google.refresh() == Decimal("2.5")
    assert google.said == []


def test_a_copy_of_rows_without_dollars_counts_once_on_googles_invoice(google: World) -> None:
    tax = export_row(currency="EUR", currency_conversion_rate=None, cost_type="tax")
    google.exports.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        write_json_lines(google.exports / name, [tax])
    google.refresh()
    assert ("repeated_file", "b.jsonl") in google.said


def test_a_copy_of_rows_without_dollars_counts_once_on_an_invoice(focus: World) -> None:
    focus.exports.mkdir()
    for name in ("a.csv", "b.csv"):
        write_focus_csv(focus.exports / name, [focus_row(BillingCurrency="CHF")])
    focus.refresh()
    assert ("repeated_file", "b.csv") in focus.said


def test_an_hour_with_a_row_more_in_a_second_file_counts_once(google: World) -> None:
    google.exports.mkdir()
    first, more = export_row(), export_row(sku={"id": "R", "description": "Ram"}, cost=0.5)
    aged(write_json_lines(google.exports / "a.jsonl", [first]), 5)
    aged(write_json_lines(google.exports / "b.jsonl", [first, more]), 6)
    assert google.refresh() == Decimal("1.75")
    assert google.said == [("repeated_file", "a.jsonl")]
    (google.exports / "b.jsonl").unlink()
    google.rules = RetractionRules(largest_share=1.0)
    assert google.refresh() == Decimal("1.25")


def test_files_that_share_half_of_their_rows_of_an_hour_are_named(google: World) -> None:
    google.exports.mkdir()
    skus = [export_row(sku={"id": name, "description": name}) for name in "abc"]
    write_csv(google.exports / "a.csv", skus[:2])
    write_csv(google.exports / "b.csv", skus[1:])
    assert google.refresh() == 5
    assert google.said == [("overlapping_file", "a.csv")]


def test_a_file_of_one_project_beside_that_of_all_counts_once(focus: World) -> None:
    focus.exports.mkdir()
    of_all = [
        focus_row(ChargePeriodStart=f"2026-11-{day:02}T00:00:00Z", BilledCost="10", SubAccountId=project)
        for day in range(1, 11)
        for project in ("one", "two")
    ]
    aged(write_focus_csv(focus.exports / "one.csv", of_all[::2]), 1)
    aged(write_focus_csv(focus.exports / "all.csv", of_all), 2)
    assert focus.refresh() == 200
    assert focus.said == [("repeated_file", "one.csv")]


def test_the_standard_export_beside_the_detailed_one_counts_once(google: World) -> None:
    google.exports.mkdir()
    detailed = export_row(resource={"name": "vm-1", "global_name": "//vm-1"})
    standard = {name: value for name, value in export_row().items() if name not in ("tags", "system_labels")}
    aged(write_json_lines(google.exports / "detailed.jsonl", [detailed]), 2)
    aged(write_json_lines(google.exports / "standard.jsonl", [standard]), 1)
    assert google.refresh() == Decimal("1.25")
    assert google.said == [("repeated_file", "standard.jsonl")]


AWS = (
    "data/BILLING_PERIOD=2026-11/2026-11-{day}T05:12:33.123Z-0b1c2d3e-0000-4000-8000-0123456789{day}/"
    "x-0000{part}.csv"
)
AZURE = "daily/20261101-20261130/0b1c2d3e-0000-4000-8000-0123456789{day}/part_{part}_0001.csv"
AZURE_TIMED = (
    "daily/20261101-20261130/202611{day}0512/0b1c2d3e-0000-4000-8000-0123456789{day}/part_{part}_0001.csv"
)


def run(focus: World, layout: str, day: int, *, parts: Sequence[Sequence[int]] | None = None) -> None:
    """Write one run of an export that writes the month anew each time; every amount was restated since."""
    first, second = parts or (range(1, day - 4), range(day - 4, day + 1))
    for part, days in enumerate((first, second), 1):
        path = focus.exports / layout.format(day=day, part=part)
        aged(focus_days(path, days, dict.fromkeys(days, str(day))), 24 * (28 - day))


@pytest.mark.slow
@pytest.mark.parametrize("layout", [AWS, AZURE, AZURE_TIMED])
def test_of_the_runs_of_an_export_the_newest_counts_and_older_ones_are_not_even_read(
    focus: World, layout: str
) -> None:
    for day in (23, 24):
        run(focus, layout, day)
    assert focus.refresh(Decimal(24 * 24)) == 24 * 24
    assert focus.said == []
    assert len(focus.seen) == 2
    run(focus, layout, 25)
    assert focus.refresh(Decimal(25 * 25)) == 25 * 25
    shutil.rmtree((focus.exports / layout.format(day=25, part=1)).parent)
    assert focus.refresh(Decimal(25 * 25)) == 24 * 24


@pytest.mark.slow
def test_a_run_that_misses_a_file_of_its_manifest_waits_until_it_has_arrived(focus: World) -> None:
    run(focus, AZURE, 23)
    run(focus, AZURE, 24)
    late = focus.exports / AZURE.format(day=24, part=2)
    blobs = [{"blobName": f"export/{late.parent.name}/part_{part}_0001.csv"} for part in (1, 2)]
    (late.parent / "manifest.json").write_text(f'{{"blobs": {str(blobs).replace(chr(39), chr(34))}}}')
    away = shutil.move(late, focus.folder / "away")
    assert focus.refresh() == 23 * 23
    shutil.move(away, late)
    assert focus.refresh(Decimal(24 * 24)) == 24 * 24


@pytest.mark.slow
def test_a_run_that_cannot_be_read_leaves_the_one_before_in_place(focus: World) -> None:
    run(focus, AWS, 23)
    assert focus.refresh() == 23 * 23
    run(focus, AWS, 24)
    broken = focus.exports / AWS.format(day=24, part=2)
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    assert focus.refresh() == 23 * 23
    broken.write_bytes(whole)
    assert focus.refresh(Decimal(24 * 24)) == 24 * 24


def test_pieces_of_one_export_all_count_and_the_same_in_one_file_does_not_count_again(focus: World) -> None:
    for part, days in enumerate((range(1, 9), range(9, 21)), 1):
        aged(focus_days(focus.exports / f"x-0000{part}.csv", days), 9)
    assert focus.refresh() == 200
    aged(focus_days(focus.exports / "whole.csv", range(1, 21)), 8)
    assert focus.refresh(Decimal(200)) == 200
    assert focus.said == [("repeated_file", "whole.csv")]


names = st.sampled_from(["a.csv", "b.csv", "c.csv.gz", "d.parquet", "deep/e.csv"])
steps = st.lists(st.tuples(names, st.none() | st.integers(1, 9)), min_size=1, max_size=7)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(steps=steps, seed=st.integers(0, 1000))
def test_whatever_month_to_date_exports_come_and_go_the_longest_counts_alone(
    steps: list[tuple[str, int | None]], seed: int
) -> None:
    """A step writes an export of the month up to a day, or deletes one; then all is read."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), focus_source, RetractionRules(largest_share=1.0))
        focus_days(world.exports / "always.csv", [1])
        there = {"always.csv": 1}
        try:
            for name, last in steps:
                path = world.exports / name
                if last is None:
                    path.unlink(missing_ok=True)
                    there.pop(name, None)
                else:
                    focus_days(path, range(1, last + 1))
                    there[name] = last
                if chance.random() < 0.3:
                    world.restart()
                if chance.random() < 0.7:
                    assert world.refresh() == 10 * max(there.values())
            assert world.refresh() == 10 * max(there.values())
            assert (world.refresh(), world.seen) == (10 * max(there.values()), [])
        finally:
            world.ledger.close()


@pytest.mark.slow
def test_what_a_later_dump_replaces_is_neither_counted_again_nor_restated(google: World) -> None:
    for last in (10, 11, 12):
        google_days(google.exports / f"dump-{last}.jsonl", range(1, last + 1))
        google.refresh()
    with google.ledger.reading() as connection:
        assert connection.execute("SELECT coalesce(sum(usd_total), 0) FROM restated").fetchall() == [
            (Decimal(0),)
        ]
        totals = connection.execute("SELECT sum(billed_usd_total) FROM series").fetchall()
    assert totals == [(Decimal("12.5") * 12,)]


def test_a_renamed_file_is_read_and_changes_nothing(google: World) -> None:
    path = google_days(google.exports / "a.jsonl", range(1, 11))
    assert google.refresh() == 100
    path.rename(google.exports / "b.jsonl")
    assert google.refresh(Decimal(100)) == 100
    assert google.said == []
    with google.ledger.reading() as connection:
        assert connection.execute("SELECT coalesce(sum(usd_total), 0) FROM restated").fetchall() == [
            (Decimal(0),)
        ]


def test_manifests_next_to_the_files_are_no_files_of_a_bill(focus: World) -> None:
    focus_days(focus.exports / "x-00001.csv", range(1, 11))
    for name in ("manifest.json", "export-Manifest.json"):
        (focus.exports / name).write_text("{}")
    assert focus.refresh() == 100
    assert [Path(change.partition).name for change in focus.seen] == ["x-00001.csv"]
