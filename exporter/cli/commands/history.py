"""`spend-exporter history`: what was billed, when and for what, by the time of usage."""

from __future__ import annotations

import argparse
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from exporter.cli import argument_types
from exporter.cli.arguments import (
    EXIT_TROUBLE,
    EXIT_USAGE,
    add_ledger,
    add_plot,
    add_refresh,
    days_in_order,
    print_usage_problem,
)
from exporter.cli.commands.history_from_log import GROUPS, history_from_log
from exporter.cli.commands.history_from_questions import history_answer, history_from_questions
from exporter.cli.commands.history_per_unit import print_unit_costs
from exporter.cli.commands.history_question import MEASURES, STEPS, HistoryQuestion, print_answer
from exporter.cli.commands.history_report import Form
from exporter.cli.running_exporter import Chosen, access_of, add_access, add_config_or_running, configured
from exporter.config.model import Config
from exporter.questions.problem import QuestionError

logger = logging.getLogger(__name__)

_DEFAULT_GROUP: Final = "service"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `history`."""
    add_config_or_running(command)
    command.add_argument(
        "--by",
        default="",
        metavar="WHAT",
        help="day, week or month (default: day), and dimensions (default: service): provider, "
        "billing_account, project, service, sku, sku_id, region, model, category, charge_category, "
        "label.KEY; separated by commas: `--by week,sku`",
    )
    command.add_argument("--group", metavar="DIMENSION", help="the same as a dimension in --by")
    command.add_argument(
        "--where",
        metavar="CONDITIONS",
        help="only such charges: `project:shop-*,label.team:core`; * is any text, ? any character",
    )
    command.add_argument(
        "--per",
        metavar="UNIT",
        help="what one unit of `unit_costs` has cost, such as `--per order`: of the charges that it costs",
    )
    begin = command.add_mutually_exclusive_group()
    begin.add_argument(
        "--last",
        type=argument_types.last_days,
        metavar="TIME",
        help="the last days, today included: 30d or 8w",
    )
    begin.add_argument(
        "--from",
        dest="first",
        type=argument_types.day,
        metavar="DATE",
        help="first billing day (default: the last 14 days, 8 weeks or 6 months)",
    )
    command.add_argument(
        "--to", dest="end", type=argument_types.day, metavar="DATE", help="end, excluded (default: tomorrow)"
    )
    command.add_argument(
        "--measure",
        choices=MEASURES,
        default="net",
        help="net: all charges; gross: without credits; credits: alone; list: gross at list prices "
        "(default: %(default)s)",
    )
    command.add_argument("--compare", action="store_true", help="compare with the previous period")
    command.add_argument(
        "--top",
        type=argument_types.count,
        default="8",
        metavar="N",
        help="show the N largest groups, sum the rest (default: %(default)s)",
    )
    command.add_argument("--format", choices=("table", "csv", "json"), default="table")
    add_plot(command)
    add_ledger(command)
    add_refresh(command)
    add_access(command)
    command.add_argument(
        "--from-log",
        action="store_true",
        help="show what `history.jsonl` recorded at each day's end, estimates included, by service or "
        "provider",
    )


def run(chosen: argparse.Namespace) -> int:
    """Show what was billed by day, week or month of usage, and for what; exit 1 if there is nothing.

    Asks the running exporter where one has the ledger, and reads the ledger itself where none does.
    """
    if not days_in_order(chosen.first, chosen.end):
        return EXIT_USAGE
    if chosen.last and chosen.end:
        return print_usage_problem("--last ends now: with --to, give --from")
    asked = [part for part in chosen.by.split(",") if part]
    steps = [part for part in asked if part in STEPS]
    if len(steps) > 1:
        return print_usage_problem(f"--by has {' and '.join(steps)}: choose one")
    groups = [part for part in [*asked, *([chosen.group] if chosen.group else [])] if part not in STEPS]
    question = HistoryQuestion(
        STEPS[steps[0]] if steps else "day",
        ",".join(groups) or ("" if chosen.per else _DEFAULT_GROUP),
        chosen.first,
        chosen.end,
        chosen.compare,
        chosen.top,
        chosen.where,
        chosen.measure,
        chosen.last,
        chosen.per,
    )
    try:
        return _answered(chosen, question, datetime.now(UTC))
    except QuestionError as error:
        return print_usage_problem(f"--{error}")


def _answered(chosen: argparse.Namespace, question: HistoryQuestion, now: datetime) -> int:
    config = configured(chosen, "from-log", "ledger", "refresh")
    if config is not None and chosen.from_log:
        problem = _problem_of_log(chosen, question)
        if problem:
            return print_usage_problem(problem)
        succeeded = history_from_log(config, question, form=chosen.format, plot=chosen.plot, now=now)
        return 0 if succeeded else EXIT_TROUBLE
    if question.per and chosen.plot:
        raise QuestionError("plot", "does not go with --per: draw the answer of --format csv")
    succeeded = history(
        config,
        question,
        ledger=chosen.ledger,
        refresh=chosen.refresh,
        access=access_of(chosen),
        form=chosen.format,
        plot=chosen.plot,
        now=now,
    )
    return 0 if succeeded else EXIT_TROUBLE


def _problem_of_log(chosen: argparse.Namespace, question: HistoryQuestion) -> str | None:
    if question.group not in GROUPS or question.where:
        return f"the log has no cost by {question.group}: use --by service or --by provider, without --where"
    if question.measure != "net":
        return "the log has what was shown then, net: remove --measure, or remove --from-log"
    if question.per or question.last_days:
        return "the log has no units, and --last is about the ledger: remove --per and --last"
    if chosen.ledger or chosen.refresh or chosen.url:
        return (
            "--from-log does not read the ledger: remove --ledger, --refresh and --url, or remove --from-log"
        )
    return None


def history(
    config: Config | None,
    question: HistoryQuestion,
    *,
    ledger: str | None,
    refresh: bool,
    access: Chosen,
    form: Form,
    plot: Path | None,
    now: datetime,
) -> bool:
    """Print the answer and draw it; return whether it has any cost and every source could be read.

    Raises QuestionError, LedgerError, OSError.
    """
    answer, complete = history_from_questions(
        config, question, ledger=ledger, refresh=refresh, access=access, now=now
    )
    if answer.missing_sources:
        missing = ", ".join(answer.missing_sources)
        logger.warning("not read to the end yet, so nothing of it is in the answer: %s", missing)
    if answer.per_unit is not None:
        return print_unit_costs(answer, answer.per_unit, question.by, form) and complete
    return print_answer(history_answer(question, answer), form, plot) and complete
