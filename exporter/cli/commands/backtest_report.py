"""How the days of `spend-exporter backtest` are written: as tables for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TextIO

from exporter.analysis.nowcast.backtest import BacktestRow
from exporter.core.cost_cells import NANO
from exporter.metrics.outlooks.nowcast import graded_hours

_SHOWN_HOURS: Final = (6, 12, 16, 20, 23)
"""Clock hours at which estimates of each day are shown; the JSON has them all."""

Judged = Mapping[str, Sequence[BacktestRow]]
"""By provider, oldest first; none is empty."""


class JsonReport:
    """One document: `{"days": [row, ...]}`, a row per day and hour, with `provider` if there are several."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, judged: Judged) -> None:
        """Print the document."""
        rows = [
            json.dumps(({"provider": provider} if len(judged) > 1 else {}) | _as_json(row))
            for provider, days in judged.items()
            for row in days
        ]
        self._out.write('{"days": [' + ",".join("\n  " + row for row in rows) + "\n]}\n")


class TextReport:
    """Two tables for each provider: the days with some of their estimates, and the errors by clock hour."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, judged: Judged) -> None:
        """Print the tables."""
        for number, (provider, rows) in enumerate(judged.items()):
            lines = [*_days(provider, rows), "", *_errors(rows)]
            self._out.write("\n" * bool(number) + "\n".join(lines) + "\n")


def _as_json(row: BacktestRow) -> dict[str, Any]:
    return {
        "day": row.day.isoformat(),
        "hour": row.hour,
        "nowcast_usd": row.nowcast_nano_usd / NANO,
        "final_so_far_usd": row.final_so_far_nano_usd / NANO,
        "day_forecast_usd": row.day_forecast_nano_usd / NANO,
        "day_final_usd": row.day_final_nano_usd / NANO,
    }


def _days(provider: str, rows: Sequence[BacktestRow]) -> Iterator[str]:
    days = [list(hours) for _, hours in groupby(rows, key=lambda row: row.day)]
    width = 2 + max(
        len(_usd(max(row.day_final_nano_usd, row.day_forecast_nano_usd, key=abs))) for row in rows
    )
    count = "1 day" if len(days) == 1 else f"{len(days)} days"
    yield f"{provider}: {count}; final cost, and what was expected of it at these hours (US dollars)"
    yield ""
    headings = (f"{f'{hour:02d}:00':>{width}}{'error':>8}" for hour in _SHOWN_HOURS)
    yield f"{'day':<14}{'final':>{width}}{''.join(headings)}"
    for hours in days:
        by_hour = {row.hour: row for row in hours}
        cells = (_estimate(by_hour.get(hour), width) for hour in _SHOWN_HOURS)
        yield f"{hours[0].day:%Y-%m-%d %a}{_usd(hours[0].day_final_nano_usd):>{width}}{''.join(cells)}"


def _estimate(row: BacktestRow | None, width: int) -> str:
    if row is None:
        return " " * (width + 8)
    final = row.day_final_nano_usd
    error = f"{(row.day_forecast_nano_usd - final) / final:+.1%}" if final > 0 else "-"
    return f"{_usd(row.day_forecast_nano_usd):>{width}}{error:>8}"


def _usd(nano_usd: int) -> str:
    return f"{nano_usd / NANO:,.2f}"


def _errors(rows: Iterable[BacktestRow]) -> Iterator[str]:
    yield "Errors of the estimate of the whole day, by the hour at which it was made:"
    yield ""
    yield f"{'hour':<6}{'mean size':>12}{'worst':>10}{'in sum':>10}{'days':>7}"
    for hour, ratios in sorted(graded_hours(list(rows)).items()):
        yield (
            f"{hour:02d}:00 {ratios.absolute:>12.1%}{ratios.worst:>+10.1%}"
            f"{ratios.signed:>+10.1%}{ratios.count:>7}"
        )
