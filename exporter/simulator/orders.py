"""The orders that the demo's shop takes: more in the evening than at night, fewer at the weekend, growing.

Pure: the same seed and start give the same orders, whatever is asked and when.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from math import exp
from typing import Final
from zoneinfo import ZoneInfo

from exporter.simulator.chance import normal, stream
from exporter.simulator.google.company import ACCOUNTS, SEASONS
from exporter.simulator.moment import MICROSECONDS_PER_HOUR, moment, to_microseconds

_PER_HOUR: Final = 380.0
"""In a mean hour when the company begins."""
_GROWTH: Final = 0.05
"""In 30 days, as a share."""
_HOURLY_NOISE: Final = 0.06
_DAILY_NOISE: Final = 0.05
_ZONES: Final = (ZoneInfo(ACCOUNTS["main"].timezone),)
_KEPT_HOURS: Final = 4096


class Orders:
    """Orders from `start` on; another `seed` gives another company."""

    def __init__(self, seed: int, start: datetime) -> None:
        self.start: Final = start
        self._first_hour = to_microseconds(start) // MICROSECONDS_PER_HOUR
        self._hourly = stream(seed, "orders", "hour")
        self._daily = stream(seed, "orders", "day")
        self.in_hour = lru_cache(maxsize=_KEPT_HOURS)(self._in_hour)

    def taken(self, before: datetime, within: timedelta) -> int:
        """Return the orders of the time `within` before a moment."""
        return self._until(before) - self._until(before - within)

    def _until(self, when: datetime) -> int:
        """Orders since the start, as a counter has them."""
        hour, rest = divmod(to_microseconds(max(when, self.start)), MICROSECONDS_PER_HOUR)
        whole = sum(self.in_hour(each) for each in range(self._first_hour, hour))
        return whole + self.in_hour(hour) * rest // MICROSECONDS_PER_HOUR

    def _in_hour(self, hour: int) -> int:
        at = moment(hour, _ZONES)
        day, of_day = divmod(at.week_hours[_ZONES[0].key], 24)
        season = SEASONS["traffic"]
        weight = season.hours[of_day] * (season.weekend if day >= 5 else 1.0)
        grown = _GROWTH * (hour - self._first_hour) / 720.0
        noise = _HOURLY_NOISE * normal(self._hourly, hour) + _DAILY_NOISE * normal(
            self._daily, at.billing_day
        )
        return round(_PER_HOUR * weight * exp(grown + noise))
