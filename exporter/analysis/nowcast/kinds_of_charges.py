"""Splits a line by what kinds of charges it has, so that a fee or a refund on it leaves its running alone."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.core.cost_cells import CostCells

LONG_HOURS: Final = 40
"""A charge for longer than this, as for a month, is none of a running line."""

DAY_LONG_HOURS: Final = 20
"""One for so long is booked by the day, however long that is when clocks change."""

_HOURLY, _DAILY, _APART = range(3)
_NAMES: Final = {_DAILY: "by the day", _APART: "apart"}


def split_lines(cells: CostCells) -> CostCells:
    """Give each line's charges by the hour, by the day, and refunds with fees for longer, a line each.

    What a line has of one kind only stays as it is. The first kind keeps the line's name.
    """
    apart = (cells.gross < 0) | (cells.span > LONG_HOURS)
    kind = np.where(apart, _APART, np.where(cells.span >= DAY_LONG_HOURS, _DAILY, _HOURLY))
    if not kind.any():
        return cells
    present = np.zeros((len(cells.lines), len(_NAMES) + 1), np.bool_)
    present[cells.line, kind] = True
    present[~present.any(axis=1), _HOURLY] = True
    main = present.argmax(axis=1)
    numbers = np.repeat(np.arange(len(cells.lines))[:, None], present.shape[1], axis=1)
    lines = list(cells.lines)
    for number, each in np.argwhere(present).tolist():
        if each != main[number]:
            numbers[number, each] = len(lines)
            line = lines[number]
            lines.append(line._replace(sku_id=f"{line.sku_id} {_NAMES[each]}"))
    return CostCells(
        tuple(lines),
        numbers[cells.line, kind],
        cells.usage,
        cells.export,
        cells.gross,
        cells.credit,
        cells.span,
    )
