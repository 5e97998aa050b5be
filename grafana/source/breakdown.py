"""The table of what costs most: this month, its share, week on week and the course of its days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from grafana.source import history
from grafana.source.fields import CHANGE, DOLLARS, RATIO, Reading
from grafana.source.links import BOARD, To
from grafana.source.panel_parts import Placed
from grafana.source.tables import Column, Course, listing

ROWS: Final = 100
_LARGEST_SHARE: Final = 0.4
"""A cell's bar is full at this share, or most bars would be too short to compare."""


def costs_of(
    title: str,
    series: str,
    labels: Mapping[str, str],
    now: str,
    *,
    said: str,
    empty: str,
    shown: Callable[[str], str] = str,
    link: To | None = None,
    size: tuple[int, int] = (12, 12),
) -> Placed:
    """Make the table. `labels` are the column titles by label; all but the first are there for links alone.

    `now` is the exporter's figure for the month so far by these labels, `said` what it is; a month in the
    past, weeks and days are from `series`, a selector of billing days. `shown` adds the labels of links.
    """
    by = ", ".join(labels)
    cost = history.now_or_history(now, history.month_so_far(series, by))
    dearest = f"topk({ROWS}, {cost})"
    this, before = history.week(series, by), history.week(series, by, 7)
    (first, _), *hidden = labels.items()
    columns = [
        Column("Month, USD", shown(dearest), DOLLARS, pixels=80),
        Column(
            "Share",
            shown(f"{dearest} / on () group_left () sum({cost})"),
            Reading(RATIO, 1, maximum=_LARGEST_SHARE),
            gauge=True,
            pixels=95,
        ),
        Column("Week on week", shown(f"({this} / ({before} > 0) - 1)"), CHANGE, pixels=92),
    ]
    by_provider = {BOARD: "Board"} if link and link.by_provider else {}
    return listing(
        title,
        f"{said} of the month in which the time range ends, the hundred highest: the share of all, the last "
        "seven full days against the seven before, and the days of the time range.",
        {**labels, **by_provider},
        *columns,
        empty=empty,
        links={first: link} if link else None,
        course=Course("Days", shown(history.day(series, by)), 80),
        hidden=[label for label, _ in hidden],
        size=size,
    )
