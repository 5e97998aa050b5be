"""What a nowcast says of a billing day, all services together."""

from __future__ import annotations

from typing import NamedTuple

from exporter.analysis.nowcast.nowcast import Nowcast


class Estimates(NamedTuple):
    """What was estimated of a billing day at an hour; money in billionths of a US dollar."""

    nowcast_nano_usd: int
    """Of the day's cost up to the hour."""
    day_forecast_nano_usd: int
    """Of the whole day's cost."""


def estimates_at(nowcast: Nowcast, hour: int) -> Estimates:
    """What a nowcast says of the billing day of an hour, all services together."""
    return Estimates(
        sum(part.total_nano_usd for part in nowcast.today_so_far(hour).values()),
        sum(part.total_nano_usd for part in nowcast.whole_day(hour).values()),
    )
