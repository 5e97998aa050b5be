"""Arguments and exit codes that several commands share."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import Final

from exporter.cli import argument_types
from exporter.core.printable import shown_line

EXIT_TROUBLE: Final = 1
"""The command ran and found problems."""

EXIT_USAGE: Final = 2
"""Wrong usage or configuration."""

EXIT_INTERRUPTED: Final = 130
"""Ctrl-C."""


def add_config(command: argparse.ArgumentParser) -> None:
    """Add `--config`."""
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")


def add_ledger(command: argparse.ArgumentParser) -> None:
    """Add `--ledger`."""
    command.add_argument(
        "--ledger",
        metavar="FILE",
        help="use this ledger, for example while `serve` holds the configured one; `:memory:` reads every "
        "source again",
    )


def add_refresh(command: argparse.ArgumentParser) -> None:
    """Add `--refresh`."""
    command.add_argument("--refresh", action="store_true", help="read every source once first")


def add_plot(command: argparse.ArgumentParser) -> None:
    """Add `--plot`."""
    command.add_argument(
        "--plot", type=argument_types.plot_file, metavar="FILE", help="also draw the result, as PNG"
    )


def add_listen(command: argparse.ArgumentParser) -> None:
    """Add `--listen`."""
    command.add_argument(
        "--listen",
        type=argument_types.address,
        metavar="HOST:PORT",
        help="where to listen; overrides the key `listen` (default: 127.0.0.1:9877); port 0 takes a free one",
    )


def print_address(url: str) -> None:
    """Print where the figures are, on standard error: standard output belongs to the command."""
    print(f"metrics  {url}/metrics\nstatus   {url}/", file=sys.stderr, flush=True)  # noqa: T201


def print_usage_problem(problem: str) -> int:
    """Print what is wrong with the arguments and return the exit code for it."""
    print(shown_line(f"spend-exporter: {problem}"), file=sys.stderr)  # noqa: T201
    return EXIT_USAGE


def days_in_order(first: date | None, end: date | None) -> bool:
    """Return whether [first, end) contains a day; if not, print what is wrong."""
    if first is None or end is None or first < end:
        return True
    print_usage_problem(f"--to {end} is excluded, so it must be after --from {first}")
    return False
