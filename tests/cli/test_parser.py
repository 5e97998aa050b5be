"""A mistyped command, choice or flag is answered with the nearest one; a shell completes all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.cli.main import main
from exporter.cli.parser import COMMANDS, full_parser
from exporter.config.schema import config_schema


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (["serv", "--config", "a.yml"], "did you mean serve instead of serv?"),
        (["serve", "--confg", "a.yml"], "did you mean --config instead of --confg?"),
        (["check", "--config=a.yml", "--fromat=json"], "did you mean --format instead of --fromat?"),
        (["check", "--config=a.yml", "--format", "jsn"], "did you mean json instead of jsn?"),
        (["config", "shema"], "did you mean schema instead of shema?"),
    ],
)
def test_what_was_probably_meant_is_named(
    given: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert stopped.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("given", [["serve"], ["frobnicate"], ["check", "--config", "a.yml", "--zzz"]])
def test_where_nothing_is_near_nothing_is_suggested(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(given)
    assert "did you mean" not in capsys.readouterr().err


def test_every_command_has_its_arguments_in_the_full_parser() -> None:
    text = full_parser().format_help()
    assert [command.name for command in COMMANDS if command.name not in text] == []


def test_config_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == config_schema()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("spend-exporter hist", {"history"}),
        ("spend-exporter check --form", {"--format"}),
        ("spend-exporter check --format ", {"text", "json"}),
        ("spend-exporter serve --config spend", {"spend.yml"}),
    ],
)
def test_a_real_bash_completes_commands_flags_choices_and_files(
    typed: str, offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    (tmp_path / "spend.yml").touch()
    asking = """
        source ./completion
        read -ra COMP_WORDS <<< "$1"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        _shtab_spend_exporter spend-exporter "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        [bash, "--norc", "-c", asking, "bash", typed],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert {line.strip() for line in done.stdout.splitlines()} == offered
