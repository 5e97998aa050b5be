"""A bill that begins within the month, read by the real program: what it shows is marked, everywhere."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.main import main
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from tests.support.exposed import Samples, samples, until
from tests.support.running import running

pytestmark = pytest.mark.integration

BEGINS = datetime(2026, 11, 21, 8, tzinfo=UTC)
"""Midnight in Pacific time."""
NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
BUDGETS = [
    {"name": "everything", "period": "month", "limit_usd": 60_000},
    {"name": "the week", "period": "week", "limit_usd": 16_000},
]


def config_file(folder: Path) -> Path:
    path = folder / "spend.yml"
    export = {"files": [str(folder / "export" / "*.parquet")]}
    document = {
        "listen": "127.0.0.1:0",
        "ledger": str(folder / "spend.duckdb"),
        "gcp": {"billing_export": export},
        "budgets": BUDGETS,
    }
    path.write_text(json.dumps(document))
    return path


def write_bill(folder: Path, begins: datetime, now: datetime) -> Path:
    (folder / "export").mkdir()
    world = World.ending_at(now, past=now - begins, incident_lasts=timedelta(0))
    write_export(world, folder / "export", now)
    return config_file(folder)


def exposed(config: Path, *options: str) -> Samples:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out):
        assert main(["snapshot", "--config", str(config), "--log-level", "error", *options]) == 0
    out.flush()
    return samples(out.buffer.getvalue().decode())  # type: ignore[attr-defined]


def value(found: Samples, name: str, **labels: str) -> float:
    [only] = {number for each, number in found[name].items() if labels.items() <= dict(each).items()}
    return only


@pytest.fixture(scope="module")
def first_month(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    config = write_bill(tmp_path_factory.mktemp("first-month"), BEGINS, NOW)
    return exposed(config, "--as-of", f"{NOW:%Y-%m-%dT%H:00:00Z}")


def test_the_first_hour_is_that_of_the_bill_and_the_month_is_partial(first_month: Samples) -> None:
    assert set(first_month["spend_billed_since_timestamp_seconds"].values()) == {BEGINS.timestamp()}
    partial = {
        dict(labels)["period"]: number for labels, number in first_month["spend_period_partial"].items()
    }
    assert partial == {"today": 0, "yesterday": 0, "month_to_date": 1, "last_month": 1}
    assert first_month["spend_month_to_date_usd"]
    assert not first_month["spend_last_month_usd"]


def test_the_month_of_a_budget_is_partial_and_its_week_is_not(first_month: Samples) -> None:
    assert value(first_month, "spend_budget_partial", budget="everything") == 1
    assert value(first_month, "spend_budget_partial", budget="the week") == 0
    used = value(first_month, "spend_budget_used_usd", budget="everything")
    forecast = value(first_month, "spend_budget_forecast_usd", budget="everything")
    days = {"so far": (NOW - BEGINS) / timedelta(days=1), "to the end": 10.0}
    assert forecast / used == pytest.approx(days["to the end"] / days["so far"], rel=0.35)


def test_in_the_next_month_only_the_last_one_is_partial(tmp_path: Path) -> None:
    config = write_bill(tmp_path, BEGINS, datetime(2026, 12, 2, 18, tzinfo=UTC))
    found = exposed(config, "--as-of", "2026-12-02T18:00:00Z")
    assert value(found, "spend_period_partial", period="month_to_date") == 0
    assert value(found, "spend_period_partial", period="last_month") == 1
    assert value(found, "spend_budget_partial", budget="everything") == 0


@dataclass(frozen=True)
class Served:
    config: Path
    begins: datetime
    summary: dict[str, Any]
    page: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A bill of the last three days, whatever the date: last month is never whole."""
    folder = tmp_path_factory.mktemp("served")
    now = datetime.now(UTC)
    begins = (now - timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    config = write_bill(folder, begins, now)
    with running(folder, "serve", "--config", str(config)) as exporter:
        until(lambda: exporter.get("/readyz")[0] == 200, "a first snapshot")
        summary = json.loads(exporter.get("/api/v1/summary")[1])
        page = exporter.get("/")[1]
    return Served(config, begins, summary, page)


def test_the_summary_and_the_page_say_what_the_bill_lacks(served: Served) -> None:
    assert served.summary["last_month"]["partial"] is True
    assert served.summary["yesterday"]["partial"] is False
    [begin] = {each["billed_since"] for each in served.summary["bills"]}
    assert datetime.fromisoformat(begin) - served.begins <= timedelta(hours=1)
    assert served.summary["last_month"]["covered_from"] == begin
    assert served.page.count("costs before are not known.") == len(served.summary["bills"])
    month = served.summary["month"]
    assert ("partial: complete from" in served.page) == (
        month["partial"] or served.summary["last_month"]["billed_usd"] is not None
    )


def test_check_says_the_same_and_finds_no_trouble(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(served.config)]) == 0
    text = capsys.readouterr().out
    assert text.count("costs before are not known. So ") == len(served.summary["bills"])
    assert ("this month is partial" in text) == served.summary["month"]["partial"]
    assert ("everything (month, complete from" in text) == served.summary["month"]["partial"]
