"""A board as a page of HTML: the grid as Grafana lays it out, one column on a narrow screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from grafana.pictures import curves, plates
from grafana.pictures.asking import Prometheus, Series, Span, ask, chosen, events, fill_in, variables

ROW: Final = 30
GUTTER: Final = 8
NARROW: Final = 769
"""Below this width Grafana puts all panels in one column."""
HEAD: Final = 92
FOOT: Final = 34
CAPTION: Final = (
    "Drawn from a running Prometheus with the board's own queries, layout and units; "
    "Grafana's own drawing differs a little."
)

_THEMES: Final = {
    "light": {
        "page": "#f4f5f5",
        "panel": "#ffffff",
        "line": "#e3e4e6",
        "text": "#24292e",
        "weak": "#6b7078",
    },
    "dark": {"page": "#111217", "panel": "#181b1f", "line": "#2c2f36", "text": "#ccccdc", "weak": "#8e8e9c"},
}

_STYLE: Final = """
* { box-sizing: border-box; margin: 0 }
body { background: %(page)s; color: %(text)s;
  font: 13px Inter, "DejaVu Sans", Roboto, Helvetica, Arial, sans-serif; position: relative }
h1 { font-size: 18px; font-weight: 500; padding: 14px 16px 8px }
.choices { padding: 0 16px; white-space: nowrap; overflow: hidden }
.choices span { border: 1px solid %(line)s; background: %(panel)s; padding: 4px 8px; margin-right: 8px;
  font-size: 12px; border-radius: 2px; display: inline-block }
.choices b { font-weight: 500; color: %(weak)s; margin-right: 6px }
.section { position: absolute; font-size: 15px; font-weight: 500; padding: 4px 4px }
.panel { position: absolute; background: %(panel)s; border: 1px solid %(line)s; border-radius: 3px;
  overflow: hidden }
.panel h2 { font-size: 13px; font-weight: 500; height: 30px; padding: 8px 10px 0; white-space: nowrap;
  overflow: hidden;
  text-overflow: ellipsis }
.panel h2 small { color: %(weak)s; font-weight: 400; margin-left: 8px }
.body { padding: 0 8px }
.grid { stroke: %(line)s; stroke-width: 1 }
.tick { fill: %(weak)s; font-size: 11px }
.legend { width: 100%%; border-collapse: collapse; font-size: 12px }
.legend tr { height: 20px; border-top: 1px solid %(line)s }
.legend td:last-child { text-align: right }
.legend i { display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin: 0 8px 2px 2px }
.nothing { display: flex; align-items: center; justify-content: center; text-align: center; height: 100%%;
  color: %(weak)s; padding: 0 8px 22px }
.plates { display: flex; height: 100%%; padding-bottom: 8px }
.down { flex-direction: column }
.plate { flex: 1; display: flex; flex-direction: column; align-items: center; justify-content: center;
  font-weight: 500; white-space: nowrap }
.down .plate { flex-direction: row; justify-content: space-between; padding: 0 8px }
.plate .name { font-size: 12px; font-weight: 400; color: %(text)s }
.bars { width: 100%%; border-collapse: collapse; font-size: 12px }
.bars td { padding: 0 4px }
.bars .name { white-space: nowrap; text-align: right; width: 1%% }
.bars .bar { width: auto }
.bars .value { white-space: nowrap; width: 1%%; font-weight: 500; text-align: right }
.bars .bar div { border-radius: 2px; min-width: 2px }
.table { width: 100%%; border-collapse: collapse; font-size: 12px }
.table th { text-align: left; font-weight: 500; color: %(weak)s; height: 30px; padding: 0 8px;
  white-space: nowrap }
.table td { height: 30px; padding: 0 8px; border-top: 1px solid %(line)s; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap }
.table .figure { text-align: left; font-variant-numeric: tabular-nums }
.caption { position: absolute; left: 16px; right: 16px; color: %(weak)s; font-size: 11px }
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and how high it is in pixels."""

    html: str
    height: int


def page(board: Mapping[str, Any], prometheus: Prometheus, span: Span, width: int, theme: str) -> Page:
    """Draw a board as it is now.

    Raises AskingError where a query is refused.
    """
    values = chosen(board, variables(board, prometheus, span))
    marks = events(board, prometheus, span)
    drawn = []
    y_narrow = HEAD
    bottom = 0
    for panel in sorted(board["panels"], key=lambda each: (each["gridPos"]["y"], each["gridPos"]["x"])):
        place = panel["gridPos"]
        high = place["h"] * (ROW + GUTTER) - GUTTER
        if width < NARROW:
            left, top, wide = GUTTER, y_narrow, width - 2 * GUTTER
            y_narrow += high + GUTTER
        else:
            column = (width - GUTTER) / 24
            left, wide = round(GUTTER + place["x"] * column), round(place["w"] * column - GUTTER)
            top = HEAD + place["y"] * (ROW + GUTTER)
        bottom = max(bottom, top + high)
        at = f"left:{left}px;top:{top}px;width:{wide}px;height:{high}px"
        title = escape(fill_in(panel["title"], values, 1, span))
        if panel["type"] == "row":
            drawn.append(f'<div class="section" style="{at}">⌄ {title}</div>')
            continue
        answers = ask(panel, values, prometheus, span)
        inside = _inside(panel, answers, span, (wide - 18, high - 40), marks)
        last = f"<small>Last {panel['timeFrom']}</small>" if panel.get("timeFrom") else ""
        drawn.append(
            f'<div class="panel" style="{at}"><h2>{title}{last}</h2>'
            f'<div class="body" style="height:{high - 32}px">{inside}</div></div>'
        )
    height = bottom + FOOT
    head = f"<h1>{escape(board['title'])}</h1><div class='choices'>{_choices(board)}</div>"
    caption = f'<div class="caption" style="top:{bottom + 10}px">{CAPTION}</div>'
    style = _STYLE % _THEMES[theme]
    body = f'<body style="height:{height}px">{head}{"".join(drawn)}{caption}</body>'
    head = f"<head><meta charset='utf-8'><style>{style}</style></head>"
    return Page(f"<!doctype html><html>{head}{body}</html>", height)


def _choices(board: Mapping[str, Any]) -> str:
    return "".join(
        f"<span><b>{escape(variable['label'])}</b>{'All' if variable.get('includeAll') else '⌄'}</span>"
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    )


def _inside(
    panel: Mapping[str, Any],
    answers: Sequence[Series],
    span: Span,
    size: tuple[float, float],
    marks: Sequence[tuple[float, str]],
) -> str:
    if not answers:
        return plates.nothing(panel)
    if panel["type"] == "timeseries":
        return curves.draw(panel, answers, span, size, () if panel.get("timeFrom") else marks)
    kinds = {"stat": plates.numbers, "bargauge": plates.bars, "table": plates.table}
    return kinds[panel["type"]](panel, answers, span.end, size)
