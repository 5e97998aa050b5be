"""A configuration with a filled ledger and an address of its own, and `serve` running on both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount
from tests.support.charge_rows import put
from tests.support.exposed import until
from tests.support.ports import free_port
from tests.support.question_world import COUNTED, many_charges
from tests.support.running import Running, running


def ledger_config(folder: Path) -> Path:
    """Fill a ledger in the folder and return a configuration of it, whose source has no files."""
    ledger = Ledger(folder / "spend.duckdb")
    put(ledger, folder, "all", *many_charges(5))
    KeptUnitCounts(ledger).keep([UnitCount("order", day, each, "q", "UTC") for day, each in COUNTED.items()])
    ledger.close()
    path = folder / "config.yml"
    gcp = {"billing_export": {"files": [str(folder / "none/*.csv")]}}
    document = {"ledger": str(folder / "spend.duckdb"), "gcp": gcp, "label_costs": ["team"]}
    order = {"match": {"projects": ["shop-*"]}, "promql": "q", "prometheus": "http://127.0.0.1:9"}
    document["unit_costs"] = {"order": order}
    path.write_text(json.dumps(document | {"listen": f"127.0.0.1:{free_port()}"}))
    return path


@contextmanager
def served(config: Path, *options: str) -> Iterator[Running]:
    """Run `serve` until the end of the block."""
    with running(config.parent, "serve", "--config", str(config), *options) as program:
        until(lambda: program.get("/healthz")[0] == 200, "the server")
        yield program
