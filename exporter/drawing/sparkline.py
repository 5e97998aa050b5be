"""A small line without axes that shows how an amount went over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from exporter.drawing.svg import element, picture

_EDGE: Final = 2.0


def sparkline(
    amounts: Sequence[float | None], *, width: float = 120.0, height: float = 28.0, title: str, desc: str
) -> Markup:
    """Return the line, from zero upwards; it is broken where an amount is not known."""
    known = [amount for amount in amounts if amount is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0
    step = (width - 2 * _EDGE) / max(len(amounts) - 1, 1)
    path, pen_down = "", False
    last: tuple[float, float] | None = None
    for number, amount in enumerate(amounts):
        if amount is None:
            pen_down = False
            continue
        x, y = _EDGE + number * step, _EDGE + (high - amount) / span * (height - 2 * _EDGE)
        path += f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}"
        last, pen_down = (x, y), True
    shapes = [element("path", d=path, class_="line")] if path else []
    if last:
        shapes.append(element("circle", cx=last[0], cy=last[1], r=2, class_="end"))
    return picture(*shapes, width=width, height=height, title=title, desc=desc, class_="sparkline")
