"""What a user wants to know of the past, and how the answer is printed and drawn."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.analysis.bill.periods import (
    By,
    Period,
    periods,
    periods_before,
    start_of,
)
from exporter.cli.commands.history_report import Form, Told, write

logger = logging.getLogger(__name__)


Grouping = Literal["service", "provider", "model", "category", "project"]


_PERIODS: Final[dict[By, int]] = {"day": 14, "week": 8, "month": 6}
"""Shown where no first day is given, the present one included."""


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
