"""The client and `top` beside the real program: `serve` as a process of its own, with users."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import bcrypt
import pytest

from exporter.cli.main import main
from exporter.client import AccessError, SpendClient
from tests.client.test_stream import first
from tests.support.exposed import until
from tests.support.running import running
from tests.support.served_ledger import ledger_config
from tests.support.terminal import terminal

pytestmark = pytest.mark.slow


def test_every_question_and_the_view_are_answered_by_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ledger_config(tmp_path)
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{ann: '{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}'}}\n")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"web_config_file": str(web)}))
    monkeypatch.setenv("SPEND_EXPORTER_PASSWORD", "secret")
    with running(tmp_path, "serve", "--config", str(config)) as program:
        until(lambda: program.get("/healthz")[0] == 401, "the server")
        with SpendClient(program.address(), user="ann") as client:
            costs = client.costs(from_="2026-10-28", to="2026-11-16", by=["service"])
            assert costs.total is not None
            assert sum(row.value or 0 for row in costs.rows()) == Decimal(costs.total)
            why = client.explain(day="2026-11-03")
            assert sum(Decimal(each.change) for each in why.causes) == Decimal(why.change)
            assert client.summary().sources[0].name == "files"
            assert len(asyncio.run(first(client, 2))) == 2
        with pytest.raises(AccessError):
            SpendClient(program.address(), user="ann", password="wrong").summary()
        assert main(["top", "--config", str(config), "--user", "ann", "--once"]) == 0
        assert "files" in capsys.readouterr().out
        with terminal("top", "--config", str(config), "--user", "ann") as screen:
            screen.shows(lambda text: "q quits" in text and "files" in text, "view")
            screen.press(b"q")
            assert screen.end() == 0
    assert "secret" not in program.log()
