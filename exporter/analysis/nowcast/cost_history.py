"""Costs by line, usage hour and export hour, and what of them was known at any hour.

Hours are counted since 1970-01-01 00:00 UTC, money is in billionths of a US dollar, so that sums are exact.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import islice
from operator import gt
from typing import Final, NamedTuple

NEVER: Final = 2**31 - 1
"""Export hour of what has not arrived."""

NANO: Final = 1_000_000_000
"""Money units in a US dollar."""

SETTLED_HOURS: Final = 168
"""What the bill says of a usage hour after so many hours is its final cost; later rows restate it."""


class Line(NamedTuple):
    """What is estimated on its own: one SKU of one project."""

    billing_account_id: str
    project_id: str
    service_name: str
    sku_id: str


class Cell(NamedTuple):
    """What arrived in one hour of the export for one usage hour of one line.

    `gross_nano_usd` sums the categories usage and purchase, `credit_nano_usd` is the category credit
    (negative). Taxes and adjustments belong to no usage hour's own cost and are left out by the caller.
    """

    line: Line
    usage_hour: int
    export_hour: int
    gross_nano_usd: int
    credit_nano_usd: int


class CostHistory:
    """The cells of one provider, held as columns in the order of their export, in which they best come.

    Channels are (billing account, service): what a provider tends to export together.
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        numbers: dict[Line, int] = {}
        line, usage, export = array("i"), array("i"), array("i")
        gross, credit = array("q"), array("q")
        for cell in cells:
            line.append(numbers.setdefault(cell.line, len(numbers)))
            usage.append(cell.usage_hour)
            export.append(cell.export_hour)
            gross.append(cell.gross_nano_usd)
            credit.append(cell.credit_nano_usd)
        if any(map(gt, export, islice(export, 1, None))):
            order = array("i", sorted(range(len(line)), key=export.__getitem__))
            line, usage, export = (array("i", map(each.__getitem__, order)) for each in (line, usage, export))
            gross, credit = (array("q", map(each.__getitem__, order)) for each in (gross, credit))
        self.line: Final = line
        self.usage: Final = usage
        self.export: Final = export
        self.gross: Final = gross
        self.credit: Final = credit
        self.lines: Final = tuple(numbers)
        channels = dict.fromkeys((item.billing_account_id, item.service_name) for item in self.lines)
        self.channels: Final = tuple(channels)
        positions = {channel: number for number, channel in enumerate(self.channels)}
        self.channel_of: Final = tuple(
            positions[item.billing_account_id, item.service_name] for item in self.lines
        )
        self.first_hour: Final = min(self.usage, default=0)
        self.end_hour: Final = max(self.usage, default=-1) + 1
        """Usage hours lie from first_hour up to but not including end_hour."""

    def __len__(self) -> int:
        return len(self.line)


class KnownCosts:
    """What the bill said at an hour: the sum of the cells with an earlier export hour, and no other.

    It only moves forward. Columns are indexed by usage hour minus `first_hour`; they reach at least `until`.
    """

    def __init__(self, history: CostHistory, until: int) -> None:
        self.history: Final = history
        self.first_hour: Final = history.first_hour if len(history) else until
        size = max(history.end_hour, until) - self.first_hour
        lines = range(len(history.lines))
        self.size: Final = size
        self.gross: Final = [array("q", bytes(8 * size)) for _ in lines]
        self.credit: Final = [array("q", bytes(8 * size)) for _ in lines]
        self.first_export: Final = [array("i", [NEVER]) * size for _ in lines]
        """Export hour of a line's first cell for each usage hour, or NEVER."""
        self.opened: Final = [array("i", [NEVER]) * size for _ in history.channels]
        """Export hour of a channel's first cell for each usage hour, or NEVER."""
        self.started: Final = array("i", [NEVER]) * len(history.lines)
        """Earliest usage hour of each line, or NEVER."""
        self.exporting_since: Final = array("i", [NEVER]) * len(history.channels)
        """Export hour of each channel's very first cell, or NEVER."""
        self.as_of = self.first_hour
        self._next = 0

    def advance(self, as_of: int) -> None:
        """Take in the cells exported before the hour `as_of`."""
        history, position = self.history, self._next
        end = len(history)
        while position < end and history.export[position] < as_of:
            line, export = history.line[position], history.export[position]
            hour = history.usage[position]
            at, channel = hour - self.first_hour, history.channel_of[line]
            self.gross[line][at] += history.gross[position]
            self.credit[line][at] += history.credit[position]
            self.started[line] = min(self.started[line], hour)
            if self.first_export[line][at] == NEVER:
                self.first_export[line][at] = export
            if self.opened[channel][at] == NEVER:
                self.opened[channel][at] = export
            if self.exporting_since[channel] == NEVER:
                self.exporting_since[channel] = export
            position += 1
        self._next = position
        self.as_of = max(self.as_of, as_of)

    @property
    def known_from(self) -> int:
        """Earliest usage hour of which anything is known, or NEVER."""
        return min(self.started, default=NEVER)

    def net_nano_usd(self, line: int, begin: int, end: int) -> int:
        """Sum of what is known of a line's usage hours from `begin` to before `end`."""
        low = max(begin - self.first_hour, 0)
        high = max(end - self.first_hour, low)
        return sum(self.gross[line][low:high]) + sum(self.credit[line][low:high])
