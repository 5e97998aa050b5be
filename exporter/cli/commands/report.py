"""`spend-exporter report`: what a month, a week or a day has cost, as a page, Markdown, CSV or JSON."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from exporter.cli.arguments import EXIT_TROUBLE, add_ledger, add_refresh, print_usage_problem
from exporter.cli.running_exporter import (
    access_of,
    add_access,
    add_config_or_running,
    asked_or_read,
    configured,
)
from exporter.config.model import Config
from exporter.config.reports import ReportSection
from exporter.core.errors import SourceError
from exporter.questions.cost_question import read_parameters
from exporter.questions.problem import QuestionError, quoted, suggestion
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.rendering import figures_csv, html_page, markdown
from exporter.wiring.ledger import opened_ledger
from exporter.wiring.reports import scheduled, view_reports
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

_PARAMETERS: Final = ("month", "week", "day", "by", "where", "top")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `report`."""
    add_config_or_running(command)
    period = command.add_mutually_exclusive_group()
    period.add_argument("--month", metavar="MONTH", help="2026-10 (default: the last whole month)")
    period.add_argument("--week", metavar="WEEK", help="from Monday to Sunday: 2026-W43")
    period.add_argument("--day", metavar="DATE", help="2026-10-12")
    command.add_argument(
        "--by",
        metavar="DIMENSIONS",
        help="a table for each: `service,label.team` (default: service, category, labels, project)",
    )
    command.add_argument(
        "--where", metavar="CONDITIONS", help="only such charges: `project:shop-*,label.team:core`"
    )
    command.add_argument("--top", metavar="N", help="rows of a table shown on their own (default: 10)")
    command.add_argument("--format", choices=("html", "markdown", "csv", "json"), default="html")
    command.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write it (default: standard output)"
    )
    command.add_argument(
        "--send",
        metavar="NAME",
        help="send it as the report of this name in the configuration, whatever was sent before",
    )
    add_ledger(command)
    add_refresh(command)
    add_access(command)


def run(chosen: argparse.Namespace) -> int:
    """Write or send what a month, a week or a day has cost, against what it cost before and its budgets.

    Asks the running exporter where one has the ledger, and reads the ledger itself where none does.
    """
    query = {name: value for name in _PARAMETERS if (value := getattr(chosen, name))}
    try:
        config = configured(chosen, "ledger", "refresh", "send")
        section = _section(config, chosen.send) if config is not None and chosen.send else None
        if section is not None:
            query = _of_section(section, query)
        report, complete = asked_or_read(
            config,
            access_of(chosen),
            path="/api/v1/report",
            query=query,
            model=Report,
            read=lambda config: _read_here(config, query, ledger=chosen.ledger, refresh=chosen.refresh),
            only_here=bool(chosen.ledger or chosen.refresh),
        )
    except QuestionError as error:
        return print_usage_problem(f"--{error}")
    sent = _send(section, report) if section is not None else True
    if section is None or chosen.output:
        _write(_rendered(report, chosen.format), chosen.output)
    return 0 if sent and complete else EXIT_TROUBLE


def _section(config: Config, name: str) -> ReportSection:
    for section in config.reports:
        if section.name == name:
            return section
    known = [section.name for section in config.reports]
    advice = suggestion(name, known) if known else "the configuration has no reports"
    raise QuestionError("send", f"{quoted(name)} is no report of the configuration; {advice}")


def _of_section(section: ReportSection, given: dict[str, str]) -> dict[str, str]:
    """Return the query of a configured report: for the given period, else the last that is due."""
    report = scheduled(section)
    query = {
        name: str(value)
        for name in ("by", "where", "top")
        if (value := getattr(report.parameters, name)) is not None
    }
    if not {"month", "week", "day"} & given.keys():
        query[section.period] = report.schedule.latest_due(datetime.now(UTC)).name
    return query | given


def _send(section: ReportSection, report: Report) -> bool:
    all_sent = True
    for destination in scheduled(section).destinations:
        try:
            destination.send(section.name, report)
        except (DeliveryError, SourceError) as error:
            all_sent = False
            # The text is complete, and of a trace nothing may be shown that could hold a secret.
            logger.error("%s was not sent (%s): %s", report.title, destination.kind, error)  # noqa: TRY400
        else:
            print(f"sent ({destination.kind}): {report.title}", file=sys.stderr)  # noqa: T201
    return all_sent


def _rendered(report: Report, form: str) -> str:
    if form == "json":
        return report.model_dump_json(by_alias=True, indent=2) + "\n"
    return {"html": html_page, "markdown": markdown, "csv": figures_csv}[form](report)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(
            f"the report cannot be written to {output} ({error.strerror}); name another file with --output"
        ) from error


def _read_here(
    config: Config, query: dict[str, str], *, ledger: str | None, refresh: bool
) -> tuple[Report, tuple[str, ...]]:
    parameters = read_parameters(ReportParameters, query.items())
    sources = configured_sources(config, os.environ)
    now = datetime.now(UTC)
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        reports = view_reports(config, sources, opened.view, opened.timezones, lambda: now)
        return reports.make(parameters), opened.failed
