"""The ledger's memory limit grows with the series that an exporter may show."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.model import parse
from exporter.wiring.refresher import ledger_memory, opened_refresher


@pytest.mark.parametrize(
    ("max_series", "limit"),
    [
        (100, "96MB"),
        (50_000, "96MB"),
        (100_000, "196MB"),
        (200_000, "396MB"),
        (258_000, "512MB"),
        (10_000_000, "512MB"),
    ],
)
def test_the_limit_is_the_usual_one_up_to_the_default_of_series(max_series: int, limit: str) -> None:
    assert ledger_memory(max_series) == limit


def test_the_ledger_is_opened_with_it(tmp_path: Path) -> None:
    config = parse('{"max_series": 100000}', tmp_path)
    with opened_refresher(config, [], tmp_path / "spend.duckdb") as refresher, refresher.state() as (view, _):
        [(limit,)] = view.connection.execute("SELECT current_setting('memory_limit')").fetchall()
    # DuckDB shows mebibytes.
    assert limit == f"{196e6 / 2**20:.1f} MiB"
