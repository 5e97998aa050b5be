"""The whole program around midnight: days, months, and days of 23 and 25 hours, by a clock that tests set."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from exporter.cli.commands.serve import serve
from exporter.cli.main import main
from exporter.config.model import load
from tests.support.charge_rows import charge
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import DEADLINE_SECONDS, Samples, by, samples, until
from tests.support.history_world import charges, keep

HOUR = timedelta(hours=1)
AUTUMN = datetime(2026, 10, 30, 7, tzinfo=UTC)
"""A Pacific midnight two days before the day of 25 hours, which is also the first of a month."""
SPRING = datetime(2026, 3, 7, 8, tzinfo=UTC)
"""A Pacific midnight one day before the day of 23 hours."""
BUDGETS = [
    {"name": period, "period": period, "limit_usd": 1000, "match": {"providers": ["gcp"]}}
    for period in ("day", "month")
]


slow = partial(pytest.param, marks=pytest.mark.slow)


def dollar_an_hour(path: Path, begin: datetime, until_hour: datetime) -> None:
    """Write a bill of one dollar for each whole hour."""
    hours = [begin + number * HOUR for number in range((until_hour - begin) // HOUR)]
    write_json_lines(
        path,
        [
            export_row(
                cost=1.0,
                usage_start_time=export_time(hour),
                usage_end_time=export_time(hour + HOUR),
                export_time=export_time(hour + HOUR),
            )
            for hour in hours
        ],
    )


def write_config(folder: Path, **keys: Any) -> Path:
    path = folder / "config.yml"
    gcp = {"billing_export": {"files": [str(folder / "*.jsonl")]}, "update_interval_minutes": 0.2 / 60}
    path.write_text(
        json.dumps({"ledger": str(folder / "spend.duckdb"), "gcp": gcp, "budgets": BUDGETS, **keys})
    )
    return path


def figures(found: Samples) -> dict[str, float]:
    """Dollars of each window that has any."""
    named = {name: by(found[f"spend_{name}_usd"]) for name in ("today", "yesterday", "month_to_date")}
    return {name: values[()] for name, values in named.items() if values}


def of_budgets(found: Samples, figure: str) -> dict[str, float]:
    return {name: value for (name,), value in by(found[f"spend_budget_{figure}"], "budget").items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "now", "day_begins", "today", "yesterday", "month"),
    [
        slow(AUTUMN, "2026-11-01T06:30Z", "2026-10-31T00:00-07:00", 23, 24, 47),
        slow(AUTUMN, "2026-11-01T08:30Z", "2026-11-01T00:00-07:00", 1, 24, 1),
        slow(AUTUMN, "2026-11-02T07:30Z", "2026-11-01T00:00-07:00", 24, 24, 24),
        (AUTUMN, "2026-11-02T09:30Z", "2026-11-02T00:00-08:00", 1, 25, 26),
        slow(SPRING, "2026-03-08T07:30Z", "2026-03-07T00:00-08:00", 23, None, 23),
        slow(SPRING, "2026-03-08T09:30Z", "2026-03-08T00:00-08:00", 1, 24, 25),
        slow(SPRING, "2026-03-09T06:30Z", "2026-03-08T00:00-08:00", 22, 24, 46),
        (SPRING, "2026-03-09T08:30Z", "2026-03-09T00:00-07:00", 1, 23, 48),
    ],
)
def test_a_snapshot_of_now_has_the_windows_and_budget_periods_of_the_pacific_day(
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    begin: datetime,
    now: str,
    day_begins: str,
    today: float,
    yesterday: float | None,
    month: float,
) -> None:
    moment = datetime.fromisoformat(now)
    dollar_an_hour(tmp_path / "a.jsonl", begin, moment.replace(minute=0))
    with freeze_time(moment, tick=True):
        assert main(["snapshot", "--config", str(write_config(tmp_path))]) == 0
    found = samples(capfdbinary.readouterr().out)
    expected = {"today": today, "yesterday": yesterday, "month_to_date": month}
    assert figures(found) == {name: usd for name, usd in expected.items() if usd is not None}
    assert of_budgets(found, "billed_usd") == {"day": today, "month": month}
    starts = of_budgets(found, "period_start_timestamp_seconds")
    assert starts["day"] == datetime.fromisoformat(day_begins).timestamp()


LAST_OF_OCTOBER = "2026-11-01T06:59:59Z"
FIRST_OF_NOVEMBER = "2026-11-01T07:00:00Z"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "by_period", "first", "end"),
    [
        (LAST_OF_OCTOBER, "day", "2026-10-18", "2026-11-01"),
        (FIRST_OF_NOVEMBER, "day", "2026-10-19", "2026-11-02"),
        ("2026-11-02T07:59:59Z", "day", "2026-10-19", "2026-11-02"),
        ("2026-11-02T08:00:00Z", "day", "2026-10-20", "2026-11-03"),
        ("2026-03-08T07:59:59Z", "day", "2026-02-22", "2026-03-08"),
        ("2026-03-08T08:00:00Z", "day", "2026-02-23", "2026-03-09"),
        ("2026-03-09T06:59:59Z", "day", "2026-02-23", "2026-03-09"),
        ("2026-03-09T07:00:00Z", "day", "2026-02-24", "2026-03-10"),
        (LAST_OF_OCTOBER, "month", "2026-05-01", "2026-11-01"),
        (FIRST_OF_NOVEMBER, "month", "2026-06-01", "2026-11-02"),
        ("2026-11-02T07:59:59Z", "week", "2026-09-07", "2026-11-02"),
        ("2026-11-02T08:00:00Z", "week", "2026-09-14", "2026-11-03"),
    ],
)
def test_without_days_history_ends_with_the_pacific_day_of_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], now: str, by_period: str, first: str, end: str
) -> None:
    moment = datetime.fromisoformat(now)
    config = keep(tmp_path, [charge(charge_period_start=moment.replace(minute=0, second=0) - HOUR)])
    command = ["history", "--config", str(config), "--by", by_period, "--format", "json"]
    with pytest.MonkeyPatch.context() as environment, freeze_time(moment):
        environment.setenv("SPEND_TEST_KEY", "sk-test")
        assert main(command) == 0
    periods = json.loads(capsys.readouterr().out)["periods"]
    assert (periods[0]["from"], periods[-1]["to"]) == (first, end)


@pytest.mark.slow
@pytest.mark.parametrize(("now", "warned"), [("2026-02-06T07:00Z", True), ("2026-02-06T09:00Z", False)])
def test_backfill_warns_of_days_whose_bill_still_grows_by_now(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    warned: bool,
) -> None:
    monkeypatch.setenv("SPEND_TEST_KEY", "sk-test")
    config = keep(tmp_path, list(charges(date(2026, 2, 1), date(2026, 2, 4))))
    days = ["--from", "2026-02-01", "--to", "2026-02-03"]
    with freeze_time(now):
        assert main(["backfill", "--config", str(config), "--out", str(tmp_path / "out"), *days]) == 0
    assert ("usually still grow" in caplog.text) is warned


@pytest.mark.slow
@pytest.mark.parametrize(("now", "tried"), [("2026-12-11T07:00Z", True), ("2026-12-12T09:00Z", False)])
def test_check_tries_rules_on_the_days_before_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], now: str, tried: bool
) -> None:
    write_json_lines(tmp_path / "a.jsonl", [export_row()])
    config = write_config(tmp_path, cost_attribution={"all": {"services": ["Compute Engine"]}})
    with freeze_time("2026-11-10T20:00Z"):
        assert main(["snapshot", "--config", str(config)]) == 0
    capsys.readouterr()
    with freeze_time(now):
        assert main(["check", "--config", str(config), "--format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    [categories] = [each["detail"] for each in findings if each["what"] == "categories"]
    assert ("not tried" not in categories) is tried


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def serving(config: Path, clock: Clock) -> Iterator[str]:
    """Serve in this process by the clock; yields the base address."""
    stopping, addresses = threading.Event(), list[str]()
    thread = threading.Thread(
        target=serve,
        args=(load(config), ("127.0.0.1", 0), stopping, addresses.append),
        kwargs={"clock": clock},
    )
    thread.start()
    try:
        until(lambda: addresses or not thread.is_alive(), "an address")
        assert addresses
        yield addresses[0]
    finally:
        stopping.set()
        thread.join()


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=DEADLINE_SECONDS) as response:
        text: str = response.read().decode()
    return text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "midnight", "hours", "month"),
    [
        slow(AUTUMN, "2026-11-01T07:00Z", 24, None),
        (AUTUMN, "2026-11-02T08:00Z", 25, 25),
        slow(SPRING, "2026-03-08T08:00Z", 24, 24),
        slow(SPRING, "2026-03-09T07:00Z", 23, 47),
    ],
)
def test_everything_that_serve_shows_rolls_over_at_pacific_midnight(
    tmp_path: Path, begin: datetime, midnight: str, hours: float, month: float | None
) -> None:
    end_of_day = datetime.fromisoformat(midnight)
    clock = Clock(end_of_day - timedelta(minutes=1))
    dollar_an_hour(tmp_path / "a.jsonl", begin, end_of_day)
    history = {"jsonl": {"directory": str(tmp_path / "log"), "interval_minutes": 1}}
    with serving(write_config(tmp_path, history=history), clock) as address:

        def shown() -> dict[str, float]:
            return figures(samples(get(f"{address}/metrics")))

        until(lambda: shown().get("today") == hours, "the whole day's cost, a minute before its end")
        assert json.loads(get(f"{address}/api/v1/summary"))["time"] == f"{clock.now:%Y-%m-%dT%H:%M:%S.000Z}"
        until(lambda: log_lines(tmp_path / "log"), "a line in the log")
        clock.now = end_of_day
        expected = {"yesterday": hours} | ({} if month is None else {"month_to_date": month})
        until(lambda: shown() == expected, "the next day")
        page = get(f"{address}/")
        assert f'datetime="{clock.now:%Y-%m-%dT%H:%M:%S.000Z}"' in page
        assert "d ago" not in page, "its ages are by another clock"
        clock.now += timedelta(minutes=1)
        until(lambda: times_in_log(tmp_path)[-1] >= end_of_day, "a line of the next day in the log")
    last = log_lines(tmp_path / "log")[-1]
    assert times_in_log(tmp_path)[0] < end_of_day
    assert last["yesterday"]["billed_usd"] == hours


def log_lines(folder: Path) -> list[dict[str, Any]]:
    """Lines of the log of snapshots, the oldest first."""
    files = sorted(folder.glob("spend-*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def times_in_log(folder: Path) -> list[datetime]:
    return [datetime.fromisoformat(line["time"]) for line in log_lines(folder / "log")]
