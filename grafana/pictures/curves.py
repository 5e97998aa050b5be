"""Series over time as SVG: lines, areas on top of each other, bars, a band, and the legend below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise
from typing import Any, Final

from grafana.pictures.asking import Series, Span
from grafana.pictures.readings import COLOURS, properties, series_colour, written

LEGEND_ROW: Final = 20
LEFT: Final = 62
BELOW: Final = 20
GAP_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Curve:
    """A series as it is drawn: from a base up to a value at each time."""

    series: Series
    colour: str
    base: list[float]
    top: list[float]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where times and values lie in the picture."""

    width: float
    height: float
    start: float
    end: float
    low: float
    high: float
    logarithmic: bool = False

    def x(self, time: float) -> float:
        """Return the place of a time."""
        return LEFT + (time - self.start) / (self.end - self.start) * (self.width - LEFT - 10)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        if self.logarithmic:
            share = math.log(self.high / max(value, self.low)) / math.log(self.high / self.low)
        else:
            share = (self.high - value) / (self.high - self.low)
        return 6 + share * (self.height - 6 - BELOW)


def draw(
    panel: Mapping[str, Any],
    answers: Sequence[Series],
    span: Span,
    size: tuple[float, float],
    marks: Sequence[tuple[float, str]],
) -> str:
    """Draw a panel of series; `marks` are times and their colours."""
    width, height = size
    rows = min(len(answers), max(1, int(height * 0.36 / LEGEND_ROW)))
    custom = panel["fieldConfig"]["defaults"]["custom"]
    bars = custom["drawStyle"] == "bars"
    curves = _curves(panel, answers, custom["stacking"]["mode"] == "normal")
    first = min(series.points[0][0] for series in answers)
    last = max(series.points[-1][0] for series in answers)
    start, end = (first, last + 86400) if bars else (first, max(span.end, last))
    low, high, ticks = _scale(curves, panel["fieldConfig"]["defaults"])
    logarithmic = custom.get("scaleDistribution", {}).get("type") == "log" and low > 0
    frame = Frame(width, height - rows * LEGEND_ROW - 4, start, end, low, high, logarithmic)
    drawn = [_axes(frame, ticks, panel, span.end)]
    drawn += [_bars(curve, frame) if bars else _curve(curve, frame, panel) for curve in curves]
    drawn.insert(1, _band(curves, frame, panel))
    drawn += [_mark(frame.x(time), COLOURS[colour], frame) for time, colour in marks if start < time < end]
    svg = f'<svg width="{width}" height="{frame.height}">{"".join(drawn)}</svg>'
    return svg + _legend(panel, curves, rows, span.end)


def _curves(panel: Mapping[str, Any], answers: Sequence[Series], stacked: bool) -> list[Curve]:
    sums: dict[float, float] = {}
    curves = []
    for series in sorted(answers, key=lambda each: -each.points[-1][1]) if stacked else answers:
        colour = series_colour(series.name, series.points[-1][1], panel)
        base = [sums.get(time, 0.0) if stacked else 0.0 for time, _ in series.points]
        top = [below + value for below, (_, value) in zip(base, series.points, strict=True)]
        if stacked:
            sums.update({time: value for (time, _), value in zip(series.points, top, strict=True)})
        curves.append(Curve(series, colour, base, top))
    return curves


def _scale(curves: Sequence[Curve], defaults: Mapping[str, Any]) -> tuple[float, float, list[float]]:
    values = [value for curve in curves for value in curve.top]
    if defaults["custom"].get("scaleDistribution", {}).get("type") == "log" and min(values) > 0:
        powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
        ticks = [10.0**power for power in powers]
        return ticks[0], ticks[-1], ticks
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    low, high = min(values), max(values)
    low = 0.0 if stacked and low >= 0 else defaults.get("min", low)
    high = defaults.get("max", high)
    if high - low < abs(high) * 1e-3:
        low, high = (0.0, high * 1.25) if high > 0 else (low - 1, high + 1)
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return bottom, top, [bottom + place * step for place in range(round((top - bottom) / step) + 1)]


def _axes(frame: Frame, ticks: Sequence[float], panel: Mapping[str, Any], now: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    step = ticks[1] - ticks[0]
    unit, decimals = defaults["unit"], defaults.get("decimals")
    if unit == "currencyUSD" and not frame.logarithmic:
        decimals = (
            0 if step >= 1 and frame.high < 1000 else max(1 if frame.high >= 1000 else 0, decimals or 0)
        )
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{frame.width - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = escape(written(tick, unit, decimals, now))
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    days = frame.end - frame.start > 3 * 86400
    count = max(2, int((frame.width - LEFT) / (70 if days else 90)))
    steps = (60, 120, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 432000)
    every = next((each for each in steps if (frame.end - frame.start) / each <= count), 604800)
    time = math.ceil(frame.start / every) * every
    while time < frame.end:
        label = datetime.fromtimestamp(time).astimezone().strftime("%m/%d" if days else "%H:%M")
        x = frame.x(time)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{frame.height - BELOW}"/>')
        if x < frame.width - 30:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{frame.height - 4}" text-anchor="middle">{label}</text>'
            )
        time += every
    return "".join(parts)


def _curve(curve: Curve, frame: Frame, panel: Mapping[str, Any]) -> str:
    custom = {**panel["fieldConfig"]["defaults"]["custom"]}
    own = properties(curve.series.name, panel)
    fill = own.get("custom.fillOpacity", custom["fillOpacity"])
    line = own.get("custom.lineWidth", custom["lineWidth"])
    dash = ' stroke-dasharray="8 8"' if "custom.lineStyle" in own else ""
    if own.get("custom.fillBelowTo"):
        fill = 0
    parts = []
    for piece in _pieces(curve):
        top = [f"{frame.x(time):.1f},{frame.y(value):.1f}" for time, _, value in piece]
        if fill:
            base = [f"{frame.x(time):.1f},{frame.y(max(value, frame.low)):.1f}" for time, value, _ in piece]
            points = " ".join([*top, *reversed(base)])
            parts.append(f'<polygon points="{points}" fill="{curve.colour}" fill-opacity="{fill / 100}"/>')
        if len(piece) == 1:
            x, _, y = top[0].partition(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{curve.colour}"/>')
        points = " ".join(top)
        stroke = f'stroke="{curve.colour}" stroke-width="{line}"'
        parts.append(f'<polyline points="{points}" fill="none" {stroke} stroke-linejoin="round"{dash}/>')
    return "".join(parts)


def _pieces(curve: Curve) -> list[list[tuple[float, float, float]]]:
    """Cut a curve where nothing was known for a while."""
    pieces: list[list[tuple[float, float, float]]] = []
    times = [time for time, _ in curve.series.points]
    gap = max(GAP_SECONDS, 1.5 * min((b - a for a, b in pairwise(times)), default=0))
    before = -math.inf
    for (time, _), base, top in zip(curve.series.points, curve.base, curve.top, strict=True):
        if time - before > gap:
            pieces.append([])
        pieces[-1].append((time, base, top))
        before = time
    return pieces


def _mark(x: float, colour: str, frame: Frame) -> str:
    bottom = frame.height - BELOW
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{bottom}" stroke="{colour}" stroke-dasharray="4 3"/>'
    return line + f'<path d="M{x - 5:.1f} {bottom + 6}h10l-5 -6z" fill="{colour}"/>'


def _bars(curve: Curve, frame: Frame) -> str:
    wide = (frame.x(frame.start + 86400) - frame.x(frame.start)) * 0.82
    return "".join(
        f'<rect x="{frame.x(time):.1f}" y="{frame.y(max(top, base)):.1f}" width="{wide:.1f}" '
        f'height="{abs(frame.y(base) - frame.y(top)):.1f}" fill="{curve.colour}" fill-opacity="0.85"/>'
        for (time, _), base, top in zip(curve.series.points, curve.base, curve.top, strict=True)
    )


def _band(curves: Sequence[Curve], frame: Frame, panel: Mapping[str, Any]) -> str:
    by_name = {curve.series.name: curve for curve in curves}
    for name, upper in by_name.items():
        lower = by_name.get(properties(name, panel).get("custom.fillBelowTo", ""))
        if lower:
            edge = [(time, value) for (time, _), value in zip(upper.series.points, upper.top, strict=True)]
            back = [(time, value) for (time, _), value in zip(lower.series.points, lower.top, strict=True)]
            points = " ".join(f"{frame.x(t):.1f},{frame.y(v):.1f}" for t, v in [*edge, *reversed(back)])
            return f'<polygon points="{points}" fill="{upper.colour}" fill-opacity="0.25"/>'
    return ""


def _legend(panel: Mapping[str, Any], curves: Sequence[Curve], rows: int, now: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    total = panel["options"]["legend"]["calcs"] == ["sum"]

    def figure(curve: Curve) -> float:
        values = [value for _, value in curve.series.points]
        return sum(values) if total else values[-1]

    lines = "".join(
        f'<tr><td><i style="background:{curve.colour}"></i>{escape(curve.series.name)}</td>'
        f"<td>{escape(written(figure(curve), defaults['unit'], defaults.get('decimals'), now))}</td></tr>"
        for curve in sorted(curves, key=figure, reverse=True)[:rows]
    )
    return f'<table class="legend">{lines}</table>'
