"""The command line: reads the arguments, runs the command, and turns failures into exit codes.

Exit 0: done; 1: ran and found problems; 2: wrong usage or configuration; 130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from exporter import __version__
from exporter.cli.arguments import EXIT_INTERRUPTED, EXIT_TROUBLE, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Its file in `exporter.cli.commands` has `add_arguments` and `run`."""

    name: str
    summary: str
    log_level: str = "info"


COMMANDS: Final = (
    Command("serve", "refresh in the background and answer scrapes"),
    Command("demo", "serve the bill of a simulated company, no account needed"),
    Command("snapshot", "refresh every source once, print the metrics, exit"),
    Command(
        "backtest",
        "compare what the nowcast would have estimated on each past day with the final bill",
        "warning",
    ),
    Command(
        "backfill", "write the cost of each past usage hour as files or blocks for Prometheus", "warning"
    ),
    Command(
        "history", "show what was spent, when and on what, from the ledger or the log of snapshots", "warning"
    ),
    Command("top", "show what is spent now, live in a terminal", "warning"),
    Command("explain", "say why a cost changed between two days or other spans", "warning"),
    Command("report", "write what a month, week or day has cost as a page, Markdown or CSV", "warning"),
    # Its findings describe what is wrong; warnings of libraries would only mix with them.
    Command(
        "check", "check that each source answers and has its permissions, and estimate its cost", "error"
    ),
    Command("accept-retraction", "let charges leave the figures that are gone at their source"),
    Command("metrics", "print the metric reference"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    chosen = _parser(given).parse_args(given)
    logging.basicConfig(
        level=chosen.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    # Loaded only once there is a command to run, so that --help is quick.
    from exporter.config.problems import ConfigError  # noqa: PLC0415
    from exporter.ledger.opening import LedgerError  # noqa: PLC0415

    try:
        code: int = chosen.run(chosen)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    except (LedgerError, OSError) as error:
        print(f"spend-exporter: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_TROUBLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spend-exporter", description="What a team spends, as Prometheus metrics."
    )
    parser.add_argument("--version", action="version", version=f"spend-exporter {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    name = next((word for word in given if not word.startswith("-")), None)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.summary)
        if command.name == name:
            _complete(subparser, command)
    return parser


def _complete(subparser: argparse.ArgumentParser, command: Command) -> None:
    """Add the command's own arguments. Only the chosen command is loaded, as DuckDB takes its time."""
    module = import_module(f"exporter.cli.commands.{command.name.replace('-', '_')}")
    subparser.description = module.run.__doc__
    module.add_arguments(subparser)
    subparser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=command.log_level,
        help="how much to write to standard error (default: %(default)s)",
    )
    subparser.set_defaults(run=module.run)
