"""`spend-exporter top`: what is spent now, live in a terminal, from a running exporter's stream."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from io import TextIOWrapper
from pathlib import Path

from rich.console import Console

from exporter.cli.arguments import print_usage_problem
from exporter.cli.commands.top_screen import Screen
from exporter.cli.commands.top_view import View, whole_view
from exporter.cli.running_exporter import access_of, add_access, configured_url
from exporter.client import QuestionError, SpendClient
from exporter.client.access import DEFAULT_URL
from exporter.config.model import load


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `top`."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"show the exporter at this configuration's `listen` (default: the one at {DEFAULT_URL})",
    )
    add_access(command)
    command.add_argument(
        "--once",
        action="store_true",
        help="print everything once and exit; also where the output is no terminal",
    )
    command.add_argument("--svg", type=Path, metavar="FILE", help="write the view as a picture and exit")


def run(chosen: argparse.Namespace) -> int:
    """Show today's cost, budgets, services, Cloud Run, activity and sources live; q quits.

    Obeys NO_COLOR, COLUMNS and LINES. Exit 1 if no exporter answers.
    """
    default_url = configured_url(load(chosen.config)) if chosen.config else DEFAULT_URL
    try:
        client = access_of(chosen).client(default_url)
    except QuestionError as error:
        return print_usage_problem(f"--{error}")
    with client:
        if chosen.svg:
            _draw(client, chosen.svg)
            return 0
        if isinstance(sys.stdout, TextIOWrapper):
            # A terminal without a letter of a name shows ? in its place.
            sys.stdout.reconfigure(errors="replace")
        # Names of services come from bills: nothing in them is markup.
        console = Console(markup=False, highlight=False, emoji=False)
        if chosen.once or not console.is_terminal or console.is_dumb_terminal:
            console.print(whole_view(View(client.access.base, client.summary()), console.options))
            return 0
        return asyncio.run(Screen(client, console, sys.stdin).show())


def _draw(client: SpendClient, file: Path) -> None:
    """Write the view as SVG, as a terminal of the size of COLUMNS and LINES would show it."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere,
            record=True,
            force_terminal=True,
            color_system="truecolor",
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )
        console.print(View(client.access.base, client.summary()))
        drawn = console.export_svg(title="spend-exporter top")
        # Without the library's own font, which it would fetch from elsewhere.
        drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
        file.write_text(drawn.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")
