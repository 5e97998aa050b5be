"""Splits a line by what kinds of charges it has, so that a fee or a refund on it leaves its running alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.core.cost_cells import LONG_HOURS, CostCells

DAY_LONG_HOURS: Final = 20
"""One for so long is booked by the day, however long that is when clocks change."""

Flags = NDArray[np.bool_]

_RARE: Final = 0.05
"""A line's hours come in one row each if no more of them than this come in several."""

_HOURLY, _DAILY, _APART = range(3)
_NAMES: Final = {_DAILY: "by the day", _APART: "apart"}


def split_lines(cells: CostCells) -> CostCells:
    """Give each line's charges by the hour, by the day, and refunds with fees, a line each.

    What a line has of one kind only stays as it is. The first kind keeps the line's name.
    """
    apart = cells.apart | (cells.gross < 0) | (cells.span > LONG_HOURS)
    apart |= _beside_an_hour(cells, ~apart & (cells.span < DAY_LONG_HOURS))
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
        cells.apart,
    )


def _beside_an_hour(cells: CostCells, metered: Flags) -> Flags:
    """Charges that came in a later row for an hour, where a line's hours come in one row each.

    If the first row alone comes nearer to the line's median hour than all rows together, they are no parts
    of it. Only later rows are set aside, so that what was known of an hour stays as it was.
    """
    found = np.zeros(len(cells), np.bool_)
    rows = np.flatnonzero(metered & (cells.gross > 0))
    if not len(rows):
        return found
    rows = rows[np.lexsort((cells.usage[rows], cells.line[rows]))]
    line, usage = cells.line[rows], cells.usage[rows]
    begins = np.flatnonzero(np.r_[True, (line[1:] != line[:-1]) | (usage[1:] != usage[:-1])])
    total, count = np.add.reduceat(cells.gross[rows], begins), np.diff(np.r_[begins, len(rows)])
    line = line[begins]
    several = np.bincount(line, count > 1, len(cells.lines))
    rare = several <= _RARE * np.bincount(line, minlength=len(cells.lines))
    doubtful = np.flatnonzero((count > 1) & rare[line])
    median = {
        each: np.median(total[slice(*np.searchsorted(line, (each, each + 1)))])
        for each in np.unique(line[doubtful]).tolist()
    }
    for at in doubtful.tolist():
        usual, begin = median[line[at]], begins[at]
        first = abs(cells.gross[rows[begin]] - usual)
        found[rows[begin + 1 : begin + count[at]]] = first < abs(total[at] - usual)
    return found
