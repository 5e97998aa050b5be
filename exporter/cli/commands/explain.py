"""`spend-exporter explain`: why the cost of a day, or of other days, differs from that of the ones before."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from exporter.cli.arguments import (
    EXIT_TROUBLE,
    add_ledger,
    add_refresh,
    print_usage_problem,
)
from exporter.cli.running_exporter import (
    access_of,
    add_access,
    add_config_or_running,
    asked_or_read,
    configured,
)
from exporter.config.model import Config
from exporter.questions.bills import bills_of
from exporter.questions.cost_question import read_parameters
from exporter.questions.explain import answer_explain
from exporter.questions.explain_answer import ExplainAnswer, ExplainParameters
from exporter.questions.explain_text import explain_text
from exporter.questions.problem import QuestionError
from exporter.wiring.dimensions import configured_dimensions
from exporter.wiring.ledger import opened_ledger

logger = logging.getLogger(__name__)

_PARAMETERS: Final = ("day", "from", "to", "compare", "where", "top")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `explain`."""
    add_config_or_running(command)
    command.add_argument(
        "--day",
        metavar="DATE",
        help="the billing day to explain: 2026-11-17, tuesday (the last one) or now-1d (default: yesterday)",
    )
    command.add_argument("--from", dest="from", metavar="DATE", help="first billing day of a longer span")
    command.add_argument("--to", metavar="DATE", help="its end, excluded (default: now)")
    command.add_argument(
        "--compare",
        choices=("previous", "week"),
        help="with as many days (or whole months) just before, or a week before (default: previous)",
    )
    command.add_argument(
        "--where",
        metavar="CONDITIONS",
        help="only such charges: `project:shop-*,label.team:core`; * is any text, ? any character",
    )
    command.add_argument("--top", metavar="N", help="show the N largest causes and groups (default: 10)")
    command.add_argument("--format", choices=("text", "json"), default="text")
    add_ledger(command)
    add_refresh(command)
    add_access(command)


def run(chosen: argparse.Namespace) -> int:
    """Say why a cost changed, split exactly; exit 1 if neither span has any cost.

    Asks the running exporter where one has the ledger, and reads the ledger itself where none does.
    """
    query = {name: value for name in _PARAMETERS if (value := getattr(chosen, name))}
    try:
        answer, complete = asked_or_read(
            configured(chosen, "ledger", "refresh"),
            access_of(chosen),
            path="/api/v1/explain",
            query=query,
            model=ExplainAnswer,
            read=lambda config: _read_here(config, query, ledger=chosen.ledger, refresh=chosen.refresh),
            only_here=bool(chosen.ledger or chosen.refresh),
        )
    except QuestionError as error:
        return print_usage_problem(f"--{error}")
    if not answer.causes:
        logger.error("there is no such cost from %s to before %s", answer.compared_with.from_, answer.to)
        return EXIT_TROUBLE
    if chosen.format == "json":
        sys.stdout.write(answer.model_dump_json(by_alias=True, indent=2) + "\n")
    else:
        sys.stdout.write(explain_text(answer))
    return 0 if complete else EXIT_TROUBLE


def _read_here(
    config: Config, query: dict[str, str], *, ledger: str | None, refresh: bool
) -> tuple[ExplainAnswer, tuple[str, ...]]:
    parameters = read_parameters(ExplainParameters, query.items())
    now = datetime.now(UTC)
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        bills = bills_of(opened.view, opened.timezones, now)
        answer = answer_explain(opened.view, parameters, configured_dimensions(config), bills, now)
        return answer, opened.failed
