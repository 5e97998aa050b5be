"""The commands about the past on the command line: `backfill` and `history`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli import argument_types
from exporter.config.model import load

if TYPE_CHECKING:
    from exporter.cli.commands.history import Asked

_EXIT_TROUBLE = 1
_EXIT_USAGE = 2

_Commands = argparse._SubParsersAction  # the type has no public name


def add_backfill(commands: _Commands[argparse.ArgumentParser]) -> None:
    """Add `backfill` to the commands."""
    command = commands.add_parser(
        "backfill",
        help="write the cost of each past usage hour for Prometheus, as files or blocks",
        description=_run_backfill.__doc__,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    command.add_argument(
        "--from", dest="first", type=argument_types.day, required=True, metavar="DATE", help="billing day"
    )
    command.add_argument(
        "--to", dest="end", type=argument_types.day, required=True, metavar="DATE", help="excluded"
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    _add_reading(command)
    command.add_argument(
        "--create-blocks",
        type=Path,
        metavar="DATA_DIR",
        help="have promtool make blocks of the files, in this data directory of a Prometheus",
    )
    command.add_argument(
        "--retention",
        type=argument_types.retention,
        default="15d",
        metavar="TIME",
        help="how long that Prometheus keeps blocks (default: %(default)s, as its own)",
    )
    command.set_defaults(run=_run_backfill, log_level="warning")


def add_history(commands: _Commands[argparse.ArgumentParser]) -> None:
    """Add `history` to the commands."""
    command = commands.add_parser(
        "history",
        help="say what was spent when, and on what, from the ledger or the log of snapshots",
        description=_run_history.__doc__,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    command.add_argument("--by", choices=("day", "week", "month"), default="day", help="default: %(default)s")
    command.add_argument(
        "--group",
        choices=("service", "provider", "model", "category", "project"),
        default="service",
        help="default: %(default)s",
    )
    command.add_argument(
        "--from",
        dest="first",
        type=argument_types.day,
        metavar="DATE",
        help="billing day (default: 14 days, 8 weeks or 6 months)",
    )
    command.add_argument(
        "--to", dest="end", type=argument_types.day, metavar="DATE", help="excluded (default: tomorrow)"
    )
    command.add_argument(
        "--compare", action="store_true", help="beside the time of the same length before: what moved most"
    )
    command.add_argument(
        "--top",
        type=argument_types.count,
        default="8",
        metavar="N",
        help="groups on their own (default: %(default)s)",
    )
    command.add_argument("--format", choices=("table", "csv", "json"), default="table")
    command.add_argument(
        "--plot", type=argument_types.plot_file, metavar="FILE", help="draw it as well, as PNG"
    )
    _add_reading(command)
    command.add_argument(
        "--from-log",
        action="store_true",
        help="what `history.jsonl` told at each day's end, estimates included, by service or provider",
    )
    command.set_defaults(run=_run_history, log_level="warning")


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ledger",
        metavar="FILE",
        help="another ledger than the configured one, which `serve` may hold; `:memory:` reads all anew",
    )
    command.add_argument("--refresh", action="store_true", help="read every source once before")


def _run_backfill(chosen: argparse.Namespace) -> int:
    """Write spend_hourly_usd of past days as OpenMetrics files, one a month, each hour's cost at its hour."""
    from exporter.cli.commands.backfill import Blocks, backfill  # noqa: PLC0415
    from exporter.cli.commands.backfill_blocks import UnsafeError  # noqa: PLC0415

    data: Path | None = chosen.create_blocks
    if not _in_order(chosen.first, chosen.end):
        return _EXIT_USAGE
    try:
        succeeded = backfill(
            load(chosen.config),
            chosen.first,
            chosen.end,
            chosen.out,
            ledger=chosen.ledger,
            refresh=chosen.refresh,
            blocks=Blocks(data, chosen.retention) if data else None,
            now=datetime.now(UTC),
        )
    except UnsafeError as error:
        print(f"spend-exporter: {error}", file=sys.stderr)  # noqa: T201
        return _EXIT_USAGE
    return 0 if succeeded else _EXIT_TROUBLE


def _run_history(chosen: argparse.Namespace) -> int:
    """Say what was billed by day, week or month of usage, and on what: exit 1 if there is nothing."""
    from exporter.cli.commands.history import Asked, history  # noqa: PLC0415

    if not _in_order(chosen.first, chosen.end):
        return _EXIT_USAGE
    asked = Asked(chosen.by, chosen.group, chosen.first, chosen.end, chosen.compare, chosen.top)
    if chosen.from_log:
        return _run_history_from_log(chosen, asked)
    succeeded = history(
        load(chosen.config),
        asked,
        ledger=chosen.ledger,
        refresh=chosen.refresh,
        form=chosen.format,
        plot=chosen.plot,
        now=datetime.now(UTC),
    )
    return 0 if succeeded else _EXIT_TROUBLE


def _run_history_from_log(chosen: argparse.Namespace, asked: Asked) -> int:
    from exporter.cli.commands.history_from_log import GROUPS, history_from_log  # noqa: PLC0415

    problem = None
    if asked.group not in GROUPS:
        problem = f"the log does not tell cost by {asked.group}: say --group service or provider"
    elif chosen.ledger or chosen.refresh:
        problem = "--from-log reads no ledger: leave out --ledger and --refresh, or --from-log"
    if problem:
        print(f"spend-exporter: {problem}", file=sys.stderr)  # noqa: T201
        return _EXIT_USAGE
    now = datetime.now(UTC)
    succeeded = history_from_log(load(chosen.config), asked, form=chosen.format, plot=chosen.plot, now=now)
    return 0 if succeeded else _EXIT_TROUBLE


def _in_order(first: date | None, end: date | None) -> bool:
    if first is None or end is None or first < end:
        return True
    print(f"spend-exporter: --to {end} is excluded, so it must be after --from {first}", file=sys.stderr)  # noqa: T201
    return False
