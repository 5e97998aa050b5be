"""`spend-exporter history`: what was billed when, and on what, by the time of usage."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.analysis.bill.attribution import Attribution, Combination
from exporter.analysis.bill.periods import (
    By,
    CostPeriods,
    Period,
    cost_periods,
    periods,
    periods_before,
    start_of,
)
from exporter.cli.commands.history_report import Form, Told, write
from exporter.config.model import Config
from exporter.core.ownership import HOURLY_BILLS
from exporter.ledger.charges.hourly import usage_bounds
from exporter.ledger.charges.periods import period_costs
from exporter.metrics.model_names import ModelNames
from exporter.wiring.ledger import OpenedLedger, opened_ledger
from exporter.wiring.sources import figure_settings

logger = logging.getLogger(__name__)

Grouping = Literal["service", "provider", "model", "category", "project"]

_PERIODS: Final[dict[By, int]] = {"day": 14, "week": 8, "month": 6}
"""Shown where no first day is given, the present one included."""

_REST_OF_DAY: Final = timedelta(hours=23)

NameOf = Callable[[Combination], str | None]
"""Says in which group a charge is; None where it is not asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants to know."""

    by: By
    group: Grouping
    first: date | None
    end: date | None
    """Excluded."""
    compare: bool
    top: int


def history(
    config: Config,
    asked: Asked,
    *,
    ledger: str | None,
    refresh: bool,
    form: Form,
    plot: Path | None,
    now: datetime,
) -> bool:
    """Print the answer and draw it; return whether there is one and every source could be read.

    Raises LedgerError, OSError.
    """
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        name_of = _naming(config, asked.group)
        table = _table(opened, asked, name_of, now)
        bounds = {provider: usage_bounds(opened.view, provider) for provider in opened.timezones}
        billed = {
            # A bill by the day has its cost at the day's first hour.
            provider: (bound[0], bound[1] + (timedelta() if provider in HOURLY_BILLS else _REST_OF_DAY))
            for provider, bound in bounds.items()
            if bound is not None
        }
        failed = opened.failed
    for name in failed:
        logger.error("source %s could not be read; what it told before is shown", name)
    return tell(Told(table, asked.by, asked.group, billed), form, plot) and not failed


def tell(told: Told, form: Form, plot: Path | None) -> bool:
    """Print the answer and draw it; return whether there is one. Raises OSError."""
    table = told.table
    if table.total_usd is None:
        first, end = table.periods[0].first, table.periods[-1].end
        logger.error("the %s has no such cost of the days from %s to before %s", told.origin, first, end)
        return False
    write(told, form, sys.stdout)
    if plot:
        # A library that only this needs, and which not everybody has.
        from exporter.cli.commands.history_plot import png  # noqa: PLC0415

        plot.write_bytes(png(told))
    return True


def asked_periods(asked: Asked, zones: Collection[str], now: datetime) -> tuple[list[Period], list[Period]]:
    """Return the periods to show, and those to compare them with; `zones` are those of the bills."""
    today = max(now.astimezone(ZoneInfo(zone)).date() for zone in zones or ("UTC",))
    end = asked.end or max(today, asked.first or today) + timedelta(days=1)
    first = asked.first or start_of(end - timedelta(days=1), asked.by, _PERIODS[asked.by])
    return periods(first, end, asked.by), periods_before(first, end, asked.by) if asked.compare else []


def _table(opened: OpenedLedger, asked: Asked, name_of: NameOf, now: datetime) -> CostPeriods:
    shown, before = asked_periods(asked, opened.timezones.values(), now)
    costs = _costs(opened, shown, name_of)
    return cost_periods(shown, before, costs, _costs(opened, before, name_of), asked.top)


def _costs(
    opened: OpenedLedger, asked: Sequence[Period], name_of: NameOf
) -> Iterator[tuple[str, int, Decimal]]:
    if not asked:
        return
    days = [*(period.first for period in asked), asked[-1].end]
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
