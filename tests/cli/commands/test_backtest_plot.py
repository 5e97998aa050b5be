"""The picture of a backtest: days that can be read off, estimates in their place, a column per provider."""

from __future__ import annotations

from datetime import date, timedelta

import numpy
import pytest

from exporter.analysis.nowcast.backtest import BacktestRow
from exporter.cli.commands.backtest_plot import drawn, png
from exporter.core.cost_cells import NANO

# All of them load matplotlib.
pytestmark = pytest.mark.slow

FIRST = date(2026, 10, 9)


def rows(days: int) -> list[BacktestRow]:
    """Each day costs a dollar more than the one before; each hour's estimate is a percent too high."""
    return [
        BacktestRow(
            FIRST + timedelta(days=day), hour, 0, 0, (100 + day) * 101 * NANO // 100, (100 + day) * NANO
        )
        for day in range(days)
        for hour in range(24)
    ]


@pytest.mark.parametrize("days", [1, 2, 15, 16, 37, 400])
def test_days_on_the_axis_are_dates_that_have_room(days: int) -> None:
    upper = drawn({"gcp": rows(days)}).axes[0]
    labels = [label.get_text().partition("\n")[2] for label in upper.get_xticklabels()]
    shown = [date.fromisoformat(label) for label in labels]
    assert [day.toordinal() for day in shown] == list(upper.get_xticks())
    assert shown[0] == FIRST
    assert min(days, 3) <= len(shown) <= 15
    assert len({day.weekday() for day in shown}) == 1 or days <= 15


def test_estimates_and_final_bills_are_where_their_day_is() -> None:
    upper, lower = drawn({"gcp": rows(3)}).axes
    plotted = {line.get_label(): numpy.asarray(line.get_xydata()) for line in upper.get_lines()}
    final = plotted["final bill"]
    assert final.tolist() == [[FIRST.toordinal() + day, 100.0 + day] for day in range(3)]
    for hour in (12, 20):
        estimates = plotted[f"estimate of the whole day at {hour}:00"]
        assert estimates == pytest.approx(final * [1.0, 1.01])
    assert [bar.get_height() for bar in lower.patches] == pytest.approx([1.0] * 24)


def test_each_provider_has_a_column_of_the_same_size() -> None:
    for providers in (["gcp"], ["gcp", "other"]):
        picture = png({provider: rows(2) for provider in providers})
        size = int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
        assert size == (1280 * len(providers), 800)
