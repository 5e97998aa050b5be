"""Memory does not grow with the number of refreshes: benchmarks/memory_over_refreshes.py has the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.memory_over_refreshes import measured

MEGABYTES = {"exporter": 80, "front": 15}
"""What a leak of a copy of the bill, or of an exposition, would be far beyond after forty refreshes more."""


@pytest.mark.integration
@pytest.mark.slow
def test_forty_refreshes_more_need_about_as_much_memory(tmp_path: Path) -> None:
    first, _, last = measured(tmp_path, refreshes=60, every=20)
    for name, most in MEGABYTES.items():
        assert last.megabytes[name] - first.megabytes[name] < most, (first, last)
