"""What it costs to watch a bucket: calls for listing, and the objects that change, by list prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from exporter.core.byte_sizes import size_text
from exporter.sources.objects.store import ObjectStatus

LIST_USD: Final = 0.005 / 1000
READ_USD: Final = 0.0004 / 1000
"""Of one call. S3 Standard, Google's Standard class and Azure's hot tier agree to some tenths in 2026."""

TRANSFER_USD_PER_GB: Final = 0.09
"""The first tier of S3 to the internet; Azure has 0.087 and Google 0.12. Within the region it is free."""

_MONTH: Final = timedelta(days=365.25 / 12)
_CALLS_OF_A_DOWNLOAD: Final = 2


def watching_text(lists: int, objects: Iterable[ObjectStatus], every: timedelta, now: datetime) -> str:
    """Return what watching costs in a month, for people.

    `lists` are the calls of one look at the buckets, done `every` so long. How much will be read is judged by
    the objects that changed in the day before `now`.
    """
    calls = lists * (_MONTH / every)
    changed = [each for each in objects if now - timedelta(days=1) <= each.modified <= now]
    days = _MONTH / timedelta(days=1)
    downloads = len(changed) * days
    size = sum(each.size for each in changed) * days
    requests_usd = calls * LIST_USD + downloads * _CALLS_OF_A_DOWNLOAD * READ_USD
    looks = "1 call" if lists == 1 else f"{lists:,} calls"
    minutes = every / timedelta(minutes=1)
    transfer_usd = size / 1e9 * TRANSFER_USD_PER_GB
    return (
        f"listing takes {looks}, every {minutes:g} minutes: {calls:,.0f} a month; the last day changed "
        f"{len(changed):,} objects, {downloads:,.0f} downloads and {size_text(size)} a month like it. "
        f"Together about ${requests_usd:.2f} a month for requests, and up to ${transfer_usd:.2f} if the data "
        "leaves its region"
    )
