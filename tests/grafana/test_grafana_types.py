"""The boards hold to the types and units of each Grafana that we support: 10, 11, 12 and 13."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.board_files import boards, panels
from tests.grafana.board_types import type_errors
from tests.support.environments import cache_folder
from tests.support.npm_packages import installed_packages

pytestmark = [pytest.mark.integration]

PINNED = Path(__file__).with_name("grafana_types")
VERSIONS = {10: "10.4.19", 11: "11.6.7", 12: "12.3.0", 13: "13.2.3"}

# Options that a version does not declare, and why a board has them all the same. Grafana passes over what
# it does not know.
UNDECLARED = {
    "expr": (
        {10, 11, 12, 13},
        "annotations: the query belongs to Prometheus, whose types are not in the package",
    ),
    "titleFormat": ({10, 11, 12, 13}, "annotations: likewise"),
    "textFormat": ({10, 11, 12, 13}, "annotations: likewise"),
    "step": ({10, 11, 12, 13}, "annotations: likewise"),
    "useValueForTime": ({10, 11, 12, 13}, "annotations: likewise"),
    "definition": ({10, 11, 12, 13}, "variables: what the list of variables shows as the query"),
    "auto": ({10, 11, 12, 13}, "variables: the builder writes what only a variable of an interval uses"),
    "auto_min": ({10, 11, 12, 13}, "variables: likewise"),
    "auto_count": ({10, 11, 12, 13}, "variables: likewise"),
    "allowCustomValue": ({10}, "variables: 10 always takes a value that is typed in"),
    "percentChangeColorMode": ({10}, "stat: 10 colours a rise green"),
    "legend": ({10}, "bargauge: 10 has no legend there"),
    "footer": ({12, 13}, "table: moved to the fields; the boards have no footer"),
    "hidden": ({12, 13}, "table: hides a column up to 11, hideFrom does from 12 on"),
    "hideFrom": ({10, 11}, "table: see hidden"),
    "wrapText": (
        {10, 11, 12, 13},
        "table: an option of the cell in 11, of the field from 12 on; each has both",
    ),
}


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed_packages(PINNED, "grafana-types")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_of_the_boards_is_one_that_grafana_declares(
    version: int, packages: Path, tmp_path: Path
) -> None:
    assert type_errors(boards(), packages, version, tmp_path, _undeclared_in(version)) == []


def test_every_undeclared_option_is_still_in_a_board() -> None:
    written = "".join(json.dumps(board) for board in boards().values())
    assert [
        name for name in UNDECLARED if f'"{name}"' not in written and f"custom.{name}" not in written
    ] == []


def test_an_invented_option_and_an_invented_value_are_found(packages: Path, tmp_path: Path) -> None:
    wrong: dict[str, dict[str, Any]] = copy.deepcopy(boards())
    stats = [panel for board in wrong.values() for panel in panels(board) if panel["type"] == "stat"]
    stats[0]["options"]["beautiful"] = True
    stats[1]["options"]["orientation"] = "diagonal"
    found = "\n".join(type_errors(wrong, packages, 12, tmp_path, _undeclared_in(12)))
    assert '"beautiful"' in found
    assert '"diagonal"' in found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_unit_and_transformation_of_the_boards_is_known_to_grafana(
    version: int, tmp_path: Path
) -> None:
    data = _grafana_data(VERSIONS[version])
    units = set(_ids(_only(data, "valueFormats/categories"), r"""\bid: ["']([^"']+)["']"""))
    assert {"currencyUSD", "percentunit"} <= units
    transformations = set(_ids(_only(data, "transformations/transformers/ids"), r"""\] = ["']([^"']+)["']"""))
    assert {"organize", "merge"} <= transformations
    for board in boards().values():
        for panel in panels(board):
            assert set(_units(panel)) <= units, panel["title"]
            asked = {step["id"] for step in panel.get("transformations", [])}
            assert asked <= transformations, panel["title"]


def _undeclared_in(version: int) -> frozenset[str]:
    return frozenset(name for name, (versions, _) in UNDECLARED.items() if version in versions)


def _units(panel: dict[str, Any]) -> Iterator[str]:
    fields = panel["fieldConfig"]
    if "unit" in fields["defaults"]:
        yield fields["defaults"]["unit"]
    for override in fields["overrides"]:
        yield from (setting["value"] for setting in override["properties"] if setting["id"] == "unit")


def _grafana_data(version: str) -> Path:
    """The unpacked package @grafana/data: without what it needs to run, since it is only read."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm not found: install Node.js 18.20 or later with npm")
    folder = cache_folder() / f"grafana-data-{version}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run(
            [npm, "pack", f"@grafana/data@{version}", "--silent", "--pack-destination", str(folder)],
            check=True,
            capture_output=True,
        )
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        (folder / "complete").touch()
    return folder / "package"


def _only(data: Path, module: str) -> str:
    found = sorted(path for path in data.glob(f"dist/esm/{module}.*") if path.suffix in (".js", ".mjs"))
    assert len(found) == 1, found
    return found[0].read_text(encoding="utf-8")


def _ids(source: str, pattern: str) -> list[str]:
    return re.findall(pattern, source)
