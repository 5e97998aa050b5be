"""Numbers as Grafana writes them, for the units that the boards use, and the colours that they get."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from grafana.source.colours import colour

COLOURS: Final = {
    "green": "#56A64B",
    "blue": "#3274D9",
    "orange": "#F2872B",
    "red": "#E02F44",
}
"""The names that the boards use, as Grafana's classic palette has them."""

_SHORT: Final = ("", " K", " Mil", " Bil", " Tri")
_MONEY: Final = ("", "K", "M", "B")
_BYTES: Final = (" B", " KiB", " MiB", " GiB", " TiB", " PiB")
_DURATIONS: Final = ((31536000, "years"), (604800, "weeks"), (86400, "days"), (3600, "hours"), (60, "mins"))
_SHORT_TIMES: Final = ((1, "s"), (1e3, "ms"), (1e6, "µs"))


def written(value: float, unit: str, decimals: int | None, now: float) -> str:
    """Write a value; `now` in Unix seconds is what times are told from."""
    places = 2 if decimals is None else decimals
    writes: Mapping[str, Callable[[float], str]] = {
        "currencyUSD": lambda size: f"${_scaled(size, 1000, _MONEY, places)}",
        "percentunit": lambda size: f"{100 * size:.{places}f}%",
        "bytes": lambda size: _scaled(size, 1024, _BYTES, places),
        "s": lambda size: _duration(size, places),
        "locale": lambda size: f"{size:,.{places}f}",
        "short": lambda size: _scaled(size, 1000, _SHORT, places),
        "reqps": lambda size: _scaled(size, 1000, _SHORT, places) + " req/s",
        "none": lambda size: f"{size:.{places}f}",
    }
    if unit == "dateTimeFromNow":
        ahead = value / 1000 - now
        return f"in {_duration(ahead, 0)}" if ahead > 0 else f"{_duration(-ahead, 0)} ago"
    return ("-" if value < 0 else "") + writes[unit](abs(value))


def _scaled(size: float, base: int, suffixes: tuple[str, ...], places: int) -> str:
    power = min(int(math.log(size, base)), len(suffixes) - 1) if size >= base else 0
    return f"{size / base**power:.{places}f}{suffixes[power]}"


def _duration(size: float, places: int) -> str:
    for length, name in _DURATIONS:
        if size >= length:
            return f"{size / length:.{places}f} {name}"
    if not size:
        return "0 s"
    factor, name = next((pair for pair in _SHORT_TIMES if size * pair[0] >= 1), _SHORT_TIMES[-1])
    return f"{size * factor:.{places}f} {name}"


def threshold_colour(value: float, defaults: Mapping[str, Any]) -> str:
    """Return the colour that the thresholds give."""
    found: str = "blue"
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return COLOURS.get(found, found)


def series_colour(name: str, value: float, panel: Mapping[str, Any]) -> str:
    """Return the colour of a series: the override of its name, or else its thresholds or its name's."""
    config = panel["fieldConfig"]
    fixed = properties(name, panel).get("color")
    if fixed:
        return COLOURS.get(fixed["fixedColor"], str(fixed["fixedColor"]))
    if config["defaults"]["color"]["mode"] == "thresholds":
        return threshold_colour(value, config["defaults"])
    return colour(name)


def properties(name: str, panel: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that overrides give to a field of that name."""
    return {
        each["id"]: each["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == name
        for each in override["properties"]
    }
