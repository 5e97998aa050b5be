"""SQL for single values as clients of BigQuery write them: times, numbers, and objects around one `value`."""

from __future__ import annotations

from typing import Final

ACCEPTED_TIMES: Final = (
    "2026-11-20T20:00:00Z, 2026-11-20 20:00:00 UTC, seconds, milliseconds or microseconds since 1970, "
    'or {"value": one of them}'
)
"""What `time_of_text` reads, in words."""

_YEAR_1: Final = -62_135_596_800
"""In seconds since 1970: the zero time of some languages."""


def unwrapped(text: str) -> str:
    """Return a VARCHAR expression: of text such as `{"value": "1.5"}`, the value; other text as it is."""
    return f"CASE WHEN starts_with({text}, '{{') THEN json_extract_string({text}, '$.value') ELSE {text} END"


def time_of_text(text: str) -> str:
    """Return a TIMESTAMP expression in UTC of text that is a time, or a number since 1970; else NULL."""
    return (
        f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC', "
        f"{time_of_number(f'TRY_CAST({text} AS DOUBLE)')})"
    )


def time_of_number(number: str) -> str:
    """Return a TIMESTAMP expression of seconds, milliseconds, microseconds or nanoseconds since 1970.

    The unit is known by the size, for the years from 2001 to 2286. Nought and what is before it are seconds:
    the times of some adjustments. Other numbers, such as 20261120, are no times.
    """
    return (
        f"CASE WHEN {number} BETWEEN {_YEAR_1} AND 0 OR ({number} >= 1e9 AND {number} < 1e10) "
        f"THEN make_timestamp(({number} * 1000000)::BIGINT) "
        f"WHEN {number} >= 1e12 AND {number} < 1e13 THEN make_timestamp(({number} * 1000)::BIGINT) "
        f"WHEN {number} >= 1e15 AND {number} < 1e16 THEN make_timestamp({number}::BIGINT) "
        f"WHEN {number} >= 1e18 AND {number} < 1e19 THEN make_timestamp(({number} / 1000)::BIGINT) END"
    )
