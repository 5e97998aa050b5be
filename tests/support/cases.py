"""Small inputs in the shape that people have them, and what the product shows of one at a fixed time."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from exporter.config.model import load
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.support import places
from tests.support.exposed import Samples, samples


def copied_case(name: str, folder: Path) -> Path:
    """Copy the case `kind/name` into a folder of the test's own; returns its configuration file."""
    case = folder / name.replace("/", "-")
    shutil.copytree(places.DATA / "cases" / name, case)
    return case / "config.yml"


def shown(config_file: Path, now: datetime, ledger: Path | None = None) -> Samples:
    """Read every source once into a ledger (by default an empty one in memory) and return what is exposed."""
    config = load(config_file)
    sources = configured_sources(config, os.environ)
    with opened_refresher(config, sources, ledger, clock=lambda: now) as refresher:
        return samples(refresher.refresh_all().text)
