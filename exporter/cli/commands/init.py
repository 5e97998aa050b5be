"""`spend-exporter init`: find what there is to read, write a configuration for it, and check it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from exporter.cli.arguments import EXIT_TROUBLE, print_usage_problem
from exporter.cli.commands.check import check
from exporter.cli.commands.check_report import TextReport
from exporter.cli.commands.init_google import google_answers
from exporter.cli.commands.init_questions import Questions, asked_answers
from exporter.cli.commands.init_text import Answers, configuration_text
from exporter.config.model import load, parse


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `init`."""
    command.add_argument(
        "--output", type=Path, default=Path("spend.yml"), metavar="FILE", help="default: %(default)s"
    )
    command.add_argument("--force", action="store_true", help="replace the file if it exists")
    command.add_argument("--yes", action="store_true", help="ask nothing and take what is found")
    command.add_argument("--no-check", action="store_true", help="do not check the configuration afterwards")
    google = command.add_argument_group("Google Cloud")
    google.add_argument("--no-google", action="store_true", help="do not look for a billing export")
    google.add_argument("--credentials", type=Path, metavar="FILE", help="instead of the default credentials")
    google.add_argument("--impersonate", metavar="ACCOUNT", help="act as this service account")
    google.add_argument(
        "--project", action="append", default=[], metavar="ID", help="look only here; may be repeated"
    )
    google.add_argument(
        "--no-live-usage", action="store_true", help="read the bill alone, nothing from Cloud Monitoring"
    )
    google.add_argument(
        "--export-file", action="append", default=[], metavar="GLOB", help="files in place of BigQuery"
    )
    others = command.add_argument_group("everything else")
    others.add_argument("--focus", action="append", default=[], metavar="GLOB", help="bills in FOCUS format")
    others.add_argument("--usage-log", action="append", default=[], metavar="GLOB", help="calls of models")
    others.add_argument("--openai-key-file", type=Path, metavar="FILE", help="the file of an admin key")
    others.add_argument("--anthropic-key-file", type=Path, metavar="FILE", help="the file of an admin key")
    others.add_argument("--monthly-budget", type=float, metavar="USD", help="for all providers together")


def run(chosen: argparse.Namespace) -> int:
    """Find billing exports, write a configuration with comments, and check it; ask what cannot be known."""
    if chosen.output.exists() and not chosen.force:
        return print_usage_problem(
            f"{chosen.output} exists already; name another --output, or give --force to replace it"
        )
    if chosen.monthly_budget is not None and not 0 < chosen.monthly_budget < 1e12:
        return print_usage_problem("--monthly-budget is a number of dollars above 0")
    questions = Questions(sys.stdin, sys.stderr) if _may_ask(chosen) else None
    answers = _of_flags(chosen)
    if not chosen.no_google and not answers.export_files:
        answers = google_answers(answers, chosen.project, questions)
    if chosen.no_live_usage:
        answers = replace(answers, project_ids=())
    if questions is not None:
        answers = asked_answers(answers, questions)
    if not answers.has_source:
        print_usage_problem(
            "nothing to read was found or named, so no configuration is written: see the flags of "
            "`spend-exporter init --help`, or `spend-exporter demo` for figures without an account"
        )
        return EXIT_TROUBLE
    return _write(chosen, answers)


def _write(chosen: argparse.Namespace, answers: Answers) -> int:
    text = configuration_text(answers)
    # What is wrong with an answer is reported before there is a file.
    parse(text, chosen.output.absolute().parent)
    chosen.output.write_text(text, encoding="utf-8")
    print(f"wrote {chosen.output}\n", file=sys.stderr)  # noqa: T201
    well = True
    if not chosen.no_check:
        well = check(load(chosen.output), chosen.output, TextReport(sys.stdout), datetime.now(UTC))
    print(f"\nnext: spend-exporter serve --config {chosen.output}", file=sys.stderr)  # noqa: T201
    return 0 if well else EXIT_TROUBLE


def _may_ask(chosen: argparse.Namespace) -> bool:
    return not chosen.yes and sys.stdin.isatty() and sys.stderr.isatty()


def _of_flags(chosen: argparse.Namespace) -> Answers:
    folder = chosen.output.absolute().parent
    return Answers(
        credentials=_path_from(folder, chosen.credentials),
        impersonate=chosen.impersonate,
        export_files=_globs_from(folder, chosen.export_file),
        focus_files=_globs_from(folder, chosen.focus),
        usage_logs=_globs_from(folder, chosen.usage_log),
        openai_key_file=_path_from(folder, chosen.openai_key_file),
        anthropic_key_file=_path_from(folder, chosen.anthropic_key_file),
        monthly_budget_usd=chosen.monthly_budget,
    )


def _path_from(folder: Path, path: Path | None) -> Path | None:
    """A path of the command line as the configuration needs it: relative to the configuration's folder."""
    if path is None or folder == Path.cwd():
        return path
    return path.expanduser().absolute()


def _globs_from(folder: Path, globs: Sequence[str]) -> list[str]:
    if folder == Path.cwd():
        return list(globs)
    return [each if "://" in each else os.path.abspath(Path(each).expanduser()) for each in globs]  # noqa: PTH100
