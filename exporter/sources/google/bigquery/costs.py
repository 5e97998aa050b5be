"""What BigQuery's on-demand price makes of bytes read: pure arithmetic."""

from __future__ import annotations

from typing import Final

USD_PER_TEBIBYTE: Final = 6.25
"""On-demand analysis in the US and EU multi-regions; https://cloud.google.com/bigquery/pricing."""

_MEBIBYTE: Final = 2**20
_LEAST_BILLED_BYTES: Final = 10 * _MEBIBYTE
"""A query is billed for at least this."""


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
    usd = count / 2**40 * USD_PER_TEBIBYTE
    return f"${usd:,.2f}" if usd >= 0.01 else "less than $0.01"
