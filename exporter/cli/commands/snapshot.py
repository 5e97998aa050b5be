"""`spend-exporter snapshot`: refresh every source once and print the metrics.

For audits, cron and the textfile collector.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from datetime import datetime
from pathlib import Path

from exporter.cli import argument_types
from exporter.cli.arguments import EXIT_TROUBLE, add_config, add_ledger
from exporter.config.model import Config, load
from exporter.metrics.billed import WINDOW_FAMILIES
from exporter.metrics.outcomes import BILL
from exporter.wiring.ledger import MEMORY
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `snapshot`."""
    add_config(command)
    command.add_argument(
        "--as-of",
        type=argument_types.hour,
        metavar="TIME",
        help="answer as of this whole hour (2026-11-20T18:00:00Z), from rows exported before it",
    )
    add_ledger(command)
    command.add_argument("--format", choices=("text", "openmetrics"), default="text")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="replace this file in one step (for the textfile collector)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Refresh every source once, print the exposition, and exit: 1 if a source or a figure failed."""
    succeeded = snapshot(
        load(chosen.config),
        as_of=chosen.as_of,
        ledger=chosen.ledger,
        openmetrics=chosen.format == "openmetrics",
        output=chosen.output,
    )
    return 0 if succeeded else EXIT_TROUBLE


def snapshot(
    config: Config, *, as_of: datetime | None, ledger: str | None, openmetrics: bool, output: Path | None
) -> bool:
    """Print the exposition, or write it to `output` in one step; return whether all of it could be made.

    A file at `output` that shows a bill is not replaced by an exposition without one.

    `as_of` is an aware, whole hour: only what was exported before it counts. `ledger` overrides the
    configured file; `:memory:` reads every source again. Raises LedgerError, OSError.
    """
    path = None if ledger == MEMORY else Path(ledger) if ledger else config.ledger
    with opened_refresher(config, configured_sources(config, os.environ), path) as refresher:
        built = refresher.refresh_all(as_of=as_of)
    for name in built.failed_figures:
        logger.error("the figure %s could not be computed; its metrics are missing", name)
    succeeded = all(source.up for source in built.sources) and not built.failed_figures
    exposition = built.openmetrics + b"# EOF\n" if openmetrics else built.text
    if output is None:
        sys.stdout.buffer.write(exposition)
        sys.stdout.buffer.flush()
    elif BILL in built.failed_figures:
        logger.error("%s is left as it was: no snapshot could be made; what failed is above", output)
    elif built.has_bill or not _has_bill(output):
        partial = output.with_name(f".{output.name}.{os.getpid()}")
        partial.write_bytes(exposition)
        partial.replace(output)
    else:
        logger.error(
            "%s is not replaced: it shows a bill, and the new metrics do not. See the failures above; "
            "`spend-exporter check` shows what to do",
            output,
        )
        succeeded = False
    return succeeded


def _has_bill(file: Path) -> bool:
    """Whether an earlier exposition at `file` shows what was billed."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return False
    names = (family.name.encode() for family in WINDOW_FAMILIES.values())
    return any(b"\n" + name + b"{" in text for name in names)
