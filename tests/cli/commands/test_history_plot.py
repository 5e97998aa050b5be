"""The picture of a history: every group's bars are there, and they add up to the table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from matplotlib.patches import Rectangle

from exporter.analysis.bill.periods import cost_periods, periods
from exporter.cli.commands.history_plot import HEIGHT_PIXELS, WIDTH_PIXELS, drawn, png
from exporter.cli.commands.history_report import HistoryAnswer

# All of them load matplotlib.
pytestmark = pytest.mark.slow

FIRST, END = date(2026, 11, 1), date(2026, 11, 29)
BILLED = {"gcp": (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC))}


def answer(groups: int, top: int) -> HistoryAnswer:
    costs = [
        (f"service {group}", day, Decimal(group + 1) if (group + day) % 5 else Decimal(-2))
        for group in range(groups)
        for day in range(28)
    ]
    return HistoryAnswer(
        cost_periods(periods(FIRST, END, "day"), [], costs, [], top), "day", "service", BILLED
    )


@pytest.mark.parametrize(("groups", "top"), [(1, 8), (5, 8), (30, 20)])
def test_bars_add_up_to_the_table_and_every_group_is_in_the_legend(groups: int, top: int) -> None:
    shown = answer(groups, top)
    figure = drawn(shown)
    [axes] = figure.axes
    height = sum(bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle))
    assert height == pytest.approx(float(shown.table.total_usd or 0))
    [legend] = figure.legends
    assert len(legend.get_texts()) == min(groups, top) + (groups > top)


def test_names_are_shown_as_they_are() -> None:
    costs = [("_hidden", 0, Decimal(1)), ("a $b$ formula", 0, Decimal(2))]
    table = cost_periods(periods(FIRST, END, "week"), [], costs, [], 8)
    figure = drawn(HistoryAnswer(table, "week", "service", BILLED))
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["\u200b_hidden", r"a \$b\$ formula"]


def test_the_file_is_a_png_of_the_promised_size() -> None:
    content = png(answer(3, 8))
    assert content.startswith(b"\x89PNG")
    size = (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))
    assert size == (WIDTH_PIXELS, HEIGHT_PIXELS)
