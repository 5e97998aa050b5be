"""The developers' pages agree with the code: the picture of the rooms, the path of a charge, the CI."""

from __future__ import annotations

import os
import re
import tomllib
from functools import reduce
from importlib import import_module
from typing import Any

import pytest
import yaml

from tests.support import places
from tests.support.programs import FETCHED

ROOT = places.REPOSITORY
PAGE = (places.DOCS / "development.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS: list[str] = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
STEPS = re.findall(r"^\| \d+ \| `(exporter/[a-z_/]+)\.py` `([A-Za-z_.]+)` \|", PAGE, re.MULTILINE)


def test_the_picture_has_the_rooms_in_the_order_that_the_linter_checks() -> None:
    picture = PAGE.partition("## The rooms")[2].partition("\n## ")[0]
    drawn = [line.strip() for line in picture.splitlines() if line.startswith("    | ")]
    rooms = [" | ".join(cell.strip() for cell in line[: line.rindex("|  ")].split("|")[1:]) for line in drawn]
    assert rooms == LAYERS


def test_the_table_of_rooms_for_contributors_has_each_room_once() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Where things go")[2].partition("\n## ")[0]
    rooms = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    assert sorted(rooms) == sorted(room for layer in LAYERS for room in layer.split(" | "))


def test_the_path_of_a_charge_goes_from_a_refresh_to_a_scrape() -> None:
    assert STEPS[0][0] == "exporter/refresh/source_loop"
    assert STEPS[-1][0] == "exporter/web/front/desk"
    assert len(STEPS) == len(re.findall(r"^\| \d+ \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("path", "name"), STEPS, ids=lambda part: part)
def test_every_step_of_a_charge_names_a_function_that_exists(path: str, name: str) -> None:
    assert callable(reduce(getattr, name.split("."), import_module(path.replace("/", "."))))


def test_tests_find_the_programs_that_make_finds() -> None:
    line = re.search(r"^export PATH := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    folders = [str(ROOT) + path for path in re.findall(r"\$\(CURDIR\)([^:]+)", line[1])]
    assert folders == [str(folder) for folder in FETCHED]
    assert set(folders) <= set(os.environ["PATH"].split(os.pathsep))


def test_ci_runs_make_test_on_every_supported_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    supported = [
        each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"] if "Python :: 3." in each
    ]
    assert supported
    assert job["strategy"]["matrix"]["python"] == supported
    assert "make test" in [step.get("run") for step in job["steps"]]
