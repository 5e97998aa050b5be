"""The page for newcomers is what its commands print, from nothing to the first figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.getting_started import PAGE, ROW_USD, ROWS, followed, page, without_figures

pytestmark = pytest.mark.integration


def test_every_command_of_the_page_works_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = followed(tmp_path)

    assert without_figures(page(steps)) == without_figures(PAGE.read_text(encoding="utf-8")), (
        "run: python -m tests.integration.getting_started"
    )
    billed = next(step.printed for step in steps if step.command.startswith("curl"))
    assert float(billed.split()[-1]) == ROWS * ROW_USD
    history = steps[-1].printed
    assert re.search(rf"^total +{ROWS * ROW_USD:.2f}$", history, re.MULTILINE)
