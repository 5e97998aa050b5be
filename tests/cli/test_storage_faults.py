"""The running program when its ledger is damaged or removed, a disk is full, or its clock jumps."""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.test_rollover import AUTUMN, Clock, dollar_an_hour, figures, get
from tests.cli.test_rollover import serving as serving_by
from tests.cli.test_rollover import write_config as configured
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import by, samples, until
from tests.support.running import Running, serving, write_config

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOURS = 48
RIGHT_WITHIN_SECONDS = 20.0
LARGEST_FILE_BYTES = 100_000
WHERE_BUSY_SECONDS = 60.0
"""The machine that tests may be busy: the limit itself is measured on an idle one."""


def write_bill(
    folder: Path, name: str = "a", hours: int = HOURS, cents: Callable[[], float] = lambda: 0.0
) -> None:
    """Write a dollar, and cents, for each of the last hours, for a SKU of that name."""
    ends = [NOW - number * timedelta(hours=1) for number in range(hours)]
    write_json_lines(
        folder / f"{name}.jsonl",
        [
            export_row(
                cost=1.0 + cents(),
                sku={"id": name, "description": name},
                usage_start_time=export_time(end - timedelta(hours=1)),
                usage_end_time=export_time(end),
                export_time=export_time(end),
            )
            for end in ends
        ],
    )


def billed(exporter: Running) -> float:
    return by(exporter.values("spend_billed_usd_total")).get((), 0.0)


def spent(exporter: Running) -> float:
    """Dollars of this month and the last; a new SKU has them at once, and its counter begins later."""
    windows = exporter.scrape("spend_month_to_date_usd", "spend_last_month_usd")
    return sum(value for values in windows.values() for value in values.values())


def storage(exporter: Running) -> dict[str, float]:
    shown = exporter.scrape("spend_disk_full", "spend_ledger_damaged_timestamp_seconds")
    return {name: value for name, values in shown.items() for value in values.values()}


def state_of(tmp_path: Path) -> tuple[Path, Path]:
    """A configuration, and the ledger in a folder of its own."""
    ledger = tmp_path / "state" / "spend.duckdb"
    return write_config(tmp_path, str(tmp_path / "*.jsonl"), ledger=str(ledger)), ledger


def flip_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(12_300, len(content), 5_000):
        content[place] ^= 0x55
    path.write_bytes(bytes(content))


def test_a_ledger_damaged_between_two_runs_is_replaced_and_its_counters_go_on(tmp_path: Path) -> None:
    config, ledger = state_of(tmp_path)
    write_bill(tmp_path)
    write_bill(tmp_path, "gone", hours=2)
    with serving(config) as exporter:
        until(lambda: billed(exporter) == HOURS + 2, "the bill")
        assert exporter.end() == 0
    flip_bytes(ledger)
    (tmp_path / "gone.jsonl").unlink()
    with serving(config) as exporter:
        until(lambda: billed(exporter) == HOURS + 2, "counters that go on")
        assert storage(exporter)["spend_ledger_damaged_timestamp_seconds"] > NOW.timestamp()
        status, text = exporter.get("/readyz")
        assert (status, "Its counters go on" in text, "past estimates" in text) == (200, True, True)
        assert "Traceback" not in exporter.log()
    assert len(list(ledger.parent.glob("spend.duckdb.damaged-*"))) == 1


@pytest.mark.parametrize("harm", ["folder removed", "overwritten"])
def test_a_ledger_lost_while_serving_is_replaced_and_no_figure_falls(tmp_path: Path, harm: str) -> None:
    config, ledger = state_of(tmp_path)
    write_bill(tmp_path)
    with serving(config) as exporter:
        until(lambda: billed(exporter) == HOURS, "the bill")
        if harm == "folder removed":
            shutil.rmtree(ledger.parent)
        else:
            ledger.write_text("hello\n" * 99)
        lowest = [spent(exporter)]

        def replaced() -> bool:
            lowest.append(spent(exporter))
            return "spend_ledger_damaged_timestamp_seconds" in storage(exporter)

        until(replaced, "a new ledger", WHERE_BUSY_SECONDS)
        write_bill(tmp_path, "b", hours=3)
        until(lambda: spent(exporter) == HOURS + 3, "what came after it")
        assert min(lowest) == HOURS
        assert exporter.log().count("a new one is filled from the sources") == 1
        assert "Traceback" not in exporter.log()
        assert exporter.end() == 0
    assert ledger.exists()


def test_a_full_disk_is_named_keeps_the_figures_and_heals(tmp_path: Path) -> None:
    config, _ = state_of(tmp_path)
    write_bill(tmp_path)
    with serving(config) as exporter:
        until(lambda: billed(exporter) == HOURS, "the bill")
        process = exporter.process.pid
        # A file that may not grow fails as one on a full disk does; what scrapes show is smaller than that.
        resource.prlimit(process, resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, resource.RLIM_INFINITY))
        write_bill(tmp_path, "b", hours=3_000, cents=random.Random(3).random)
        until(lambda: storage(exporter)["spend_disk_full"] == 1, "a full disk", WHERE_BUSY_SECONDS)
        errors = by(exporter.values("spend_source_errors_total"), "reason")
        assert ("unreadable_file",) not in errors
        assert billed(exporter) == HOURS
        assert "a disk is full" in exporter.get("/readyz")[1]
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: spent(exporter) > HOURS + 3, "what came meanwhile", WHERE_BUSY_SECONDS)
        until(lambda: storage(exporter)["spend_disk_full"] == 0, "no full disk", WHERE_BUSY_SECONDS)


def test_a_clock_that_jumps_a_month_ahead_and_back_is_followed_with_a_stale_bill(tmp_path: Path) -> None:
    """The bill ends on the last of October in Pacific time and does not grow any more."""
    clock = Clock(datetime(2026, 11, 1, 6, 30, tzinfo=UTC))
    dollar_an_hour(tmp_path / "a.jsonl", AUTUMN, clock.now.replace(minute=0))
    with serving_by(configured(tmp_path), clock) as address:

        def shows(**expected: float) -> bool:
            return figures(samples(get(f"{address}/metrics"))) == expected

        def total() -> float:
            name = "spend_billed_usd_total"
            return by(samples(get(f"{address}/metrics"), name)[name])[()]

        october = {"today": 23.0, "yesterday": 24.0, "month_to_date": 47.0}
        until(lambda: shows(**october), "October")
        counted = total()
        for now, expected in (
            ("2026-11-01T07:00:01Z", {"yesterday": 23.0}),
            ("2026-12-01T12:00:00Z", {}),
            ("2026-11-01T06:30:00Z", october),
            ("2026-10-01T06:30:00Z", {}),
            ("2026-11-01T06:30:00Z", october),
        ):
            clock.now = datetime.fromisoformat(now)
            until(lambda expected=expected: shows(**expected), now, RIGHT_WITHIN_SECONDS)  # type: ignore[misc]
            assert total() == counted
