"""`spend-exporter backtest`: what the nowcast would have said each past hour, beside the final bill.

Refreshes every source once, and then replays the ledger without looking ahead.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from exporter.analysis.bill.billing_calendar import BillingCalendar, hour_at
from exporter.analysis.nowcast.backtest import WARM_UP_DAYS, BacktestRow, backtest, judged_days
from exporter.analysis.nowcast.referee import FINAL_AFTER_HOURS
from exporter.cli import argument_types
from exporter.cli.arguments import EXIT_TROUBLE, add_config, add_ledger, add_plot
from exporter.cli.commands.backtest_report import JsonReport, TextReport
from exporter.config.model import Config, load
from exporter.core.cost_cells import CostCells
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.outlooks.live_lines import live_per_line
from exporter.metrics.outlooks.nowcast import HISTORY, cost_history
from exporter.refresh.refresher import Refresher
from exporter.wiring.ledger import MEMORY, advice_where_in_use
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

LEAST_DAYS = 1 + WARM_UP_DAYS + 1 + FINAL_AFTER_HOURS // 24
"""From the first day of an export to the first judgement: the first day is rarely whole, then those that are
learnt from, the one that is judged, and those until its bill is final."""

_EVERYTHING = timedelta(days=20_000)

Rows = dict[str, list[BacktestRow]]
"""By provider; oldest first."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `backtest`."""
    add_config(command)
    add_ledger(command)
    command.add_argument(
        "--days",
        type=argument_types.count,
        metavar="N",
        help="only the latest N days whose bill is final (default: all; a day takes about half a second)",
    )
    command.add_argument("--format", choices=("text", "json"), default="text")
    add_plot(command)


def run(chosen: argparse.Namespace) -> int:
    """Refresh every source once and replay the nowcast over the ledger without looking ahead."""
    config = load(chosen.config)
    with advice_where_in_use(config):
        succeeded = run_backtest(
            config,
            ledger=chosen.ledger,
            last_days=chosen.days,
            json=chosen.format == "json",
            plot=chosen.plot,
        )
    return 0 if succeeded else EXIT_TROUBLE


def run_backtest(
    config: Config, *, ledger: str | None, last_days: int | None, json: bool, plot: Path | None
) -> bool:
    """Print the replayed days and draw them; return whether every source succeeded and any day was judged.

    `last_days` judges only so many of the latest final days. `ledger` overrides the configured file;
    `:memory:` reads everything again. Raises LedgerError, OSError.
    """
    path = None if ledger == MEMORY else Path(ledger) if ledger else config.ledger
    sources = configured_sources(config, os.environ)
    with opened_refresher(config, sources, path) as refresher:
        failed = refresher.refresh_each()
        rows = _replayed(refresher, last_days)
    judged = {provider: days for provider, days in rows.items() if days}
    report = JsonReport(sys.stdout) if json else TextReport(sys.stdout)
    report.write(judged)
    if plot and judged:
        # Only this needs the library, and it may not be installed.
        from exporter.cli.commands.backtest_plot import png  # noqa: PLC0415

        plot.write_bytes(png(judged))
    return not failed and bool(judged) and len(judged) == len(rows)


def _replayed(refresher: Refresher, last_days: int | None) -> Rows:
    rows: Rows = {}
    with refresher.state() as (view, usage):
        ends = _ends(view)
        for provider, timezone in refresher.timezones.items():
            rows[provider] = []
            if provider not in ends:
                logger.error("%s: there is no bill to replay; it needs %d days of one", provider, LEAST_DAYS)
                continue
            bill = _Bill(view, usage, provider, timezone, ends[provider])
            rows[provider].extend(_replay(bill, last_days))
    return rows


def _ends(view: LedgerView) -> dict[str, datetime]:
    """The hour after the last export of each provider: a bill that grows no more becomes no more final."""
    ends: dict[str, datetime] = {}
    for each in view.freshness():
        hour = each.last_export.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        end = hour + timedelta(hours=1)
        ends[each.provider] = max(end, ends.get(each.provider, end))
    return ends


@dataclass(frozen=True, slots=True)
class _Bill:
    view: LedgerView
    usage: UsageView | None
    provider: str
    timezone: str
    end: datetime


def _replay(bill: _Bill, last_days: int | None) -> Iterator[BacktestRow]:
    until_final = timedelta(days=2, hours=FINAL_AFTER_HOURS)
    span = HISTORY + until_final + timedelta(days=last_days) if last_days else _EVERYTHING
    history = cost_history(bill.view, bill.provider, bill.end, span=span)
    as_of = hour_at(bill.end)
    calendar = BillingCalendar(bill.timezone, history.first_hour - 24, max(as_of, history.end_hour) + 24)
    days = judged_days(history, calendar, as_of)
    if not days:
        _tell_too_little(bill.provider, history, as_of)
        return
    days = days[-last_days:] if last_days else days
    live = live_per_line(bill.view, bill.usage, history, bill.end, span=span) if bill.usage else None
    show = _progress(bill.provider, days)
    for row in backtest(history, bill.timezone, as_of, live, first_day=date.fromordinal(days[0])):
        show(row.day)
        yield row
    show(None)


def _tell_too_little(provider: str, history: CostCells, as_of: int) -> None:
    known = (as_of - max(history.first_hour, history.export[0])) // 24 + 1 if len(history) else 0
    logger.error(
        "%s: too little history: its bill has been exported for %d days, and a backtest needs %d: "
        "%d to learn from, one to test, and %d until the bill of that day is final",
        provider,
        min(known, LEAST_DAYS - 1),
        LEAST_DAYS,
        1 + WARM_UP_DAYS,
        FINAL_AFTER_HOURS // 24,
    )


def _progress(provider: str, days: range) -> Callable[[date | None], None]:
    """Return what shows on a terminal how far the replay is; None says that it has ended."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(day: date | None) -> None:
        done = len(days) if day is None else days.index(day.toordinal())
        bar = "#" * (30 * done // len(days))
        text = f"\rreplaying {len(days)} days of {provider} [{bar:<30}] {day or '':<10}"
        print(text, end="\n" if day is None else "", file=sys.stderr, flush=True)  # noqa: T201

    return show
