"""`backtest`: every hour of the judged days, with finals that an independent sum over the export has."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from tests.cli.commands.test_snapshot import run

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AS_JSON = ("backtest", "--days", "2", "--format", "json")
KEYS = {"day", "hour", "nowcast_usd", "final_so_far_usd", "day_forecast_usd", "day_final_usd"}


def write_world(folder: Path, days: int) -> Path:
    export = folder / "export"
    export.mkdir()
    world = World.ending_at(NOW, seed=4, past=timedelta(days=days), incident_lasts=timedelta(0))
    write_export(world, export, NOW)
    config = folder / "config.yml"
    config.write_text(
        json.dumps(
            {
                "ledger": str(folder / "spend.duckdb"),
                "gcp": {"billing_export": {"files": [f"{export}/*.parquet"]}},
            }
        )
    )
    return config


def finals(export: Path) -> dict[str, float]:
    """Net cost by Pacific day without tax and corrections, summed by SQL over the export itself."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/Los_Angeles'")
        rows = connection.execute(
            f"""SELECT usage_start_time::DATE::VARCHAR, sum(
                  (CASE WHEN cost_type = 'regular' AND adjustment_info.type IS NULL THEN cost ELSE 0 END
                    + coalesce(list_sum(list_transform(credits, lambda credit: credit.amount)), 0))
                  / currency_conversion_rate)
                FROM read_parquet('{export}/*.parquet') GROUP BY 1"""
        ).fetchall()
    return dict(rows)


@dataclass(frozen=True)
class Backtested:
    """A company's export, the ledger that a first backtest filled from it, and what that one printed."""

    config: Path
    printed: str

    @property
    def export(self) -> Path:
        return self.config.parent / "export"

    @property
    def picture(self) -> Path:
        return self.config.parent / "backtest.png"


@pytest.fixture(scope="module")
def backtested(tmp_path_factory: pytest.TempPathFactory) -> Backtested:
    """To be left as it is by the tests."""
    config = write_world(tmp_path_factory.mktemp("company"), 18)
    picture = str(config.parent / "backtest.png")
    code, text, told = run(*AS_JSON, "--config", str(config), "--plot", picture)
    assert code == 0, told
    return Backtested(config, text)


@pytest.mark.slow
def test_rows_are_whole_days_whose_finals_are_those_of_the_export(backtested: Backtested) -> None:
    document = json.loads(backtested.printed)
    rows = document["days"]
    errors = document["errors"]["gcp"]
    assert [each["hour"] for each in errors["by_hour"]] == list(range(24))
    assert errors["by_hour"][20].keys() == {"hour", "mean_size", "bias", "plain_mean_size", "plain_bias"}
    assert all(row.keys() == KEYS for row in rows)
    days = sorted({row["day"] for row in rows})
    assert len(days) == 2
    expected = finals(backtested.export)
    for day in days:
        of_day = [row for row in rows if row["day"] == day]
        assert [row["hour"] for row in of_day] == list(range(24))
        assert len({row["day_final_usd"] for row in of_day}) == 1
        assert of_day[0]["day_final_usd"] == pytest.approx(expected[day], rel=1e-6)
        at_eight = of_day[20]
        assert at_eight["day_forecast_usd"] == pytest.approx(expected[day], rel=0.1)
        assert at_eight["nowcast_usd"] == pytest.approx(at_eight["final_so_far_usd"], rel=0.1)
    picture = backtested.picture.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(picture[16:20]) == 1280


@pytest.mark.slow
def test_people_get_a_table_by_day_and_by_hour(backtested: Backtested) -> None:
    code, text, _ = run("backtest", "--config", str(backtested.config), "--days", "1")
    assert code == 0
    assert "gcp: 1 day" in text
    assert "20:00" in text
    assert "plain: size" in text


@pytest.mark.slow
def test_too_little_history_is_reported_with_exit_code_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, text, _ = run("backtest", "--config", str(write_world(tmp_path, 6)), "--format", "json")
    assert code == 1
    assert json.loads(text) == {"days": []}
    assert "too little history" in caplog.text


@pytest.mark.slow
def test_a_source_that_fails_is_reported_and_what_the_ledger_has_is_printed_with_exit_code_1(
    backtested: Backtested, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = shutil.copy(backtested.config.parent / "spend.duckdb", tmp_path)
    gcp = {"billing_export": {"files": [f"{tmp_path}/no-such-folder/*.parquet"]}}
    config = tmp_path / "config.yml"
    config.write_text(json.dumps({"ledger": str(ledger), "gcp": gcp}))
    code, after, _ = run(*AS_JSON, "--config", str(config))
    assert code == 1
    assert "gcp.billing_export.files" in caplog.text
    assert json.loads(after) == json.loads(backtested.printed)


@pytest.mark.parametrize(
    ("plot", "told"),
    [("picture.png", "pip install 'spend-exporter[plot]'"), ("nowhere/picture.png", "the folder must exist")],
)
def test_a_picture_that_cannot_be_drawn_is_reported_at_once_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plot: str, told: str
) -> None:
    if "nowhere" not in plot:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    config = tmp_path / "config.yml"
    code, text, error = run("backtest", "--config", str(config), "--plot", str(tmp_path / plot))
    assert (code, text) == (2, "")
    assert told in error


@pytest.mark.parametrize("days", ["0", "-1", "many"])
def test_a_number_of_days_that_is_none_is_wrong_usage(tmp_path: Path, days: str) -> None:
    config = tmp_path / "config.yml"
    code, _, told = run("backtest", "--config", str(config), "--days", days)
    assert code == 2
    assert "is not a whole number above 0" in told
