"""What is to come on top of the bill for the hours of a span: a nowcast's estimate less what is billed."""

from __future__ import annotations

import math

from exporter.analysis.nowcast.nowcast import Nowcast


def unbilled_since(nowcast: Nowcast, since: float, now: float, *, daily_bill: bool) -> dict[str, int]:
    """Return billionths of a US dollar by service for the hours from `since` to `now`, as far as they reach.

    Times are hours since 1970-01-01 00:00 UTC. A daily bill has a day's cost at the day's first hour, so such
    a day counts as a whole in the span that it begins in. Beyond the nowcast's end its last moment stands.
    """
    now = min(max(now, float(nowcast.begin)), math.nextafter(nowcast.end, -math.inf))
    first = max(math.ceil(since), nowcast.begin)
    if daily_bill and first < nowcast.end:
        low, high = nowcast.calendar.day_hours(nowcast.calendar.day(first))
        first = low if low >= first else high
    at, low = int(now) - nowcast.begin, first - nowcast.begin
    if low > at:
        return dict.fromkeys(nowcast.billed, 0)
    return {
        service: sum(nowcast.estimate[service][low:at])
        - sum(billed[low:at])
        + max(0, round((now - int(now)) * nowcast.estimate[service][at]) - billed[at])
        for service, billed in nowcast.billed.items()
    }
