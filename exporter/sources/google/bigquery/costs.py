"""What BigQuery's on-demand price makes of bytes read: pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

USD_PER_TEBIBYTE: Final = 6.25
"""On-demand analysis in the US and EU multi-regions; https://cloud.google.com/bigquery/pricing."""

_MEBIBYTE: Final = 2**20
_LEAST_BILLED_BYTES: Final = 10 * _MEBIBYTE
"""A query is billed for at least this."""


MONTH: Final = timedelta(days=30)
"""What `a month` means where costs are predicted."""

ROW_BYTES: Final = 1_000
"""Of a row of the detailed export as BigQuery counts it, where nothing better is known."""

READ_ROW_BYTES: Final = 300
"""Of them, the columns that charges are made from: no labels, no names of resources."""

CURSOR_ROW_BYTES: Final = 8
"""Of them, the one column that is read to find what changed: export_time."""


@dataclass(frozen=True, slots=True)
class RefreshBytes:
    """What the queries of refreshes are billed for, in bytes a query."""

    ask: int
    """To find partitions that changed, at every refresh."""
    read: int
    """The charges of the newest partition, where it changed."""
    look_at_all: int
    """To find changes in all partitions, now and then."""


def month_bytes(
    each: RefreshBytes, update_interval: timedelta, full_check_every: timedelta
) -> tuple[float, float]:
    """Return the bytes that a month of refreshes is billed for, at least and at most.

    The least is that of a month in which nothing changes, the most that of one in which every refresh finds
    the newest partition changed.
    """
    refreshes = MONTH / update_interval
    least = refreshes * each.ask + (MONTH / full_check_every) * each.look_at_all
    return least, least + refreshes * each.read


def bytes_of_table(table_bytes: int, *, days: int, recent_days: int) -> RefreshBytes:
    """Return what refreshes of a table of so many bytes are billed for, from the sizes of a usual row.

    The table is partitioned by day, has `days` of them of equal size, and a refresh looks back `recent_days`.
    """
    rows = table_bytes // ROW_BYTES
    return RefreshBytes(
        ask=billed_bytes(rows * min(recent_days, days) // days * CURSOR_ROW_BYTES),
        read=billed_bytes(rows // days * READ_ROW_BYTES),
        look_at_all=billed_bytes(rows * CURSOR_ROW_BYTES),
    )


def on_demand_usd(count: float) -> float:
    """Return what so many billed bytes cost on demand."""
    return count / 2**40 * USD_PER_TEBIBYTE


def billed_bytes(bytes_read: int) -> int:
    """Return what a query that reads so many bytes is billed for: whole mebibytes, and at least ten.

    A cap equal to the bytes read would therefore fail.
    """
    return max(-(-bytes_read // _MEBIBYTE) * _MEBIBYTE, _LEAST_BILLED_BYTES)


def suggested_cap(estimate_bytes: int) -> str:
    """Return a cap with headroom over an estimate, as it is written in the configuration."""
    return f"{-(-estimate_bytes * 5 // 4 // 2**30)}GiB"


def price_text(count: float) -> str:
    """Write what so many billed bytes cost on demand."""
    usd = on_demand_usd(count)
    return f"${usd:,.2f}" if usd >= 0.01 else "less than $0.01"
