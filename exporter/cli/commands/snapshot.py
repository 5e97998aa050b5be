"""`spend-exporter snapshot`: refresh every source once and print the metrics.

For audits, cron and the textfile collector.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from exporter.config.model import Config
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources

MEMORY = ":memory:"


def snapshot(
    config: Config, *, as_of: datetime | None, ledger: str | None, openmetrics: bool, output: Path | None
) -> bool:
    """Print the exposition, or write it to `output` in one step; return whether every source succeeded.

    `as_of` is an aware, whole hour: only what was exported before it counts. `ledger` overrides the
    configured file; `:memory:` reads everything anew. Raises LedgerError, OSError.
    """
    path = None if ledger == MEMORY else Path(ledger) if ledger else config.ledger
    with opened_refresher(config, configured_sources(config, os.environ), path) as refresher:
        built = refresher.refresh_all(as_of=as_of)
    exposition = built.exposition.openmetrics + b"# EOF\n" if openmetrics else built.exposition.text
    if output is None:
        sys.stdout.buffer.write(exposition)
        sys.stdout.buffer.flush()
    else:
        partial = output.with_name(f".{output.name}.{os.getpid()}")
        partial.write_bytes(exposition)
        partial.replace(output)
    return all(source.up for source in built.sources)


def whole_hour(text: str) -> datetime:
    """Read the time of `--as-of`: RFC 3339, UTC where it names no zone. Raises ValueError with the reason."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write for example 2026-11-20T18:00:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.minute or moment.second or moment.microsecond:
        raise ValueError(
            f"{text!r} is not a whole hour, and the ledger knows only in which hour a charge arrived; "
            f"write for example {moment.replace(minute=0, second=0, microsecond=0):%Y-%m-%dT%H:%M:%SZ}"
        )
    return moment
