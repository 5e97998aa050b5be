"""Commands of the README, the pages and the runbooks run as written, in a folder with a config.yml."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from exporter.cli.main import main
from tests.cli.commands.test_backtest import write_world
from tests.fakes.query_api import query_api
from tests.fakes.remote_receiver import RemoteReceiver
from tests.support import places

ROOT = places.REPOSITORY
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
"""Their commands in running text are whole, too; those of the other pages are names."""
MANUAL = sorted((ROOT / "docs").glob("*.md"))
RUN_FOR_GOOD = {"serve", "demo", "top", "init"}
"""Commands that run until they are stopped, or look for an account; other tests run them."""
ELSEWHERE = re.compile(r"/var/lib/(?:\w+/)?")
"""Folders of a server, for which the folder of the test stands."""


def in_text(page: Path) -> list[str]:
    return re.findall(r"`spend-exporter ([a-z][^`]*)`", page.read_text(encoding="utf-8"))


def in_blocks(page: Path) -> list[str]:
    """Commands in a line of their own, without comments; a long one may have several lines."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^ *(?:\$ )?(?:\.venv/bin/)?spend-exporter (.*)$", text, flags=re.MULTILINE)
    return [re.split(r"\s{2,}#| > ", command)[0].strip() for command in found]


COMMANDS = sorted(
    {command for page in PAGES for command in in_text(page)}
    | {command for page in [*PAGES, *MANUAL] for command in in_blocks(page)}
)


def test_the_pages_have_commands_of_several_kinds() -> None:
    assert {"check", "backtest", "snapshot", "serve"} <= {command.split()[0] for command in COMMANDS}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bill and the ledger that has read it."""
    folder = tmp_path_factory.mktemp("world")
    config = write_world(folder, 30)
    (folder / "prometheus").mkdir()
    config.write_text(json.dumps({**json.loads(config.read_text()), "label_costs": ["team"]}))
    assert main(["history", "--config", str(config), "--refresh"]) == 0
    return folder


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.split()[0] not in RUN_FOR_GOOD])
@pytest.mark.slow
def test_a_command_runs_as_it_is_written(
    command: str,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(world, tmp_path / "world")
    monkeypatch.chdir(folder)
    with RemoteReceiver() as receiver, query_api(receiver) as store:
        history = {
            "remote_write": {"url": receiver.url, "query_url": store.url},
            "jsonl": {"directory": "log", "keep_days": 400},
        }
        keys = {
            "ledger": "spend.duckdb",
            "label_costs": ["team"],
            "unit_costs": {
                "order": {"match": {"labels": {"team": "*"}}, "promql": "q", "prometheus": store.url}
            },
            "gcp": {"billing_export": {"files": ["export/*.parquet"]}},
            "history": history,
            "reports": [{"name": "monthly", "webhook": {"url": receiver.url}}],
        }
        for name in ("config.yml", "spend.yml"):
            (folder / name).write_text(json.dumps(keys))
        before = set(folder.rglob("*"))
        code = main(shlex.split(ELSEWHERE.sub("", command)))
    printed = capsys.readouterr()
    # 2 is a wrong usage or a configuration that cannot be read; 1 is trouble that it found.
    assert code in (0, 1), printed.err
    assert code == 1 or printed.out or set(folder.rglob("*")) - before
