"""A running `serve` takes a changed configuration over whole or not at all, and refuses no scrape."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exposed import POLL_SECONDS, by, until
from tests.support.focus_rows import focus_row, write_focus_csv
from tests.support.running import Running, serving

pytestmark = pytest.mark.slow


def write(config: Path, *files: str, **keys: object) -> None:
    """Put a configuration over such files in the place of the one before, at once."""
    text = json.dumps(
        {
            "ledger": str(config.parent / "spend.duckdb"),
            "focus": {"files": list(files), "update_interval_minutes": 0.005},
            **keys,
        }
    )
    new = config.with_suffix(".new")
    new.write_text(text)
    new.replace(config)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, usd in (("a", "2"), ("b", "3")):
        write_focus_csv(tmp_path / f"{name}.csv", [focus_row(BilledCost=usd, SkuId=name)])
    path = tmp_path / "config.yml"
    write(path, "a.csv")
    return path


@pytest.fixture
def program(config: Path) -> Iterator[Running]:
    with serving(config) as running:
        until(lambda: billed(running) == 2, "the first bill", pause_seconds=POLL_SECONDS)
        yield running


def billed(program: Running) -> float:
    """A gauge: counters that begin are exposed as zero at first."""
    return by(program.values("spend_invoice_month_cost")).get((), 0.0)


def successful(program: Running) -> float | None:
    """Whether the last file was taken over; None before the first figures of a program that started again."""
    return program.values("spend_config_last_reload_successful").get(())


def taken_over_at(program: Running) -> float:
    """When a file was last taken over; 0 before the first figures."""
    return program.values("spend_config_last_reload_success_timestamp_seconds").get((), 0.0)


def test_a_changed_file_is_taken_over_by_the_same_process_and_no_scrape_is_refused(
    config: Path, program: Running
) -> None:
    ended = threading.Event()
    failures: list[Exception] = []
    scrapes = 0

    def scrape() -> None:
        nonlocal scrapes
        while not ended.is_set():
            try:
                assert program.get("/metrics")[0] == 200
            except (OSError, AssertionError) as error:
                failures.append(error)
            scrapes += 1

    scraping = threading.Thread(target=scrape)
    scraping.start()
    before = taken_over_at(program)
    write(config, "a.csv", "b.csv")
    until(lambda: billed(program) == 5, "the second file", pause_seconds=POLL_SECONDS)
    ended.set()
    scraping.join()

    assert failures == []
    assert scrapes > 3
    assert program.process.poll() is None
    assert taken_over_at(program) > before
    assert "is taken over: starting again with it" in program.log()
    assert program.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("logged", ["is taken over", "stopping"])
def test_a_signal_while_a_file_is_taken_over_ends_the_program(
    config: Path, program: Running, logged: str
) -> None:
    write(config, "a.csv", "b.csv")
    until(lambda: logged in program.log(), logged)
    assert program.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"listne": "127.0.0.1:1"}, "did you mean listen"),
        ({"listen": "127.0.0.1:1"}, "listen: cannot be changed while the exporter runs"),
        ({"web_config_file": "nowhere.yml"}, "nowhere.yml"),
        ({"focus": {"files": []}}, "focus.files"),
        ({"focus": None}, "no source is given"),
    ],
)
def test_a_wrong_file_changes_nothing_and_is_told_until_it_is_mended(
    config: Path, program: Running, keys: dict[str, object], reason: str
) -> None:
    before = taken_over_at(program)
    write(config, "a.csv", "b.csv", **keys)
    until(lambda: successful(program) == 0, "the refusal", pause_seconds=POLL_SECONDS)
    assert reason in program.log()
    assert billed(program) == 2
    write(config, "a.csv")
    until(lambda: successful(program) == 1, "the mended file", pause_seconds=POLL_SECONDS)
    assert billed(program) == 2
    # It is the one that runs: nothing starts again.
    assert taken_over_at(program) == before


def test_sighup_takes_the_file_over_though_it_has_not_changed(program: Running) -> None:
    before = taken_over_at(program)
    os.kill(program.process.pid, signal.SIGHUP)
    until(
        lambda: taken_over_at(program) > before,
        "the same configuration once more",
        pause_seconds=POLL_SECONDS,
    )
    assert billed(program) == 2
    assert program.process.poll() is None
