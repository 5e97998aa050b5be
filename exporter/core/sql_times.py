"""Times for DuckDB, where they are kept in UTC without a zone."""

from __future__ import annotations

from datetime import UTC, datetime


def naive_utc(moment: datetime) -> datetime:
    """Return an aware time in UTC without its zone, as a query parameter."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def sql_time(moment: datetime) -> str:
    """Return an aware time as an SQL literal of type TIMESTAMP, in UTC."""
    return f"TIMESTAMP '{naive_utc(moment):%Y-%m-%d %H:%M:%S.%f}'"
