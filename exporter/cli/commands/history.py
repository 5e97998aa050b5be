"""`spend-exporter history`: what was billed, when and for what, by the time of usage."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.attribution import Attribution, Combination
from exporter.analysis.bill.periods import (
    CostPeriods,
    Period,
    cost_periods,
)
from exporter.cli import argument_types
from exporter.cli.arguments import (
    EXIT_TROUBLE,
    EXIT_USAGE,
    add_config,
    add_ledger,
    add_plot,
    add_refresh,
    days_in_order,
    print_usage_problem,
)
from exporter.cli.commands.history_from_log import GROUPS, history_from_log
from exporter.cli.commands.history_question import Grouping, HistoryQuestion, print_answer, question_periods
from exporter.cli.commands.history_report import Form, HistoryAnswer
from exporter.config.model import Config, load
from exporter.ledger.charges.hourly import usage_bounds
from exporter.ledger.charges.periods import period_costs
from exporter.metrics.model_names import ModelNames
from exporter.sources.registry import HOURLY_BILLS
from exporter.wiring.ledger import OpenedLedger, opened_ledger
from exporter.wiring.sources import figure_settings

logger = logging.getLogger(__name__)


_REST_OF_DAY: Final = timedelta(hours=23)

NameOf = Callable[[Combination], str | None]
"""Returns the group of a charge; None leaves the charge out."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `history`."""
    add_config(command)
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
        help="first billing day (default: the last 14 days, 8 weeks or 6 months)",
    )
    command.add_argument(
        "--to", dest="end", type=argument_types.day, metavar="DATE", help="end, excluded (default: tomorrow)"
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
    command.add_argument(
        "--from-log",
        action="store_true",
        help="show what `history.jsonl` recorded at each day's end, estimates included, by service or "
        "provider",
    )


def run(chosen: argparse.Namespace) -> int:
    """Show what was billed by day, week or month of usage, and for what; exit 1 if there is nothing."""
    if not days_in_order(chosen.first, chosen.end):
        return EXIT_USAGE
    question = HistoryQuestion(chosen.by, chosen.group, chosen.first, chosen.end, chosen.compare, chosen.top)
    config = load(chosen.config)
    now = datetime.now(UTC)
    if chosen.from_log:
        if question.group not in GROUPS:
            return print_usage_problem(
                f"the log has no cost by {question.group}: use --group service or provider"
            )
        if chosen.ledger or chosen.refresh:
            return print_usage_problem(
                "--from-log does not read the ledger: remove --ledger and --refresh, or --from-log"
            )
        succeeded = history_from_log(config, question, form=chosen.format, plot=chosen.plot, now=now)
    else:
        succeeded = history(
            config,
            question,
            ledger=chosen.ledger,
            refresh=chosen.refresh,
            form=chosen.format,
            plot=chosen.plot,
            now=now,
        )
    return 0 if succeeded else EXIT_TROUBLE


def history(
    config: Config,
    question: HistoryQuestion,
    *,
    ledger: str | None,
    refresh: bool,
    form: Form,
    plot: Path | None,
    now: datetime,
) -> bool:
    """Print the answer and draw it; return whether it has any cost and every source could be read.

    Raises LedgerError, OSError.
    """
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        name_of = _naming(config, question.group)
        table = _table(opened, question, name_of, now)
        bounds = {provider: usage_bounds(opened.view, provider) for provider in opened.timezones}
        billed = {
            # A bill by the day has its cost at the day's first hour.
            provider: (bound[0], bound[1] + (timedelta() if provider in HOURLY_BILLS else _REST_OF_DAY))
            for provider, bound in bounds.items()
            if bound is not None
        }
        failed = opened.failed
    for name in failed:
        logger.error("source %s could not be read; the figures are what it reported before", name)
    return print_answer(HistoryAnswer(table, question.by, question.group, billed), form, plot) and not failed


def _table(opened: OpenedLedger, question: HistoryQuestion, name_of: NameOf, now: datetime) -> CostPeriods:
    shown, before = question_periods(question, opened.timezones.values(), now)
    costs = _costs(opened, shown, name_of)
    return cost_periods(shown, before, costs, _costs(opened, before, name_of), question.top)


def _costs(
    opened: OpenedLedger, periods: Sequence[Period], name_of: NameOf
) -> Iterator[tuple[str, int, Decimal]]:
    if not periods:
        return
    days = [*(period.first for period in periods), periods[-1].end]
    for provider, zone in opened.timezones.items():
        bounds = [datetime.combine(day, time(), ZoneInfo(zone)) for day in days]
        for values, number, usd in period_costs(opened.view, provider, bounds):
            *dimensions, tags = values
            name = name_of(Combination._make([*dimensions, "", tags]))
            if name is not None:
                yield name, number, usd


def _naming(config: Config, group: Grouping) -> NameOf:
    settings = figure_settings(config)
    names = ModelNames(settings.llm_service_ids)
    rules = settings.attribution or Attribution()

    def model(charge: Combination) -> str | None:
        found = names.model(charge.provider, charge.service_id, charge.sku_id, charge.sku)
        return None if found is None else found or "(no one model)"

    def category(charge: Combination) -> str:
        return rules.category(charge._replace(model=names.of_charge(charge)))

    by_group: dict[Grouping, NameOf] = {
        "service": lambda charge: charge.service_name or charge.service_id or "(no service)",
        "provider": lambda charge: charge.provider,
        "project": lambda charge: charge.project_id or "(no project)",
        "model": model,
        "category": category,
    }
    return by_group[group]
