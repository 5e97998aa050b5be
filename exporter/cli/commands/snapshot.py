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
from exporter.cli.arguments import EXIT_TROUBLE, EXIT_USAGE, add_config, add_ledger
from exporter.config.model import Config, load
from exporter.core.printable import printable
from exporter.metrics.billed import WINDOW_FAMILIES
from exporter.metrics.outcomes import BILL
from exporter.refresh.refresher import Refresher
from exporter.wiring.ledger import MEMORY, advice_where_in_use
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
        help="show the state at this whole hour (2026-11-20T18:00:00Z), from rows exported before it",
    )
    command.add_argument(
        "--known-now",
        action="store_true",
        help="with --as-of: count usage before that hour with everything that is known about it now",
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
    if chosen.known_now and chosen.as_of is None:
        logger.error("--known-now works only with --as-of TIME: give both")
        return EXIT_USAGE
    config = load(chosen.config)
    with advice_where_in_use(config):
        succeeded = _snapshot(config, chosen)
    return 0 if succeeded else EXIT_TROUBLE


def _snapshot(config: Config, chosen: argparse.Namespace) -> bool:
    return snapshot(
        config,
        as_of=chosen.as_of,
        known_now=chosen.known_now,
        ledger=chosen.ledger,
        openmetrics=chosen.format == "openmetrics",
        output=chosen.output,
    )


def snapshot(
    config: Config,
    *,
    as_of: datetime | None,
    ledger: str | None,
    openmetrics: bool,
    output: Path | None,
    known_now: bool = False,
) -> bool:
    """Print the exposition, or write it to `output` in one step; return whether all of it could be made.

    A file at `output` that shows a bill is not replaced by an exposition without one.

    `as_of` is an aware, whole hour: only what was exported before it counts, and what is left out for that is
    reported. With `known_now` all usage before that hour counts, as it is known now. `ledger` overrides the
    configured file; `:memory:` reads every source again. Raises LedgerError, OSError.
    """
    path = None if ledger == MEMORY else Path(ledger) if ledger else config.ledger
    with opened_refresher(config, configured_sources(config, os.environ), path) as refresher:
        built = refresher.refresh_all(as_of=as_of, known_now=known_now)
        if as_of is not None and not known_now:
            _report_known_later(refresher, as_of)
    for name in built.failed_figures:
        logger.error("the figure %s could not be computed; its metrics are missing", name)
    succeeded = all(source.up for source in built.sources) and not built.failed_figures
    exposition = built.openmetrics + b"# EOF\n" if openmetrics else built.text
    if output is None:
        if sys.stdout.isatty():
            # The values of labels are exact for Prometheus; a terminal would obey them.
            lines = exposition.decode("utf-8", "replace").split("\n")
            exposition = "\n".join(map(printable, lines)).encode()
        sys.stdout.buffer.write(exposition)
        sys.stdout.buffer.flush()
    elif BILL in built.failed_figures:
        logger.error("%s is unchanged: no snapshot could be made; the errors above show why", output)
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


def _report_known_later(refresher: Refresher, as_of: datetime) -> None:
    with refresher.state() as (view, _):
        for left_out in view.known_later(as_of):
            logger.warning(
                "%s: left out %s of usage before %s, $%.2f in all, since the bill had them only from %s on "
                "(for files without export times, that is when the file was written); "
                "--known-now counts them",
                left_out.source,
                "1 charge" if left_out.charges == 1 else f"{left_out.charges:,} charges",
                f"{as_of:%Y-%m-%d %H:%M} UTC",
                left_out.usd,
                f"{left_out.first_known:%Y-%m-%d %H:%M} UTC",
            )


def _has_bill(file: Path) -> bool:
    """Whether an earlier exposition at `file` shows what was billed."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return False
    names = (family.name.encode() for family in WINDOW_FAMILIES.values())
    return any(b"\n" + name + b"{" in text for name in names)
