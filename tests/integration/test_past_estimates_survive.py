"""What the nowcast said is in the ledger of a `serve` that was killed, and the next leaves it as it was."""

from __future__ import annotations

import signal
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.past_estimates import PastEstimate, estimates_since
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import ESTIMATION_SECONDS, POLL_SECONDS, by, until
from tests.support.running import Running, serving, write_config

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)


def write_bill(path: Path, usd: float) -> None:
    """Five days of so many dollars an hour, each known three hours later."""
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - ago * HOUR for ago in range(5, 125)]
    write_json_lines(
        path,
        [
            export_row(
                cost=usd,
                # A copy of rows that are in another file would be refused.
                project={"id": path.stem},
                usage_start_time=export_time(hour),
                usage_end_time=export_time(hour + HOUR),
                export_time=export_time(hour + 3 * HOUR),
            )
            for hour in hours
        ],
    )


def forecast(process: Running) -> float | None:
    return by(process.values("spend_forecast_day_usd")).get(())


def is_newer(process: Running, before: float | None) -> bool:
    return forecast(process) not in (None, before)


def killed_after(config: Path, export: Path, name: str, usd: float) -> None:
    """Kill `serve` once it has said something, and has shown something newer after that."""
    with serving(config) as process:
        until(lambda: forecast(process), "a forecast", ESTIMATION_SECONDS, POLL_SECONDS)
        until(
            lambda: process.get("/readyz")[0] == 200, "a refresh that has ended", pause_seconds=POLL_SECONDS
        )
        for part in range(2):
            before = forecast(process)
            write_bill(export / f"{name}-{part}.jsonl", usd)
            until(partial(is_newer, process, before), "a newer forecast", ESTIMATION_SECONDS, POLL_SECONDS)
        process.end(signal.SIGKILL)


def kept(path: Path) -> list[PastEstimate]:
    ledger = Ledger(path)
    with ledger.view([]) as view:
        found = estimates_since(view, "gcp", date(2020, 1, 1))
    ledger.close()
    return found


def test_what_was_said_survives_a_kill_and_the_next_process(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    write_bill(export / "first.jsonl", 2.0)
    config = write_config(tmp_path, f"{export}/*.jsonl", interval_seconds=1)
    killed_after(config, export, "second", 5.0)
    first = kept(tmp_path / "spend.duckdb")
    assert len({each.hour for each in first}) == len(first) > 0
    killed_after(config, export, "third", 9.0)
    assert kept(tmp_path / "spend.duckdb")[: len(first)] == first
