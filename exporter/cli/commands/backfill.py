"""`spend-exporter backfill`: the cost of each past hour and day, as files and blocks for Prometheus."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from exporter.cli import argument_types
from exporter.cli.arguments import (
    EXIT_TROUBLE,
    EXIT_USAGE,
    add_config,
    add_ledger,
    add_refresh,
    days_in_order,
    print_usage_problem,
)
from exporter.cli.commands.backfill_blocks import PromtoolError, UnsafeError, check_safe, create_blocks
from exporter.cli.commands.backfill_files import History, MonthFile, billing_days, months_of, write_months
from exporter.cli.commands.backfill_store import compare_or_resend
from exporter.cli.progress import progress_bar
from exporter.config.model import Config, load
from exporter.ledger.charges.hourly import forgotten_before
from exporter.ledger.charges.windows import Window
from exporter.wiring.ledger import OpenedLedger, opened_ledger
from exporter.wiring.sources import history_divisions

logger = logging.getLogger(__name__)

UNSETTLED: Final = timedelta(days=3)
"""Bills of more recent usage usually still grow."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The data directory that blocks go into, and how long Prometheus keeps its content."""

    data: Path
    retention: timedelta


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `backfill`."""
    add_config(command)
    command.add_argument("--from", dest="first", type=argument_types.day, metavar="DATE", help="billing day")
    command.add_argument("--to", dest="end", type=argument_types.day, metavar="DATE", help="excluded")
    command.add_argument("--out", type=Path, metavar="DIR", help="write the files into this folder")
    add_ledger(command)
    add_refresh(command)
    command.add_argument(
        "--create-blocks",
        type=Path,
        metavar="DATA_DIR",
        help="also make blocks of the files with promtool, in this data directory of a Prometheus",
    )
    command.add_argument(
        "--retention",
        type=argument_types.retention,
        default="15d",
        metavar="TIME",
        help="how long that Prometheus keeps blocks (default: %(default)s, like Prometheus)",
    )
    sent = command.add_mutually_exclusive_group()
    sent.add_argument(
        "--compare",
        action="store_true",
        help="instead of files: print the days that the store behind history.remote_write has otherwise",
    )
    sent.add_argument(
        "--resend-since",
        type=argument_types.day,
        metavar="DATE",
        help="instead of files: let remote write send again what the store lacks from this UTC day on",
    )


def run(chosen: argparse.Namespace) -> int:
    """Write past hours and billing days as OpenMetrics files, a file of each per month."""
    now = datetime.now(UTC)
    files = (chosen.first, chosen.end, chosen.out)
    if chosen.compare or chosen.resend_since:
        if any(files):
            return print_usage_problem(
                "--compare and --resend-since write no files: leave out --from, --to, --out"
            )
        well = compare_or_resend(load(chosen.config), chosen.ledger, chosen.resend_since, now)
        return 0 if well else EXIT_TROUBLE
    if not all(files):
        return print_usage_problem("give --from, --to and --out; or --compare, or --resend-since")
    if not days_in_order(chosen.first, chosen.end):
        return EXIT_USAGE
    data: Path | None = chosen.create_blocks
    try:
        succeeded = backfill(
            load(chosen.config),
            chosen.first,
            chosen.end,
            chosen.out,
            ledger=chosen.ledger,
            refresh=chosen.refresh,
            blocks=Blocks(data, chosen.retention) if data else None,
            now=now,
        )
    except UnsafeError as error:
        return print_usage_problem(str(error))
    return 0 if succeeded else EXIT_TROUBLE


def backfill(
    config: Config,
    first: date,
    end: date,
    out: Path,
    *,
    ledger: str | None,
    refresh: bool,
    blocks: Blocks | None,
    now: datetime,
) -> bool:
    """Write files of the billing days in [first, end) and make blocks of them; return whether all went well.

    Raises LedgerError, UnsafeError, OSError.
    """
    job = (config.history.job if config.history else None) or ""
    out.mkdir(parents=True, exist_ok=True)
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        windows = _windows(opened, first, end)
        files: list[MonthFile] = []
        if windows:
            show = progress_bar("writing files", len(months_of(windows)))
            history = History(opened.view, opened.timezones, history_divisions(config), job)
            files = write_months(history, windows, out, show)
        failed = opened.failed
    for name in failed:
        logger.error("source %s could not be read; the files contain what it reported before", name)
    if not files:
        logger.error("the ledger has no cost for the days from %s to before %s", first, end)
        return False
    if max(file.last_second for file in files) > (now - UNSETTLED).timestamp():
        logger.warning(
            "bills of the last %d days usually still grow, and samples in Prometheus do not change "
            "with them: "
            "choose an earlier day for --to, or replace these days later",
            UNSETTLED.days,
        )
    for file in files:
        print(f"{file.path}  {file.samples} samples")  # noqa: T201
    try:
        if blocks is not None:
            check_safe(files, windows, blocks.data, blocks.retention, now, job=job)
            made = create_blocks(files, blocks.data, progress_bar("making blocks", len(files)))
            print(f"{blocks.data}  {len(made)} blocks")  # noqa: T201
    except PromtoolError as error:
        logger.error("%s", error)  # noqa: TRY400 (the text is complete)
        return False
    return not failed


def _windows(opened: OpenedLedger, first: date, end: date) -> Mapping[str, Window]:
    """The days of each provider in its own zone, without days whose charges are deleted, even in part."""
    kept = forgotten_before(opened.view)
    windows = {}
    for provider, zone in opened.timezones.items():
        day = first
        while kept is not None and day < end and billing_days(day, end, zone)[0] < kept:
            day += timedelta(days=1)
        if day > first:
            logger.warning(
                "%s: charges of usage before %s have been deleted (ledger_keep_days)", provider, day
            )
        if day < end:
            windows[provider] = billing_days(day, end, zone)
    return windows
