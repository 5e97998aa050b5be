"""Each fault of the matrix is told, leaves the rest working, and heals; docs/faults.md has the same rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.fault import Fault
from tests.faults.matrix import PAGE, page, run
from tests.faults.rows import GROUPS
from tests.faults.world import world


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed")
@pytest.mark.parametrize("faults", [pytest.param(faults, id=group) for group, faults in GROUPS])
def test_each_fault_is_told_leaves_the_rest_working_and_heals(
    faults: tuple[Fault, ...], tmp_path: Path
) -> None:
    with world(tmp_path) as made:
        found = [run(fault, made) for fault in faults if not fault.takes_long]
    assert len(found) >= 2
    assert [(outcome.fault.name, outcome.trouble) for outcome in found if outcome.trouble] == []


def test_the_page_has_every_row() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make faults"


def test_every_row_has_a_name_of_its_own() -> None:
    names = [fault.name for _, faults in GROUPS for fault in faults]
    assert len(names) == len(set(names)) >= 70
