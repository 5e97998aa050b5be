"""What holds for all tests: examples may be slow, fetched programs are found, and long files come first.

`make unit` takes the profile `quick`: fewer examples, where a test does not say how many.
"""

import gc
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.support.programs import find_fetched_programs

find_fetched_programs()

# Thousands of tests are collected, and none of them is garbage.
gc.set_threshold(100_000, 50, 50)

settings.register_profile("spend", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("spend")

_MARK_OF_FILE: Final = re.compile(r"^pytestmark = (?:\[\s*)?pytest\.mark\.(integration|slow)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Load no file whose every test `-m "not …"` leaves out: each process of a run would load it."""
    left_out = set(re.findall(r"\bnot (\w+)", config.option.markexpr))
    if not left_out or collection_path.suffix != ".py":
        return None
    marks = _MARK_OF_FILE.findall(collection_path.read_text(encoding="utf-8"))
    return True if left_out.intersection(marks) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: one that begins last is waited for while the other cores rest."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if "faults" in item.path.parts:
        return 0
    return 1 if item.get_closest_marker("integration") else 2
