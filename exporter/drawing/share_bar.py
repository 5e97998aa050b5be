"""A bar that shows how much of a limit is used, and how much is expected to be."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from exporter.drawing.svg import element, picture

_WIDTH: Final = 400.0
_HEIGHT: Final = 14.0


def share_bar(used: float, expected: float | None, *, state: str, title: str, desc: str) -> Markup:
    """Return the bar; `used` and `expected` are shares of the limit, `state` is a class."""
    largest = max(1.0, used, expected or 0.0)
    limit = _WIDTH / largest
    shapes = [element("rect", x=0, y=3, width=limit, height=_HEIGHT - 6, rx=4, class_="track")]
    if expected is not None and expected > used:
        shapes.append(
            element("rect", x=0, y=3, width=expected * limit, height=_HEIGHT - 6, rx=4, class_="expected")
        )
    if used > 0:
        shapes.append(
            element("rect", x=0, y=3, width=used * limit, height=_HEIGHT - 6, rx=4, class_=f"used {state}")
        )
    shapes.append(element("rect", x=min(limit, _WIDTH) - 2, y=0, width=2, height=_HEIGHT, class_="limit"))
    return picture(
        *shapes, width=_WIDTH, height=_HEIGHT, title=title, desc=desc, class_="share-bar", stretched=True
    )
