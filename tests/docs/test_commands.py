"""Commands of the README and the runbooks run as they are written there, in a folder with a config.yml."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from exporter.cli.main import main
from tests.cli.commands.test_backtest import write_world
from tests.fakes.query_api import query_api
from tests.fakes.remote_receiver import RemoteReceiver
from tests.support import places

ROOT = places.REPOSITORY
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
RUN_FOR_GOOD = {"serve", "demo", "top", "init"}
"""Commands that run until they are stopped, or look for an account; other tests run them."""


def written(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"`spend-exporter ([a-z][^`]*)`", text)
    return found + re.findall(r"^ *\$ (?:\.venv/bin/)?spend-exporter (.*)$", text, flags=re.MULTILINE)


COMMANDS = sorted({command for page in PAGES for command in written(page)})


def test_the_pages_have_commands_of_several_kinds() -> None:
    assert {"check", "backtest", "snapshot", "serve"} <= {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.split()[0] not in RUN_FOR_GOOD])
@pytest.mark.slow
def test_a_command_runs_as_it_is_written(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_world(tmp_path, 15)
    monkeypatch.chdir(tmp_path)
    with RemoteReceiver() as receiver, query_api(receiver) as store:
        history = {"remote_write": {"url": receiver.url, "query_url": store.url}}
        config.write_text(json.dumps({**json.loads(config.read_text()), "history": history}))
        code = main(shlex.split(command))
    printed = capsys.readouterr()
    # 2 is a wrong usage or a configuration that cannot be read; 1 is trouble that it found.
    assert code in (0, 1), printed.err
    assert printed.out
