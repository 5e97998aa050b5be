"""A stacked bar for each period: what was spent, on what. Amounts below zero hang under the axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from exporter.drawing.scale import round_steps
from exporter.drawing.svg import element, picture, text

_TOP: Final = 12.0
_BELOW: Final = 24.0
_LEFT: Final = 52.0
_GAP: Final = 0.22
"""Share of a period's width that is left free."""
_LABEL_WIDTH: Final = 74.0
_MINUS: Final = "\u2212"


@dataclass(frozen=True, slots=True)
class Bar:
    """One period."""

    label: str
    """Under the axis; only as many as fit are shown."""
    hint: str
    """Shown to who points at the bar."""
    amounts: Sequence[float | None]
    """By series; None where nothing is known."""
    settled: bool = True
    """Whether the amounts are final; the others are paler."""
    link: str = ""
    marked: bool = False
    """Whether its label is one to show, such as a Monday's."""


def stacked_bars(
    bars: Sequence[Bar], *, width: float, height: float, title: str, desc: str, class_: str = ""
) -> Markup:
    """Return the chart; series number n has the class `series-n`, from the axis outwards."""
    highs = [sum(each for each in bar.amounts if each and each > 0) for bar in bars]
    lows = [sum(each for each in bar.amounts if each and each < 0) for bar in bars]
    steps = round_steps(min(lows, default=0.0), max(highs, default=0.0))
    drawing = _Drawing(steps, width, height, (width - _LEFT) / max(len(bars), 1))
    return picture(
        *drawing.lines(),
        *(drawing.bar(number, bar) for number, bar in enumerate(bars)),
        *drawing.labels(bars),
        width=width,
        height=height,
        title=title,
        desc=desc,
        class_=f"stacked-bars {class_}".strip(),
    )


@dataclass(frozen=True, slots=True)
class _Drawing:
    steps: Sequence[float]
    width: float
    height: float
    each: float
    """Width of a period."""

    def y(self, usd: float) -> float:
        low, high = self.steps[0], self.steps[-1]
        return _TOP + (high - usd) / (high - low) * (self.height - _TOP - _BELOW)

    def lines(self) -> Iterator[Markup]:
        for step in self.steps:
            y, kind = self.y(step), "axis" if step == 0 else "grid"
            yield element("line", x1=_LEFT - 4, x2=self.width, y1=y, y2=y, class_=kind)
            yield element(
                "text", text(_dollars(step)), x=_LEFT - 8, y=y + 4, text_anchor="end", class_="label"
            )

    def bar(self, number: int, bar: Bar) -> Markup:
        x = _LEFT + (number + _GAP / 2) * self.each
        pieces = [element("title", text(bar.hint))]
        # The whole height can be pointed at, also where the bar is low.
        pieces.append(
            element(
                "rect",
                x=_LEFT + number * self.each,
                y=_TOP,
                width=self.each,
                height=self.height - _TOP - _BELOW,
                class_="hit",
            )
        )
        above = below = 0.0
        for series, amount in enumerate(bar.amounts):
            if not amount:
                continue
            begin = above if amount > 0 else below
            top, foot = self.y(max(begin, begin + amount)), self.y(min(begin, begin + amount))
            pieces.append(
                element(
                    "rect",
                    x=x,
                    y=top,
                    width=self.each * (1 - _GAP),
                    height=foot - top,
                    class_=f"series-{series}",
                )
            )
            if amount > 0:
                above += amount
            else:
                below += amount
        drawn = element("g", *pieces, class_="bar" if bar.settled else "bar unsettled")
        return element("a", drawn, href=bar.link, tabindex="-1") if bar.link else drawn

    def labels(self, bars: Sequence[Bar]) -> Iterator[Markup]:
        free_from = 0.0
        for number, bar in enumerate(bars):
            x = _LEFT + (number + 0.5) * self.each
            if bar.marked and x - _LABEL_WIDTH / 2 >= free_from and x + _LABEL_WIDTH / 3 <= self.width:
                free_from = x + _LABEL_WIDTH / 2
                yield element(
                    "text", text(bar.label), x=x, y=self.height - 6, text_anchor="middle", class_="label"
                )


def _dollars(usd: float) -> str:
    places = 0 if float(usd).is_integer() else 2
    return f"{_MINUS if usd < 0 else ''}${abs(usd):,.{places}f}"
