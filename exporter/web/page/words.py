"""Amounts, shares and ages in words. The page's script writes amounts and shares in the same way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUS: Final = "\u2212"


def dollars(usd: float) -> str:
    """Return whole dollars, or cents below ten dollars."""
    return _dollars(usd, 9.995)


def rate(usd: float) -> str:
    """Return dollars an hour: whole ones, or cents below a hundred."""
    return _dollars(usd, 99.995)


def _dollars(usd: float, cents_below: float) -> str:
    places = Decimal("0.01") if abs(usd) < cents_below else Decimal(1)
    # Halves are rounded up, as a browser does: a figure does not change when the script writes it.
    digits = f"${Decimal(repr(float(abs(usd)))).quantize(places, ROUND_HALF_UP):,}"
    return f"{_MINUS}{digits}" if usd < 0 and digits.strip("$0.") else digits


def small_dollars(usd: float) -> str:
    """Return an amount of any size with three digits that count."""
    if usd == 0 or abs(usd) >= 1:
        return dollars(usd)
    return f"{_MINUS if usd < 0 else ''}${abs(usd):#.3g}" if abs(usd) >= 1e-4 else f"${usd:.2e}"


def percent(ratio: float) -> str:
    """Return a share in whole percent; one that is nearly 100% is not called so."""
    return f"{'-' if ratio < 0 else ''}{math.floor(abs(ratio) * 100 + 1e-9):,}%"


def signed_percent(ratio: float) -> str:
    """Return a change in whole percent, with its sign."""
    return f"{_MINUS if ratio < 0 else '+'}{abs(ratio) * 100:,.0f}%"


FORMS: Final[Mapping[str, Callable[[float], str]]] = {"dollars": dollars, "rate": rate, "percent": percent}
"""By the name that the script knows."""


def day(of: date) -> str:
    """Return a day as `17 Nov`."""
    return f"{of.day} {_MONTHS[of.month - 1]}"


def weekday(of: date) -> str:
    """Return a day as `Tue 17 Nov`."""
    return f"{_WEEKDAYS[of.weekday()]} {day(of)}"


def age(since: timedelta) -> str:
    """Return an age in words; a negative one, after the clock was set back, is `just now`."""
    seconds = since.total_seconds()
    if seconds < 1:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def moment(at: datetime) -> str:
    """Return a time as `26 Nov 07:15 UTC`; `at` is in UTC."""
    return f"{day(at.date())} {at:%H:%M} UTC"
