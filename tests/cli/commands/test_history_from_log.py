"""`spend-exporter history --from-log`: the cost known at each billing day's end, from the log's files."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.main import main
from exporter.history.log import HistoryLog
from tests.metrics.test_summary import NOW, full_snapshot
from tests.support.history_world import PACIFIC

FIRST, END = date(2026, 10, 26), date(2026, 11, 2)
"""The Pacific day of November 1st has 25 hours."""
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEND_TEST_KEY", "sk-test")


def line(time: datetime, services: dict[tuple[str, str], Decimal], as_of: datetime | None = None) -> str:
    """Return a line of the log with the members that matter here."""
    shown = [
        {
            "provider": provider,
            "service_name": service,
            "billed_usd": float(usd) / 4,
            "estimated_usd": float(usd) * 3 / 4,
            "total_usd": float(usd),
        }
        for (provider, service), usd in services.items()
    ]
    whole = {"time": f"{time:%Y-%m-%dT%H:%M:%S.000Z}", "as_of": (as_of or time).isoformat()}
    return json.dumps({**whole, "by_service": shown}) + "\n"


def day_cost(day: date, service: str) -> Decimal:
    """Return what the log has of a whole day; to the billionth."""
    factor = {"Cloud Run": Decimal("1.000000001"), "Cloud SQL": Decimal("0.1"), "OpenAI API": Decimal(3)}
    return factor[service] * (day - date(2026, 10, 1)).days


def known_at(moment: datetime) -> dict[tuple[str, str], Decimal]:
    """Tell of a cost that first grows over the day, then is lowered in its last line."""
    found = {}
    services = [("gcp", "Cloud Run"), ("gcp", "Cloud SQL"), ("openai", "OpenAI API")]
    for provider, service in services:
        local = moment.astimezone(PACIFIC if provider == "gcp" else UTC)
        final = day_cost(local.date(), service)
        found[provider, service] = final if (local.hour, local.minute) == (23, 30) else final + local.hour
    return found


def write_log(folder: Path) -> None:
    """Write days from before FIRST to after END; all but the last two are compressed."""
    texts: dict[date, str] = defaultdict(str)
    moment = datetime(2026, 10, 18, 0, 0, tzinfo=UTC)
    while moment < datetime(2026, 11, 3, 12, tzinfo=UTC):
        texts[moment.date()] += line(moment, known_at(moment))
        moment += HALF_HOUR
    folder.mkdir()
    for day, text in texts.items():
        path = folder / f"spend-{day}.jsonl"
        if day < date(2026, 11, 2):
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    (folder / "mine.jsonl").write_text("not a file of the log\n")


def config_of(folder: Path, history: dict[str, Any] | None) -> Path:
    path = folder / "config.yml"
    gcp = {"billing_export": {"files": [str(folder / "export/*.csv")]}}
    llm = {"openai": {"admin_key_env": "SPEND_TEST_KEY"}}
    settings = {"ledger": str(folder / "none.duckdb"), "gcp": gcp, "llm": llm, "history": history}
    path.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_log(tmp_path / "history")
    return config_of(tmp_path, {"jsonl": {"directory": str(tmp_path / "history")}})


def answer(config: Path, *more: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    days = ["--from", FIRST.isoformat(), "--to", END.isoformat()]
    assert main(["history", "--from-log", "--config", str(config), *days, *more]) == code
    return capsys.readouterr().out


def document(config: Path, *more: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(config, "--format", "json", *more, capsys=capsys))
    return found


def cost(first: date, end: date, *services: str) -> Decimal:
    days = [first + timedelta(days=number) for number in range((end - first).days)]
    return sum((day_cost(day, service) for day in days for service in services), Decimal(0))


ALL = ("Cloud Run", "Cloud SQL", "OpenAI API")


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_every_period_is_the_sum_of_what_was_reported_at_each_billing_days_end(
    config: Path, by: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shown = document(config, "--by", by, capsys=capsys)
    assert len(shown["periods"]) == {"day": 7, "week": 1, "month": 2}[by]
    for period in shown["periods"]:
        first, end = date.fromisoformat(period["from"]), date.fromisoformat(period["to"])
        assert period["total_usd"] == float(cost(first, end, *ALL))
        assert period["groups"] == {service: float(cost(first, end, service)) for service in ALL}
    assert shown["logged"] == {
        "gcp": ["2026-10-26T07:00:00Z", "2026-11-02T07:30:00Z"],
        "openai": ["2026-10-26T00:00:00Z", "2026-11-01T23:30:00Z"],
    }
    assert not caplog.records


def test_providers_are_the_sums_of_their_services(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(config, "--group", "provider", capsys=capsys)
    assert {each["name"]: each["usd"] for each in shown["groups"]} == {
        "gcp": float(cost(FIRST, END, "Cloud Run", "Cloud SQL")),
        "openai": float(cost(FIRST, END, "OpenAI API")),
    }


def test_a_comparison_reads_the_days_before_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(config, "--compare", "--top", "1", capsys=capsys)
    assert shown["before"]["total_usd"] == float(cost(date(2026, 10, 19), FIRST, *ALL))
    assert [each["name"] for each in shown["groups"]] == ["OpenAI API", "other"]


@pytest.mark.slow
def test_the_table_csv_and_picture_are_those_of_the_ledgers_history(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "shown.png"
    text = answer(config, "--plot", str(picture), capsys=capsys)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert text.startswith("Cost as known at each day's end, usage from 2026-10-26 to before 2026-11-02\n")
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith("The last line of each day counts: billed and estimated cost.\n")
    rows = csv.DictReader(io.StringIO(answer(config, "--format", "csv", capsys=capsys)))
    assert sum(Decimal(row["usd"]) for row in rows) == cost(FIRST, END, *ALL)


def test_a_torn_line_is_reported_and_left_out(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    whole = document(config, "--to", "2026-11-03", capsys=capsys)
    path = tmp_path / "history" / "spend-2026-11-03.jsonl"
    count = len(path.read_text().splitlines())
    with path.open("a") as file:
        file.write(line(datetime(2026, 11, 3, 7, 45, tzinfo=UTC), {("gcp", "Cloud Run"): Decimal(9)})[:150])
    assert document(config, "--to", "2026-11-03", capsys=capsys) == whole
    assert f"line {count + 1} of {path} is incomplete" in caplog.text


def test_a_day_on_which_the_exporter_stopped_early_is_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history" / "spend-2026-10-28.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:40])))
    answer(config, capsys=capsys)
    assert "stops early on 1 day, so" in caplog.text
    assert "2026-10-28 (openai, 19:30 UTC)" in caplog.text


def test_estimates_that_stood_still_are_not_reported_of_a_later_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    as_of = datetime(2026, 10, 27, 12, tzinfo=UTC)
    for days in range(4):
        moment = as_of + timedelta(days=days, hours=11)
        text = line(moment, {("openai", "OpenAI API"): Decimal(5)}, as_of)
        (folder / f"spend-{moment.date()}.jsonl").write_text(text)
    shown = document(config_of(tmp_path, {"jsonl": {"directory": str(tmp_path / "history")}}), capsys=capsys)
    known = [period["from"] for period in shown["periods"] if period["total_usd"] is not None]
    assert known == ["2026-10-27", "2026-10-28"]


def test_what_serve_writes_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = HistoryLog(tmp_path / "history", keep=timedelta(days=400), interval=timedelta(minutes=15))
    log.keep(full_snapshot(), NOW)
    [path] = (tmp_path / "history").iterdir()
    expected = json.loads(path.read_text())["by_provider"]
    config = config_of(tmp_path, {"jsonl": {"directory": str(tmp_path / "history")}})
    days = ["--from", f"{NOW - timedelta(days=1):%Y-%m-%d}", "--to", f"{NOW + timedelta(days=2):%Y-%m-%d}"]
    shown = document(config, "--group", "provider", *days, capsys=capsys)
    found = {each["name"]: each["usd"] for each in shown["groups"]}
    assert found == {each["provider"]: each["total_usd"] for each in expected}
    assert found


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--group", "model"], "has no cost by model: use --by service or --by provider"),
        (["--by", "project"], "has no cost by project"),
        (["--where", "project:shop-*"], "without --where"),
        (["--refresh"], "--from-log does not read the ledger"),
        (["--ledger", ":memory:"], "--from-log does not read the ledger"),
    ],
)
def test_what_the_log_cannot_answer_is_wrong_usage(
    config: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "--from-log", "--config", str(config), *more]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("history", "code", "message"),
    [
        (None, 2, "history.jsonl: is not set"),
        (
            {"jsonl": {"directory": "/nowhere/at-all"}},
            1,
            "history.jsonl.directory: /nowhere/at-all has no log files",
        ),
    ],
)
def test_without_a_log_the_key_is_named(
    tmp_path: Path,
    history: dict[str, Any] | None,
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["history", "--from-log", "--config", str(config_of(tmp_path, history))]) == code
    assert message in capsys.readouterr().err


def test_days_that_the_log_does_not_have_are_trouble(
    config: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert answer(config, "--from", "2020-01-01", "--to", "2020-02-01", capsys=capsys, code=1) == ""
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "the log has no such cost for the days from 2020-01-01 to before 2020-02-01 (--from, --to)"
    ]


def test_a_damaged_compressed_file_is_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history" / "spend-2026-10-28.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    days = ["--from", FIRST.isoformat(), "--to", END.isoformat()]
    assert main(["history", "--from-log", "--config", str(config), *days]) == 1
    assert f"{path} is damaged" in capsys.readouterr().err
