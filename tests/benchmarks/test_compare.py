"""The short form of the comparison runs from end to end; it asserts no times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.integration
def test_the_short_form_writes_tables_of_all_that_is_here_and_names_the_rest(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/compare.py", "--short", "--series", "300", "--rows", "500"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "benchmark.md").read_text(encoding="utf-8")
    assert text.split() == done.stdout.split()
    samples = {
        cells[1].strip(): int(cells[2].replace(",", ""))
        for line in text.splitlines()
        if (cells := line.split("|")) and line.count("|") == 9 and cells[2].strip()[0].isdigit()
    }
    assert {"Spend Exporter", "prometheus_client gauges", "sending the same bytes alone"} <= samples.keys()
    named = text.lower().replace("-", "_").replace(" ", "_")
    for peer in ("pushgateway", "node_exporter", "sql_exporter"):
        assert peer in named
    assert all(count >= 200 for count in samples.values()), samples
    for way in ("bare DuckDB", "refresh, one file of 30 changed", "script that loops over rows"):
        assert f"\n| {way} " in text
    for picture in ("scrapes.png", "refreshes.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
