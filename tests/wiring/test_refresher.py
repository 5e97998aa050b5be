"""A refresher with its ledger and its spool folder, which a killed process may have left behind."""

from __future__ import annotations

import json
from pathlib import Path

from exporter.config.model import parse
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources


def test_what_a_killed_process_left_in_the_spool_is_removed(tmp_path: Path) -> None:
    files = {"gcp": {"billing_export": {"files": ["exports/*.parquet"]}}}
    config = parse(json.dumps({**files, "ledger": str(tmp_path / "new" / "spend.duckdb")}), tmp_path)
    spool = tmp_path / "new" / ".spool-of-spend.duckdb"
    (spool / "duckdb_temp").mkdir(parents=True)
    (spool / "left.parquet").write_bytes(b"half a file")
    with opened_refresher(config, configured_sources(config, {}), config.ledger):
        assert list(spool.iterdir()) == []
    assert {path.name for path in spool.parent.iterdir()} == {"spend.duckdb"}
