"""`spend-exporter explain`: the same alone and beside a running exporter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.cli.main import main
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import charge, put
from tests.support.served_ledger import ledger_config, served


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return ledger_config(tmp_path)


def explain(config: Path, *more: str) -> int:
    return main(["explain", "--config", str(config), *more])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_running_exporter_gives_the_answer_that_the_ledger_gives(
    config: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "--from",
        "2026-11-05",
        "--to",
        "2026-11-12",
        "--compare",
        "week",
        "--format",
        form,
        "--top",
        "2",
    ]
    assert explain(config, *asked) == 0
    alone = capsys.readouterr().out
    with served(config):
        assert explain(config, *asked) == 0
    assert capsys.readouterr().out == alone
    assert "from 2026-11-05 to before 2026-11-12" in alone or json.loads(alone)["from"] == "2026-11-05"


@pytest.mark.slow
def test_a_day_without_cost_is_trouble(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert explain(config, "--day", "2020-01-01") == 1
    assert "there is no such cost from 2019-12-31 to before 2020-01-02" in caplog.text


def test_a_wrong_day_is_wrong_usage(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "--day", "someday") == 2
    assert "--day: 'someday' is no time; write now" in capsys.readouterr().err


@pytest.mark.slow
def test_names_of_the_bill_cannot_move_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(tmp_path / "spend.duckdb")
    at = datetime(2026, 11, 10, 18, tzinfo=UTC)
    put(ledger, tmp_path, "all", charge("12", charge_period_start=at, project_id="a\x1b[2Jb"))
    ledger.close()
    path = tmp_path / "config.yml"
    gcp = {"billing_export": {"files": [str(tmp_path / "none/*.csv")]}}
    path.write_text(json.dumps({"ledger": str(tmp_path / "spend.duckdb"), "gcp": gcp}))
    assert explain(path, "--day", "2026-11-10") == 0
    shown = capsys.readouterr().out
    assert "Compute Engine +$12: N2 Core in a?[2Jb, new" in shown
    assert "\x1b" not in shown
