"""What an exporter shows of several Google organizations, whose sources ask APIs of the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from exporter.config.model import parse
from exporter.sources.base import Source
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.support.exposed import Samples, samples


def exposed(
    gcp: Mapping[str, Any], folder: Path, connect: Callable[[Source], None], now: datetime
) -> tuple[Samples, dict[str, str | None]]:
    """Return the samples after one refresh, and the last error of each source; the ledger stays in `folder`.

    `connect` lets a source ask the test's own API.
    """
    config = parse(json.dumps({"gcp": gcp}), folder)
    config = config.model_copy(update={"ledger": folder / "spend.duckdb"})
    sources = configured_sources(config, {})
    for source in sources:
        connect(source)
    with opened_refresher(config, sources, config.ledger, clock=lambda: now) as refresher:
        shown = refresher.refresh_all()
        return samples(shown.text), {each.name: each.last_error for each in shown.sources}
