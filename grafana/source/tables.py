"""Panels that are made of tables: movers around zero, and listings with a name, figures and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.models import barchart, common, prometheus, table
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.colours import BLUE, GREY
from grafana.source.fields import (
    NO_CELL,
    WHOLE_USD,
    Query,
    Reading,
    field_defaults,
    override,
    properties,
    reference,
    text_properties,
)
from grafana.source.history import DAILY_STEP
from grafana.source.links import BOARD, To, of_cell
from grafana.source.panel_parts import Placed, explained, new_panel, set_overrides, targets_of

# Grafana renamed both settings of a table's column: the first of each pair is for 11 and older, the second
# for 12 and newer.
HIDDEN: Final = {"custom.hidden": True, "custom.hideFrom": {"viz": True, "legend": False, "tooltip": False}}
WRAPPED: Final = {"custom.cellOptions": {"type": "auto", "wrapText": True}, "custom.wrapText": True}

LEAST_PIXELS: Final = 60
"""Of a column without a width of its own: Grafana's 150 would push figures out of sight."""
FIGURE_PIXELS: Final = 95


def movers(
    title: str,
    description: str,
    label: str,
    expr: str,
    *,
    empty: str,
    link: To | None = None,
    size: tuple[int, int] = (10, 8),
) -> Placed:
    """Bars around zero, one for each value of `label`: a bar gauge draws no bar for the largest decrease."""
    options = barchart.Options(
        x_field=label,
        orientation=common.VizOrientation.HORIZONTAL,
        show_value=common.VisibilityMode.ALWAYS,
        bar_width=0.8,
        x_tick_label_max_length=22,
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
        ),
        tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE, sort=common.SortOrder.NONE),
    )
    custom = {"fillOpacity": 80, "lineWidth": 0, "axisCenteredZero": True, "axisLabel": "USD"}
    defaults = field_defaults(
        Reading(WHOLE_USD, 0, ((0, GREY), (0, BLUE))),
        None,
        color=model.FieldColorModeId.THRESHOLDS,
        custom=custom,
    )
    targets = targets_of([Query(f"sort_desc({expr})")], instant=True, output=prometheus.PromQueryFormat.TABLE)
    panel = new_panel(
        "barchart", title, explained(description, empty), targets, options=options, defaults=defaults
    )
    panel.transformations = [
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    ]
    if link:
        address = {"title": link.title, "url": link.url_of_row({})}
        set_overrides(panel, [override("Value", {"links": [address]})])
    return Placed(panel, *size)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures, and how they are shown."""

    title: str
    query: str
    reading: Reading = field(default_factory=Reading)
    gauge: bool = False
    """Shown as a bar within the cell; `reading` has the largest value."""
    pixels: int = FIGURE_PIXELS


@dataclass(frozen=True, slots=True)
class Course:
    """A column with the course of a figure, day by day, in the time range."""

    title: str
    query: str
    pixels: int = 120


def listing(
    title: str,
    description: str,
    labels: Mapping[str, str],
    *columns: Column,
    empty: str,
    links: Mapping[str, To] | None = None,
    wide: Mapping[str, int] | None = None,
    course: Course | None = None,
    hidden: Sequence[str] = (),
    ascending: bool = False,
    size: tuple[int, int] = (12, 9),
) -> Placed:
    """A table: the first label, the figures, then the other labels; sorted by the first figure.

    `labels` has the column title of each label; the queries return these labels and no others. `links` and
    `wide` are by label; `wide` is the width in pixels of a column whose long texts wrap. The largest figure
    comes first, or the smallest if `ascending`. `hidden` labels are there for links alone.
    """
    options = table.Options(
        show_header=True,
        cell_height=common.TableCellHeight.SM,
        sort_by=[common.TableSortByFieldState(display_name=columns[0].title, desc=not ascending)],
    )
    defaults = field_defaults(
        columns[0].reading,
        None,
        color=model.FieldColorModeId.THRESHOLDS,
        nothing=NO_CELL,
        custom={"minWidth": LEAST_PIXELS},
    )
    targets = targets_of(
        [Query(column.query) for column in columns], instant=True, output=prometheus.PromQueryFormat.TABLE
    )
    transformations = []
    # Grafana names the column of a single query Value, and those of several queries Value #A, Value #B, ...
    values = ["Value"] if len(columns) == 1 else [f"Value #{reference(n)}" for n in range(len(columns))]
    figures = dict(zip(values, (column.title for column in columns), strict=True))
    if course:
        target = targets_of([Query(course.query)])[0]
        target.ref_id = reference(len(columns))
        target.interval = DAILY_STEP
        targets.append(target)
        transformations.append(model.DataTransformerConfig(id_val="timeSeriesTable", options={}))
        figures[f"Trend #{target.ref_id}"] = course.title
    panel = new_panel(
        "table", title, explained(description, empty), targets, options=options, defaults=defaults
    )
    (first, name), *others = labels.items()
    names = {first: name, **figures, **dict(others)}
    arrange = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": names,
    }
    transformations += [
        model.DataTransformerConfig(id_val="merge", options={}),
        model.DataTransformerConfig(id_val="organize", options=arrange),
    ]
    panel.transformations = transformations
    set_overrides(
        panel, _of_figures(columns, course) + _of_labels(labels, links or {}, wide or {}, (*hidden, BOARD))
    )
    return Placed(panel, *size)


def _of_figures(
    columns: Sequence[Column], course: Course | None
) -> list[model.DashboardFieldConfigSourceOverrides]:
    found = [override(column.title, _shown(column)) for column in columns]
    if course:
        cell = {"type": "sparkline", "lineWidth": 1, "fillOpacity": 20, "hideValue": True}
        blue = {"mode": "fixed", "fixedColor": BLUE}
        found.append(
            override(course.title, {"custom.cellOptions": cell, "custom.width": course.pixels, "color": blue})
        )
    return found


def _of_labels(
    labels: Mapping[str, str], links: Mapping[str, To], wide: Mapping[str, int], hidden: Sequence[str]
) -> list[model.DashboardFieldConfigSourceOverrides]:
    found = [
        override(name, HIDDEN if label in hidden else text_properties()) for label, name in labels.items()
    ]
    for label, to in links.items():
        # By provider: other columns of the row give the provider and its board.
        url = to.url_of_row(labels) if to.by_provider else to.url(of_cell)
        found.append(override(labels[label], {"links": [{"title": to.title, "url": url}]}))
    for label, pixels in wide.items():
        found.append(override(labels[label], {"custom.width": pixels, **WRAPPED}))
    return found


def _shown(column: Column) -> dict[str, Any]:
    shown = {**properties(column.reading), "custom.width": column.pixels}
    if column.gauge:
        shown["custom.cellOptions"] = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        shown["color"] = {"mode": "fixed", "fixedColor": BLUE}
        shown["min"], shown["max"] = 0, column.reading.maximum
    return shown
