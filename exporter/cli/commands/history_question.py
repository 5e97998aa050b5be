"""The question of `spend-exporter history`, and how its answer is printed and drawn."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from exporter.analysis.bill.periods import (
    By,
    Period,
    periods,
    periods_before,
    start_of,
)
from exporter.cli.commands.history_report import Form, HistoryAnswer, unlisted_text, write

logger = logging.getLogger(__name__)


HistoryMeasure = Literal["net", "gross", "credits", "list"]

MEASURES: Final[tuple[HistoryMeasure, ...]] = get_args(HistoryMeasure)

STEPS: Final[dict[str, By]] = {"day": "day", "week": "week", "month": "month"}
"""The lengths of periods, by name."""


_PERIODS: Final[dict[By, int]] = {"day": 14, "week": 8, "month": 6}
"""How many periods are shown without --from, the present one included."""


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """Which cost to show, and how."""

    by: By
    group: str
    """Dimensions, separated by commas."""
    first: date | None
    end: date | None
    """Excluded."""
    compare: bool
    top: int
    where: str | None = None
    """Conditions, as in /api/v1/costs."""
    measure: HistoryMeasure = "net"
    """As in /api/v1/costs."""
    last_days: int | None = None
    """Instead of `first`: so many billing days, today included."""
    per: str | None = None
    """A unit of the user's business, as in /api/v1/costs."""


def print_answer(answer: HistoryAnswer, form: Form, plot: Path | None) -> bool:
    """Print the answer and draw it; return whether it has any cost. Raises OSError."""
    table = answer.table
    if table.total_usd is None:
        first, end = table.periods[0].first, table.periods[-1].end
        if answer.unlisted_usd is not None:
            logger.error("%s", unlisted_text(answer.unlisted_usd))
            return False
        logger.error(
            "the %s has no such cost for the days from %s to before %s (--from, --to)",
            answer.origin,
            first,
            end,
        )
        return False
    write(answer, form, sys.stdout)
    if form == "csv" and answer.unlisted_usd is not None:
        logger.warning("%s", unlisted_text(answer.unlisted_usd))
    if plot:
        # matplotlib is an optional library, and only plots need it.
        from exporter.cli.commands.history_plot import png  # noqa: PLC0415

        plot.write_bytes(png(answer))
    return True


def question_periods(
    question: HistoryQuestion, zones: Collection[str], now: datetime
) -> tuple[list[Period], list[Period]]:
    """Return the periods to show and those to compare with; `zones` are the time zones of the bills."""
    today = max(now.astimezone(ZoneInfo(zone)).date() for zone in zones or ("UTC",))
    end = question.end or max(today, question.first or today) + timedelta(days=1)
    first = question.first or start_of(end - timedelta(days=1), question.by, _PERIODS[question.by])
    return periods(first, end, question.by), periods_before(
        first, end, question.by
    ) if question.compare else []
