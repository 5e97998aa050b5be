"""The picture of `spend-exporter history`: a bar for each period, in which the groups are stacked."""

from __future__ import annotations

import io
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from exporter.analysis.bill.periods import OTHER
from exporter.cli.commands.history_report import HistoryAnswer, heading, period_label

WIDTH_PIXELS: Final = 1280
HEIGHT_PIXELS: Final = 720

_DPI: Final = 100
_MOST_TICKS: Final = 16
_REST: Final = "#b8b8b8"
_COLOURS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5b5b5b",
)  # fmt: skip
"""Colour-blind people can distinguish them too; with more groups the colours repeat with hatches."""
_HATCHES: Final = ("", "//", "..", "xx")


def png(answer: HistoryAnswer) -> bytes:
    """Draw the answer, as `drawn`, and return the bytes of the PNG file."""
    buffer = io.BytesIO()
    drawn(answer).savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def drawn(answer: HistoryAnswer) -> Figure:
    """Draw an answer that has a cost."""
    figure = Figure(
        figsize=(WIDTH_PIXELS / _DPI, HEIGHT_PIXELS / _DPI),
        dpi=_DPI,
        layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12),
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw_bars(axes, answer)
    axes.set_title(f"{heading(answer)}, by {answer.group}", loc="left")
    axes.set_ylabel(f"US dollars per {answer.by}")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    _label_periods(axes, answer)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axhline(0, color="#2b2b2b", linewidth=0.8)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.margins(x=0.01)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=10, alignment="left"
    )
    return figure


def _draw_bars(axes: Axes, answer: HistoryAnswer) -> None:
    table = answer.table
    count = len(table.periods)
    above, below = [0.0] * count, [0.0] * count
    for place, group in enumerate(table.groups):
        amounts = [float(table.cells.get((number, group.name), 0)) for number in range(count)]
        if not any(amounts):
            continue
        # Credits may make a group negative; those hang below the line.
        bottoms = [above[number] if amount >= 0 else below[number] for number, amount in enumerate(amounts)]
        for number, amount in enumerate(amounts):
            (above if amount >= 0 else below)[number] += amount
        is_rest = group.name == OTHER and table.folded > 0
        axes.bar(
            range(count),
            amounts,
            bottom=bottoms,
            width=0.82,
            color=_REST if is_rest else _COLOURS[place % len(_COLOURS)],
            hatch="" if is_rest else _HATCHES[place // len(_COLOURS) % len(_HATCHES)],
            edgecolor="white",
            linewidth=0.5,
            label=_legend_name(f"{OTHER} ({table.folded})" if is_rest else group.name),
        )


def _legend_name(name: str) -> str:
    """Shorten a name. matplotlib would hide one with a leading underscore, and read `$` as a formula."""
    short = name if len(name) <= 34 else name[:33] + "…"
    return ("\u200b" + short if short.startswith("_") else short).replace("$", r"\$")


def _label_periods(axes: Axes, answer: HistoryAnswer) -> None:
    shown = answer.table.periods
    step = -(-len(shown) // _MOST_TICKS)
    numbers = list(range(0, len(shown), step))
    labels = [period_label(shown[number].first, answer.by).replace("week of ", "") for number in numbers]
    axes.set_xticks(numbers, [_in_two_lines(label) for label in labels])
    axes.tick_params(axis="x", length=0)


def _in_two_lines(label: str) -> str:
    day, _, weekday = label.partition(" ")
    return f"{weekday}\n{day[5:]}" if weekday else label
