"""The other kinds of panel as HTML: big numbers, bars, tables, and the text where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from grafana.pictures.asking import Series
from grafana.pictures.readings import COLOURS, properties, series_colour, threshold_colour, written


def nothing(panel: Mapping[str, Any]) -> str:
    """Say why there is nothing."""
    text = escape(panel["fieldConfig"]["defaults"]["noValue"])
    return f'<div class="nothing">{text}</div>'


def numbers(
    panel: Mapping[str, Any], answers: Sequence[Series], now: float, size: tuple[float, float]
) -> str:
    """Draw big numbers beside each other, or below each other where it is narrow."""
    defaults = panel["fieldConfig"]["defaults"]
    named = panel["options"]["textMode"] == "name"
    width, height = size
    across = width > 110 * len(answers)
    room = width / len(answers) if across else width
    down = height if across else height / len(answers)
    plates = []
    for series in answers:
        value = series.points[-1][1]
        text = series.name if named else written(value, defaults["unit"], defaults.get("decimals"), now)
        name = series.name if len(answers) > 1 or len(panel["targets"]) > 1 else ""
        large = min(44.0, room / max(len(text), 4) * 1.45, down * (0.45 if name else 0.6))
        label = f'<div class="name">{escape(name)}</div>' if name and across else ""
        beside = f'<span class="name">{escape(name)} </span>' if name and not across else ""
        colour = series_colour(series.name, value, panel)
        plates.append(
            f'<div class="plate">{label}{beside}'
            f'<span style="color:{colour};font-size:{large:.0f}px">{escape(text)}</span></div>'
        )
    return f'<div class="plates {"across" if across else "down"}">{"".join(plates)}</div>'


def bars(panel: Mapping[str, Any], answers: Sequence[Series], now: float, size: tuple[float, float]) -> str:
    """Draw one bar for each series."""
    defaults = panel["fieldConfig"]["defaults"]
    rows = sorted(answers, key=lambda series: -series.points[-1][1])
    longest = defaults.get("max") or max(abs(series.points[-1][1]) for series in rows) or 1.0
    high = min(34.0, size[1] / len(rows))
    lines = []
    for series in rows:
        value = series.points[-1][1]
        colour = series_colour(series.name, value, panel)
        text = escape(written(value, defaults["unit"], defaults.get("decimals"), now))
        share = 100 * min(abs(value) / longest, 1)
        lines.append(
            f'<tr style="height:{high:.1f}px"><td class="name">{escape(series.name) or "(none)"}</td><td '
            'class="bar">'
            f'<div style="width:{share:.2f}%;height:{high * 0.66:.1f}px;background:{colour}"></div></td>'
            f'<td class="value">{text}</td></tr>'
        )
    return f'<table class="bars">{"".join(lines)}</table>'


def table(panel: Mapping[str, Any], answers: Sequence[Series], now: float, size: tuple[float, float]) -> str:
    """Draw a table of the queries' answers, joined by their labels."""
    names = panel["transformations"][1]["options"]["renameByName"]
    values = [name for name in names if name == "Value" or name.startswith("Value #")]
    labels = [name for name in names if name not in values]
    lines: dict[tuple[str, ...], dict[str, float]] = {}
    for series in answers:
        key = tuple(series.labels.get(label, "") for label in labels)
        column = "Value" if values == ["Value"] else f"Value #{series.query}"
        lines.setdefault(key, {})[column] = series.points[-1][1]
    ordered = sorted(lines.items(), key=lambda line: -line[1].get(values[0], -1e99))
    head = "".join(f"<th>{escape(names[name])}</th>" for name in (*labels, *values))
    body = []
    for key, figures in ordered[: int((size[1] - 30) / 30)]:
        widths = [properties(names[label], panel).get("custom.width", 250) for label in labels]
        cells = [
            f'<td style="max-width:{width}px">{escape(value)}</td>'
            for width, value in zip(widths, key, strict=True)
        ]
        cells += [_cell(panel, names[name], figures.get(name), now) for name in values]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="table"><tr>{head}</tr>{"".join(body)}</table>'


def _cell(panel: Mapping[str, Any], column: str, value: float | None, now: float) -> str:
    if value is None:
        return "<td></td>"
    own = properties(column, panel)
    text = written(value, own["unit"], own.get("decimals"), now)
    colour = ""
    if "thresholds" in own:
        colour = f' style="color:{threshold_colour(value, own)}"'
    for mapping in own.get("mappings", []):
        result = mapping["options"].get(f"{value:g}")
        if result:
            text = result["text"]
            colour = f' style="color:{COLOURS.get(result["color"], result["color"])}"'
    return f'<td class="figure"{colour}>{escape(text)}</td>'
