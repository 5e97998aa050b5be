"""The commands and the parser of their arguments. It names what was probably meant by a mistyped word."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, NoReturn

from exporter import __version__
from exporter.cli.log_formats import LOG_FORMATS

PROGRAM: Final = "spend-exporter"


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Its file in `exporter.cli.commands` has `add_arguments` and `run`."""

    name: str
    summary: str
    log_level: str = "info"


COMMANDS: Final = (
    Command("init", "find what there is to read, write a configuration for it, and check it", "error"),
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
    Command("health", "ask the running exporter whether it lives, for the health check of a container"),
    Command("config", "print the JSON Schema of the configuration file, for editors"),
    Command("metrics", "print the metric reference"),
    Command("completion", "print a script for your shell that completes commands and flags"),
)


def parser_for(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these arguments. Only the chosen command is loaded, as DuckDB takes its time."""
    chosen = next((word for word in given if not word.startswith("-")), None)
    return _parser(given, [chosen])


def full_parser() -> argparse.ArgumentParser:
    """The parser with the arguments of every command."""
    return _parser((), [command.name for command in COMMANDS])


def _parser(given: Sequence[str], complete: Sequence[str | None]) -> argparse.ArgumentParser:
    parser = _SuggestingParser(prog=PROGRAM, description="What a team spends, as Prometheus metrics.")
    parser.given = given
    parser.add_argument("--version", action="version", version=f"spend-exporter {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.summary)
        subparser.given = given
        if command.name in complete:
            _complete(subparser, command)
    return parser


def _complete(subparser: argparse.ArgumentParser, command: Command) -> None:
    """Add the command's own arguments."""
    module = import_module(f"exporter.cli.commands.{command.name.replace('-', '_')}")
    subparser.description = module.run.__doc__
    module.add_arguments(subparser)
    subparser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=command.log_level,
        help="how much to write to standard error (default: %(default)s)",
    )
    subparser.add_argument(
        "--log-format",
        choices=tuple(LOG_FORMATS),
        default="text",
        help="how each line of the log is written (default: %(default)s)",
    )
    subparser.set_defaults(run=module.run)


class _SuggestingParser(argparse.ArgumentParser):
    """A parser whose errors name the nearest command or flag."""

    given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and what was probably meant, and exit with code 2."""
        meant = [f"did you mean {name} instead of {word}?" for word, name in self._meant()]
        super().error("; ".join([message, *meant]))

    def _meant(self) -> Iterator[tuple[str, str]]:
        """Yield (word, what it probably means) for the command, choices and flags that do not exist."""
        flags, words = _known(self)
        for word in self.given:
            flag = word.partition("=")[0]
            if flag.startswith("--"):
                if not any(name.startswith(flag) for name in flags):
                    yield from ((flag, name) for name in _nearest(flag, flags))
            elif word not in words:
                yield from ((word, name) for name in _nearest(word, words))


def _nearest(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)


def _known(parser: argparse.ArgumentParser) -> tuple[set[str], set[str]]:
    """The flags of a parser and of its commands, and the words that stand for themselves."""
    flags: set[str] = set()
    words: set[str] = set()
    for action in parser._actions:
        flags.update(name for name in action.option_strings if name.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            words.update(action.choices)
            for subparser in action.choices.values():
                inner_flags, inner_words = _known(subparser)
                flags |= inner_flags
                words |= inner_words
        elif action.choices is not None:
            words.update(map(str, action.choices))
    return flags, words
