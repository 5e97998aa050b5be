"""`spend-exporter history` beside a running `serve`, which has the ledger for itself."""

from __future__ import annotations

import json
from pathlib import Path

import bcrypt
import pytest

from exporter.cli.main import main
from tests.support.exposed import until
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
    assert alone


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
