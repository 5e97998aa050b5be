"""Panels that are made of tables: movers around zero, and listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grafana_foundation_sdk.models import barchart, common, prometheus, table
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.colours import BLUE, GREY
from grafana.source.fields import (
    NO_CELL,
    USD,
    Query,
    Reading,
    field_defaults,
    override,
    properties,
    text_properties,
)
from grafana.source.links import BOARD, To, of_cell
from grafana.source.panel_parts import Placed, explained, new_panel, set_overrides, targets_of

# Grafana renamed both settings of a table's column: the first of each pair is for 11 and older, the second
# for 12 and newer.
HIDDEN = {"custom.hidden": True, "custom.hideFrom": {"viz": True, "legend": False, "tooltip": False}}
WRAPPED = {"custom.cellOptions": {"type": "auto", "wrapText": True}, "custom.wrapText": True}


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
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
        ),
        tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE, sort=common.SortOrder.NONE),
    )
    custom = {"fillOpacity": 80, "lineWidth": 0, "axisCenteredZero": True}
    defaults = field_defaults(
        Reading(USD, 2, ((0, GREY), (0, BLUE))), None, color=model.FieldColorModeId.THRESHOLDS, custom=custom
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


def listing(
    title: str,
    description: str,
    labels: Mapping[str, str],
    *columns: Column,
    empty: str,
    links: Mapping[str, To] | None = None,
    wide: Mapping[str, int] | None = None,
    ascending: bool = False,
    size: tuple[int, int] = (12, 9),
) -> Placed:
    """A table: a column for each label, then the figures, sorted by the first figure, largest first.

    `labels` has the column title of each label; the queries return these labels and no others. `links` and
    `wide` are by label; `wide` is the width in pixels of a column whose long texts wrap. `ascending` puts the
    smallest first.
    """
    queries = [Query(column.query) for column in columns]
    options = table.Options(
        show_header=True,
        cell_height=common.TableCellHeight.SM,
        sort_by=[common.TableSortByFieldState(display_name=columns[0].title, desc=not ascending)],
    )
    defaults = field_defaults(
        columns[0].reading, None, color=model.FieldColorModeId.THRESHOLDS, nothing=NO_CELL
    )
    targets = targets_of(queries, instant=True, output=prometheus.PromQueryFormat.TABLE)
    panel = new_panel(
        "table", title, explained(description, empty), targets, options=options, defaults=defaults
    )
    # Grafana names the column of a single query Value, and those of several queries Value #A, Value #B, ...
    values = ["Value"] if len(columns) == 1 else [f"Value #{chr(65 + n)}" for n in range(len(columns))]
    names = {**labels, **dict(zip(values, (column.title for column in columns), strict=True))}
    arrange = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": names,
    }
    panel.transformations = [
        model.DataTransformerConfig(id_val="merge", options={}),
        model.DataTransformerConfig(id_val="organize", options=arrange),
    ]
    overrides = [override(column.title, properties(column.reading)) for column in columns]
    overrides += [
        override(name, HIDDEN if label == BOARD else text_properties()) for label, name in labels.items()
    ]
    for label, to in (links or {}).items():
        # By provider: other columns of the row give the provider and its board.
        url = to.url_of_row(labels) if to.by_provider else to.url(of_cell)
        address = {"title": to.title, "url": url}
        overrides.append(override(labels[label], {"links": [address]}))
    for label, pixels in (wide or {}).items():
        overrides.append(override(labels[label], {"custom.width": pixels, **WRAPPED}))
    set_overrides(panel, overrides)
    return Placed(panel, *size)
