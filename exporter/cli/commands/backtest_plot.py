"""The picture of a backtest: each day's estimates beside its final cost, and errors by hour of the day."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, PercentFormatter

from exporter.analysis.nowcast.backtest import BacktestRow
from exporter.core.cost_cells import NANO
from exporter.metrics.outlooks.nowcast import graded_hours

WIDTH_PIXELS: Final = 1280
"""Of each provider's column."""
HEIGHT_PIXELS: Final = 800

_DPI: Final = 100
_INK: Final = "#2b2b2b"
_MEAN: Final = "#0072b2"
_WORST: Final = "#d55e00"
_SHOWN: Final = ((12, "#e69f00", "^"), (20, "#0072b2", "o"))
"""Clock hour, colour and marker of the estimates in the upper panel; colours for the colour-blind as well."""


def png(judged: Mapping[str, Sequence[BacktestRow]]) -> bytes:
    """Draw as `drawn` and return the file's bytes."""
    buffer = io.BytesIO()
    drawn(judged).savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def drawn(judged: Mapping[str, Sequence[BacktestRow]]) -> Figure:
    """Draw the rows of each provider in a column of its own; none may be empty."""
    figure = Figure(
        figsize=(WIDTH_PIXELS * len(judged) / _DPI, HEIGHT_PIXELS / _DPI),
        dpi=_DPI,
        layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12),
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(judged), squeeze=False, height_ratios=(3, 2))
    for column, (provider, rows) in enumerate(judged.items()):
        _draw_days(panels[0][column], provider, rows)
        _draw_errors(panels[1][column], rows)
    return figure


def _draw_days(axes: Axes, provider: str, rows: Sequence[BacktestRow]) -> None:
    finals = {row.day: row.day_final_nano_usd / NANO for row in rows}
    numbers = [day.toordinal() for day in finals]
    axes.plot(numbers, list(finals.values()), color=_INK, linewidth=1.8, label="final bill", zorder=2)
    for hour, colour, marker in _SHOWN:
        made = [row for row in rows if row.hour == hour]
        axes.plot(
            [row.day.toordinal() for row in made],
            [row.day_forecast_nano_usd / NANO for row in made],
            color=colour,
            marker=marker,
            markersize=6 if len(made) <= 90 else 3,
            linestyle="none",
            label=f"estimate of the whole day at {hour:02d}:00",
            zorder=3,
        )
    axes.set_title(f"Cost per billing day, as estimated on the day and as billed in the end ({provider})")
    axes.set_ylabel("US dollars per day")
    axes.set_ylim(bottom=min(0.0, *finals.values()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_xticks(*_day_ticks(list(finals)))
    _tidy(axes)


def _day_ticks(days: Sequence[date]) -> tuple[list[int], list[str]]:
    """Place at most some fifteen ticks: every day, or the same weekday every so many weeks."""
    step = 1 if len(days) <= 15 else 7 * -(-len(days) // (7 * 15))
    shown = range(days[0].toordinal(), days[-1].toordinal() + 1, step)
    return list(shown), [f"{date.fromordinal(day):%a\n%Y-%m-%d}" for day in shown]


def _draw_errors(axes: Axes, rows: Sequence[BacktestRow]) -> None:
    graded = sorted(graded_hours(rows).items())
    hours = [hour for hour, _ in graded]
    mean = [100.0 * ratios.absolute for _, ratios in graded]
    worst = [100.0 * abs(ratios.worst) for _, ratios in graded]
    axes.bar(hours, mean, color=_MEAN, width=0.7, label="mean", zorder=2)
    axes.plot(hours, worst, color=_WORST, marker="D", markersize=4, linewidth=1.2, label="worst", zorder=3)
    days = len({row.day for row in rows})
    axes.set_title(f"Error of the estimate of the whole day, over {days} day{'s' if days != 1 else ''}")
    axes.set_ylabel("size of the error")
    axes.set_xlabel("hour of the day at which it was made (billing zone)")
    axes.set_xticks(range(24), [f"{hour:02d}" for hour in range(24)])
    axes.set_xlim(-0.6, 23.6)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=None))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none", fontsize=10)
