"""`spend-exporter report`: the same alone and beside a running exporter, written and sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.cli.main import main
from tests.reports.delivery.smtp_server import mail_host
from tests.support.served_ledger import ledger_config, served

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return ledger_config(tmp_path)


@pytest.mark.slow
def report(config: Path, *more: str) -> int:
    return main(["report", "--config", str(config), *more])


def test_the_running_exporter_gives_the_report_that_the_ledger_gives(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--week", "2026-W45", "--format", "csv", "--by", "service,label.team", "--top", "2"]
    assert report(config, *asked) == 0
    alone = capsys.readouterr().out
    with served(config) as program:
        assert report(config, *asked) == 0
        assert capsys.readouterr().out == alone
        status, text = program.get("/api/v1/report?week=2026-W45&format=markdown")
    assert alone.startswith("part,name,usd,previous_usd,change_usd\ntotal,2026-W45,")
    assert status == 200
    assert text.startswith("# Spending, 2 to 8 November 2026\n")


def test_a_page_is_written_to_a_file(config: Path) -> None:
    page = config.with_name("october.html")
    assert report(config, "--month", "2026-10", "--output", str(page)) == 0
    assert "<title>Spending in October 2026</title>" in page.read_text()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--month", "oktober"], "--month: 'oktober' is no month; write it as 2026-10"),
        (["--month", "2099-01"], "--month: 2099-01 has not begun; name one that has"),
        (["--month", "2020-01"], "--month: 2020-01 is over before the bill begins"),
        (["--top", "0"], "--top: '0'"),
        (
            ["--send", "monthly"],
            "--send: 'monthly' is no report of the configuration; the configuration has no",
        ),
    ],
)
def test_what_cannot_be_reported_is_wrong_usage(
    config: Path, more: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(config, *more) == 2
    assert text in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_trouble(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(config, "--month", "2026-10", "--output", "/nowhere/report.html") == 1
    assert "cannot be written to /nowhere/report.html" in capsys.readouterr().err


def test_a_configured_report_is_sent_now(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    with mail_host() as host:
        mail = {"host": "127.0.0.1", "port": host.port, "encryption": "none"}
        mail |= {"sender": "spend@example.com", "to": "ann@example.com"}
        reports = [{"name": "weekly", "period": "week", "mail": mail}]
        config.write_text(json.dumps(json.loads(config.read_text()) | {"reports": reports}))
        assert report(config, "--send", "weekly", "--week", "2026-W45") == 0
        [arrived] = host.received
        host.answers.append("554 no")
        assert report(config, "--send", "weekly", "--week", "2026-W45") == 1
    assert arrived["Subject"].startswith("Spending, 2 to 8 November 2026: $")
    assert "was not sent (mail): the mail server" in caplog.text
