"""`spend-exporter history` beside a running `serve`, which has the ledger for itself."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import bcrypt
import pytest

from exporter.cli.main import main
from tests.support.exposed import until
from tests.support.ports import free_port
from tests.support.question_world import COUNTED
from tests.support.running import running
from tests.support.served_ledger import ledger_config, served

pytestmark = pytest.mark.slow

SPAN = ["--from", "2026-10-29", "--to", "2026-11-14"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return ledger_config(tmp_path)


def history(config: Path, *more: str) -> int:
    return main(["history", "--config", str(config), *more])


@pytest.mark.parametrize(
    "more",
    [
        ["--by", "sku", "--compare"],
        ["--by", "week,label.team", "--format", "csv"],
        ["--by", "service,region", "--where", "project:shop-*,label.team:core", "--top", "2"],
        ["--by", "model", "--format", "json"],
        ["--per", "order", "--by", "week"],
        ["--per", "order", "--format", "json", "--measure", "gross"],
    ],
    ids=" ".join,
)
def test_the_running_exporter_gives_the_answer_that_the_ledger_gives(
    config: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert history(config, *SPAN, *more) == 0
    alone = capsys.readouterr().out
    with served(config):
        assert history(config, *SPAN, *more) == 0
        assert capsys.readouterr().out == alone
        assert main(["history", *SPAN, *more, "--url", address(config)]) == 0
    assert capsys.readouterr().out == alone
    assert alone


def address(config: Path) -> str:
    return f"http://{json.loads(config.read_text())['listen']}"


def test_the_cost_of_an_order_is_marked_where_it_is_not_whole(
    config: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert history(config, *SPAN, "--per", "order") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Billed cost per order, usage from 2026-10-29 to before 2026-11-14"
    rows = {line.split()[0]: line for line in lines[3:19]}
    assert len(rows) == 16
    counted = {str(day) for day in COUNTED}
    assert {day for day, line in rows.items() if "not counted" not in line} == counted
    assert any("charges still arrive" in line for line in rows.values())
    assert "6 of 16 days are counted" in "\n".join(lines)
    assert history(config, "--from", "2026-10-30", "--to", "2026-11-01", "--per", "order") == 1
    assert "no day from 2026-10-30 to before 2026-11-01 has both" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["history", "--refresh"], "--refresh: needs the configuration"),
        (["history", "--from-log"], "--from-log: needs the configuration"),
        (["history", "--ledger", "x"], "--ledger: needs the configuration"),
        (["explain", "--refresh"], "--refresh: needs the configuration"),
        (["report", "--send", "x"], "--send: needs the configuration"),
        (["history", "--last", "30d", "--to", "2026-11-14"], "--last ends now"),
        (["history", "--last", "30"], "is no number of days or weeks; write for example 30d"),
        (["history", "--last", "3d", "--from", "2026-11-14"], "not allowed with"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_without_a_configuration_what_needs_one_is_wrong_usage(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        assert main(arguments) == 2
    assert text in capsys.readouterr().err


def test_without_a_configuration_and_an_exporter_both_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["history", "--url", f"http://127.0.0.1:{port}"]) == 1
    told = capsys.readouterr().err
    assert "with --url" in told
    assert "or the configuration with --config to read its ledger" in told


def test_a_wrong_question_is_wrong_usage_in_both_ways(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert history(config, "--by", "skuu") == 2
    alone = capsys.readouterr().err
    assert "--by: 'skuu' is no dimension; did you mean sku" in alone
    with served(config):
        assert history(config, "--by", "skuu") == 2
    assert capsys.readouterr().err == alone


def test_an_exporter_at_another_address_is_asked_for_by_name(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(config, "--listen", "127.0.0.1:0") as program:
        assert history(config, *SPAN) == 1
        told = capsys.readouterr().err
        assert "is in use by another process" in told
        assert "name the address of the running one with --url" in told
        assert history(config, *SPAN, "--url", program.address()) == 0


def test_a_user_and_a_password_are_given_where_they_are_needed(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    web = config.with_name("web.yml")
    web.write_text(f"basic_auth_users: {{ann: '{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}'}}\n")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"web_config_file": str(web)}))
    password = config.with_name("password")
    password.write_text("secret\n")
    with running(config.parent, "serve", "--config", str(config)) as program:
        until(lambda: program.get("/healthz")[0] == 401, "the server")
        assert history(config, *SPAN) == 1
        assert "give --user and --password-file" in capsys.readouterr().err
        assert history(config, *SPAN, "--user", "ann", "--password-file", str(password)) == 0
        monkeypatch.setenv("SPEND_EXPORTER_PASSWORD", "secret")
        assert history(config, *SPAN, "--user", "ann") == 0


def test_other_commands_say_what_to_do_beside_a_running_exporter(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(config):
        assert main(["snapshot", "--config", str(config)]) == 1
        told = capsys.readouterr().err
        assert "/metrics has its figures" in told
        assert "--ledger :memory:" in told
        assert main(["backtest", "--config", str(config)]) == 1
        assert "use --ledger :memory:" in capsys.readouterr().err
        main(["check", "--config", str(config)])
        assert "is in use, probably by a running exporter; not checked" in capsys.readouterr().out
