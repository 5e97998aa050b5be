"""What the bill said at an hour: lines x usage hours, of the cells exported before that hour and no other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.analysis.nowcast.kinds_of_charges import split_lines
from exporter.core.cost_cells import LONG_HOURS, NANO, CostCells

NEVER: Final = 30_000
"""Delay of what has not arrived."""

LEAST_HOURS: Final = 6
"""A line runs once it was used in so many hours."""

_ROWS_AT_ONCE: Final = 50_000
_AT_MOST_HOURS: Final = 24 * 400

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class KnownCosts:
    """It only moves forward. Columns are usage hours from `first_hour` on; they reach at least `until`."""

    def __init__(self, cells: CostCells, until: int) -> None:
        cells = split_lines(cells)
        self.cells: Final = cells
        self.end: Final = max(cells.end_hour, until + 1)
        self.first_hour: Final = max(cells.first_hour if len(cells) else until, self.end - _AT_MOST_HOURS)
        shape = (len(cells.lines), self.end - self.first_hour)
        self.gross: Final = np.zeros(shape, np.float32)
        """US dollars."""
        self.credit: Final = np.zeros(shape, np.float32)
        self.delay: Final = np.full(shape, NEVER, np.int16)
        """Hours from use until the first part of it arrived."""
        self.span: Final = np.zeros(shape, np.uint8)
        """Longest span of the charges of an hour, in hours, at most 255."""
        services = dict.fromkeys(line.service_name for line in cells.lines)
        self.services: Final = tuple(services)
        numbers = {name: number for number, name in enumerate(services)}
        self.service_of: Final = np.array([numbers[line.service_name] for line in cells.lines], np.int64)
        self.billed: Final = np.zeros((len(services), shape[1]), np.int64)
        """Net, by service, exact: billionths of a US dollar."""
        self.begin = self.end
        """Earliest usage hour of which anything is known."""
        self.as_of = self.first_hour
        self.exporting_since: Final = np.full(len(services), np.iinfo(np.int64).max)
        """Export hour of each service's first cell."""
        self._next = 0

    def advance(self, as_of: int) -> None:
        """Take in the cells exported before the hour `as_of`. Raises ValueError for an earlier hour."""
        if as_of < self.as_of:
            raise ValueError(f"Already at hour {self.as_of}: it cannot go back to hour {as_of}.")
        self.as_of = as_of
        cells, begin = self.cells, self._next
        stop = begin + int(np.searchsorted(cells.export[begin:], as_of))
        self._next = stop
        for low in range(begin, stop, _ROWS_AT_ONCE):
            self._take(slice(low, min(low + _ROWS_AT_ONCE, stop)))

    def _take(self, part: slice) -> None:
        cells = self.cells
        line, at = cells.line[part], cells.usage[part] - self.first_hour
        service, export = self.service_of[line], cells.export[part]
        np.minimum.at(self.exporting_since, service, export)
        inside = at >= 0
        line, at, service = line[inside], at[inside], service[inside]
        self.begin = min(self.begin, self.first_hour + int(at.min(initial=self.end - self.first_hour)))
        net = (cells.gross[part] + cells.credit[part])[inside]
        np.add.at(self.billed, (service, at), net)
        np.add.at(self.gross, (line, at), (cells.gross[part][inside] / NANO).astype(np.float32))
        np.add.at(self.credit, (line, at), (cells.credit[part][inside] / NANO).astype(np.float32))
        delay = np.clip(export[inside] - cells.usage[part][inside], 0, NEVER - 1).astype(np.int16)
        np.minimum.at(self.delay, (line, at), delay)
        span = np.clip(cells.span[part][inside], 0, 255).astype(np.uint8)
        np.maximum.at(self.span, (line, at), span)

    @property
    def seen(self) -> Flags:
        """Lines of which anything is known."""
        found: Flags = (self.delay != NEVER).any(axis=1)
        return found

    @property
    def regular(self) -> Flags:
        """Lines with enough hours for their rhythm and lateness to say something of others."""
        used = (self.delay != NEVER) & (self.span <= LONG_HOURS)
        found: Flags = used.sum(axis=1) >= LEAST_HOURS
        return found
