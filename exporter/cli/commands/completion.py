"""`spend-exporter completion`: the script with which a shell completes commands, flags and files."""

from __future__ import annotations

import argparse
import sys

import shtab

from exporter.cli.parser import full_parser


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    command.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell that will read the script")


def run(chosen: argparse.Namespace) -> int:
    """Print a script for a shell, which then completes this program's commands and flags."""
    parser = full_parser()
    _complete_files(parser)
    sys.stdout.write(shtab.complete(parser, chosen.shell) + "\n")
    return 0


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Let the shell offer files for each argument that takes one."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                _complete_files(subparser)
        elif action.metavar in ("FILE", "DIR", "DATA_DIR"):
            action.complete = shtab.FILE if action.metavar == "FILE" else shtab.DIRECTORY  # type: ignore[attr-defined]
