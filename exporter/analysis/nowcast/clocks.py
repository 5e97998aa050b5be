"""Hours of the week by clocks that change and one that does not, for a range of hours.

A fixed distance from UTC makes no difference to an hour of the week that recurs; only its changes do. So
there are three clocks, whatever zone people work in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from exporter.analysis.nowcast.known_costs import Integers

WEEK: Final = 168

_CHANGING: Final = ("America/New_York", "Europe/Berlin")
NAMES: Final = ("none", "US", "EU")


class Clocks:
    """Hours of the week from `first_hour` to before `end_hour`, clocks x hours."""

    def __init__(self, first_hour: int, end_hour: int) -> None:
        hours = np.arange(first_hour, end_hour)
        rows = [hours % WEEK]
        rows += [(hours + _summer(name, first_hour, end_hour)) % WEEK for name in _CHANGING]
        self.first_hour: Final = first_hour
        self._week_hours: Final[Integers] = np.stack(rows)

    def week_hours(self, begin: int, end: int) -> Integers:
        """Return the hours of the week from `begin` to before `end`; clocks x hours."""
        return self._week_hours[:, begin - self.first_hour : end - self.first_hour]


def _summer(zone: str, begin: int, end: int) -> Integers:
    """1 in the hours in which a zone has summer time, else 0."""
    found = np.zeros(end - begin, np.int64)
    info, step = ZoneInfo(zone), 24
    for low in range(begin, end, step):
        high = min(low + step, end)
        if _dst(info, low) == _dst(info, high):
            found[low - begin : high - begin] = _dst(info, low)
        else:
            found[low - begin : high - begin] = [_dst(info, hour) for hour in range(low, high)]
    return found


def _dst(zone: ZoneInfo, hour: int) -> int:
    moment = datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone)
    return int(bool(moment.dst()))
