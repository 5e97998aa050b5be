"""`spend-exporter history`: tables that fit a terminal, and figures that are those of the ledger."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.main import main
from exporter.simulator.google.billing_export import write_export
from exporter.simulator.google.world import World
from tests.support.charge_rows import charge
from tests.support.history_world import billing_day, charges, keep

FIRST, END = date(2026, 10, 26), date(2026, 11, 9)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEND_TEST_KEY", "sk-test")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return keep(tmp_path, list(charges(date(2026, 10, 1), date(2026, 11, 20))))


def answer(config: Path, *more: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    days = ["--from", FIRST.isoformat(), "--to", END.isoformat()]
    assert main(["history", "--config", str(config), *days, *more]) == code
    return capsys.readouterr().out


def billed(first: date = FIRST, end: date = END, **only: str) -> Decimal:
    return sum(
        (
            row.billed_cost_usd
            for row in charges(date(2026, 10, 1), date(2026, 11, 20))
            if first <= billing_day(row) < end
            and all(getattr(row, name) == value for name, value in only.items())
        ),
        Decimal(0),
    )


def document(config: Path, *more: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(config, "--format", "json", *more, capsys=capsys))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_every_period_is_exactly_what_the_ledger_has(
    config: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_document = document(config, "--by", by, capsys=capsys)
    assert answer_document["total_usd"] == float(billed())
    assert len(answer_document["periods"]) == {"day": 14, "week": 2, "month": 2}[by]
    for period in answer_document["periods"]:
        first, end = date.fromisoformat(period["from"]), date.fromisoformat(period["to"])
        assert period["total_usd"] == float(billed(first, end))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("service", {"Compute Engine": {"provider": "gcp"}, "OpenAI API": {"provider": "openai"}}),
        ("provider", {"gcp": {"provider": "gcp"}, "openai": {"provider": "openai"}}),
        ("project", {"shop-prod": {"project_id": "shop-prod"}, 'odd "name"': {"project_id": 'odd "name"'}}),
        ("model", {"gpt-4o": {"provider": "openai"}}),
        ("category", {"ml": {"provider": "openai"}, "unattributed": {"provider": "gcp"}}),
    ],
)
def test_each_group_has_its_cost(
    config: Path, group: str, expected: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = json.loads(config.read_text()) | {"cost_attribution": {"ml": {"models": ["gpt-*"]}}}
    config.write_text(json.dumps(settings))
    answer_document = document(config, "--group", group, capsys=capsys)
    found = {each["name"]: each["usd"] for each in answer_document["groups"]}
    assert found == {name: float(billed(FIRST, END, **only)) for name, only in expected.items()}


@pytest.mark.slow
def test_the_table_fits_a_terminal_and_says_how_far_the_bill_reaches(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (["--by", "week"], ["--compare"], ["--group", "project", "--top", "1"], ["--group", "model"]):
        text = answer(config, *more, capsys=capsys)
        assert max(map(len, text.splitlines())) <= 80
        assert not any(line.endswith(" ") for line in text.splitlines())
        assert text.endswith(
            "The ledger has the bill of openai from 2026-10-01 00:00 to 2026-11-20 00:00 UTC.\n"
        )
    text = answer(config, "--group", "project", "--top", "1", capsys=capsys)
    assert "other (1)" in text
    assert f"{'total':<20}{billed():>14,.2f}" in text


@pytest.mark.slow
def test_a_comparison_shows_the_previous_period(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer_document = document(config, "--compare", capsys=capsys)
    before = {"from": "2026-10-12", "to": "2026-10-26"}
    total = float(billed(date(2026, 10, 12), FIRST))
    assert answer_document["before"] == {**before, "total_usd": total, "partial": False}
    changes = [abs(each["change_usd"]) for each in answer_document["groups"]]
    assert changes == sorted(changes, reverse=True)
    assert "Compared with usage from 2026-10-12 to before 2026-10-26" in answer(
        config, "--compare", capsys=capsys
    )


@pytest.mark.slow
def test_a_comparison_with_days_before_the_bill_claims_no_change(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ["--from", "2026-10-01", "--to", "2026-10-15", "--compare"]
    unknown = document(config, *days, capsys=capsys)
    assert unknown["before"] == {
        "from": "2026-09-17",
        "to": "2026-10-01",
        "total_usd": None,
        "partial": True,
    }
    assert {each["change_usd"] for each in unknown["groups"]} == {None}
    text = answer(config, *days, capsys=capsys)
    assert "new" not in text
    assert text.count("not known\n") == len(unknown["groups"]) + 1
    assert "Partial: the bill of gcp begins on 2026-10-01; costs before are not known.\n" in text
    csv_rows = answer(config, "--format", "csv", *days, capsys=capsys).splitlines()[1:]
    assert all(row.endswith(",") for row in csv_rows)
    half = document(config, "--from", "2026-10-10", "--to", "2026-10-24", "--compare", capsys=capsys)
    assert half["before"]["partial"] is True
    assert half["before"]["total_usd"] == float(billed(date(2026, 9, 26), date(2026, 10, 10)))
    whole = ["--from", "2026-10-15", "--to", "2026-10-29", "--compare"]
    assert document(config, *whole, capsys=capsys)["before"]["partial"] is False
    assert "Partial" not in answer(config, *whole, capsys=capsys)


@pytest.mark.slow
def test_csv_is_exact_and_quoted(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(
        csv.DictReader(io.StringIO(answer(config, "--format", "csv", "--group", "project", capsys=capsys)))
    )
    assert {row["project"] for row in rows} == {"shop-prod", 'odd "name"'}
    assert sum(Decimal(row["usd"]) for row in rows) == billed()
    compared = answer(config, "--format", "csv", "--compare", capsys=capsys)
    assert compared.splitlines()[0] == "service,before_usd,usd,change_usd"


@pytest.mark.slow
def test_a_time_without_cost_is_trouble_and_prints_nothing(
    config: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    command = ["history", "--config", str(config), "--from", "2020-01-01", "--to", "2020-02-01"]
    assert main(command) == 1
    assert capsys.readouterr().out == ""
    assert "no such cost for the days from 2020-01-01" in caplog.text


@pytest.mark.slow
def test_a_missing_ledger_is_reported_with_how_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = keep(tmp_path, [charge()])
    (tmp_path / "spend.duckdb").unlink()
    assert main(["history", "--config", str(config)]) == 1
    assert "use --refresh" in capsys.readouterr().err


@pytest.mark.slow
def test_refreshing_reads_the_sources_into_memory_or_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    export = tmp_path / "export"
    export.mkdir()
    write_export(World.ending_at(now, past=timedelta(days=3)), export, now, "csv")
    config = tmp_path / "config.yml"
    gcp = {"billing_export": {"files": [f"{export}/*"]}}
    config.write_text(json.dumps({"ledger": str(tmp_path / "spend.duckdb"), "gcp": gcp}))
    totals = []
    for more in (["--ledger", ":memory:"], ["--refresh"], []):
        assert main(["history", "--config", str(config), "--format", "json", *more]) == 0
        totals.append(json.loads(capsys.readouterr().out)["total_usd"])
    assert totals[0] > 0
    assert main(["snapshot", "--config", str(config), "--ledger", ":memory:"]) == 0
    scraped = capsys.readouterr().out
    assert "spend_month_to_date_usd{" in scraped
    assert "spend_hourly_usd" not in scraped
    assert len(set(totals)) == 1


@pytest.mark.slow
def test_list_prices_are_shown_with_what_has_none(
    config: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    listed = 2 * billed(provider="gcp", project_id="shop-prod", charge_category="usage")
    unlisted = billed(project_id='odd "name"') + billed(provider="openai")
    found = document(config, "--measure", "list", capsys=capsys)
    assert (found["measure"], found["total_usd"]) == ("list", float(listed))
    assert found["without_list_price_usd"] == float(unlisted)
    text = answer(config, "--measure", "list", capsys=capsys)
    assert text.startswith("Cost at list prices, usage from 2026-10-26 to before 2026-11-09")
    said = f"${unlisted:,.2f} billed for charges that have no list price in the ledger."
    assert said in text
    days = ["--from", FIRST.isoformat(), "--to", END.isoformat()]
    assert main(["history", "--config", str(config), *days, "--measure", "list", "--format", "csv"]) == 0
    assert said in caplog.text
