"""The kinds of panel on the boards. One call makes a panel: its queries, and how it shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.models import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.fields import Query, Reading, coloured, field_defaults, override, properties
from grafana.source.links import To

DATA_SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel and its size on the grid, which is 24 columns wide; a row is 30 pixels high."""

    panel: model.Panel
    width: int
    height: int


def number(
    title: str,
    description: str,
    *queries: Query,
    empty: str,
    reading: Reading | None = None,
    link: To | None = None,
    named: bool = False,
    size: tuple[int, int] = (4, 4),
) -> Placed:
    """One big number for each series, coloured by the thresholds; `named` shows the legend instead."""
    reading = reading or Reading()
    options = stat.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.VALUE,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.NAME if named else common.BigValueTextMode.AUTO,
        reduce_options=_last(),
        orientation=common.VizOrientation.AUTO,
    )
    defaults = field_defaults(reading, empty, link, color=model.FieldColorModeId.THRESHOLDS)
    panel = _panel(
        "stat", title, description, _targets(queries, instant=True), options=options, defaults=defaults
    )
    if len(queries) > 1:
        _override(panel, coloured(queries))
    return Placed(panel, *size)


def over_time(
    title: str,
    description: str,
    *queries: Query,
    empty: str,
    reading: Reading | None = None,
    link: To | None = None,
    stacked: bool = False,
    bars: bool = False,
    band: tuple[str, str] | None = None,
    step: str | None = None,
    days: int | None = None,
    total: bool = False,
    logarithmic: bool = False,
    size: tuple[int, int] = (12, 8),
) -> Placed:
    """Series over time, as lines, areas on top of each other or bars.

    `band` has the legends of the upper and the lower edge of a band. `step` is the shortest step in time.
    `days` is the number of days to show, whatever the board shows. `total` puts the sum in the legend instead
    of the last value. `logarithmic` keeps small series readable next to large ones.
    """
    reading = reading or Reading()
    options = timeseries.Options(
        legend=_legend("sum" if total else "lastNotNull"),
        tooltip=common.VizTooltipOptions(
            mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING
        ),
    )
    custom = timeseries.FieldConfig(
        draw_style=common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE,
        line_width=0 if bars else 1 if stacked else 2,
        fill_opacity=85 if bars else 45 if stacked else 0,
        show_points=common.VisibilityMode.NEVER,
        # Bridge one or two missed scrapes, but not the end of a series.
        span_nulls=600000,
        stacking=common.StackingConfig(
            mode=common.StackingMode.NORMAL if stacked else common.StackingMode.NONE, group="A"
        ),
        scale_distribution=common.ScaleDistributionConfig(type_val=common.ScaleDistribution.LOG, log=10)
        if logarithmic
        else None,
        bar_alignment=common.BarAlignment.AFTER if bars else None,
    )
    defaults = field_defaults(
        reading, empty, link, color=model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME, custom=custom.to_json()
    )
    panel = _panel("timeseries", title, description, _targets(queries), options=options, defaults=defaults)
    panel.interval = step
    panel.time_from = f"{days}d" if days else None
    overrides = coloured(queries)
    for query in queries:
        if query.dashed:
            dash = {"fill": "dash", "dash": [8, 8]}
            plain = {"mode": "none", "group": "A"}
            overrides.append(
                override(
                    query.legend,
                    {"custom.lineStyle": dash, "custom.fillOpacity": 0, "custom.stacking": plain},
                )
            )
    if band:
        upper, lower = band
        overrides.append(
            override(upper, {"custom.fillBelowTo": lower, "custom.fillOpacity": 20, "custom.lineWidth": 0})
        )
        overrides.append(override(lower, {"custom.lineWidth": 0}))
    _override(panel, overrides)
    return Placed(panel, *size)


def ranking(
    title: str,
    description: str,
    query: Query,
    *,
    empty: str,
    reading: Reading | None = None,
    link: To | None = None,
    by_value: bool = False,
    size: tuple[int, int] = (8, 8),
) -> Placed:
    """One horizontal bar for each series, the longest first; `by_value` colours them by the thresholds."""
    reading = reading or Reading(minimum=0)
    longest_first = Query(f"sort_desc({query.expr})", query.legend)
    options = bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        name_placement=common.BarGaugeNamePlacement.LEFT,
        show_unfilled=False,
        sizing=common.BarGaugeSizing.AUTO,
        min_viz_width=8,
        min_viz_height=16,
        max_viz_height=300,
        reduce_options=_last(),
        orientation=common.VizOrientation.HORIZONTAL,
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
        ),
    )
    color = model.FieldColorModeId.THRESHOLDS if by_value else model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    defaults = field_defaults(reading, empty, link, color=color)
    panel = _panel(
        "bargauge",
        title,
        description,
        _targets([longest_first], instant=True),
        options=options,
        defaults=defaults,
    )
    if not by_value:
        _override(panel, coloured([query]))
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
    defaults = field_defaults(columns[0].reading, empty, None, color=model.FieldColorModeId.THRESHOLDS)
    targets = _targets(queries, instant=True, output=prometheus.PromQueryFormat.TABLE)
    panel = _panel("table", title, description, targets, options=options, defaults=defaults)
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
    for label, to in (links or {}).items():
        address = {"title": to.title, "url": to.url("${{__value.text:percentencode}}")}
        overrides.append(override(labels[label], {"links": [address]}))
    for label, pixels in (wide or {}).items():
        wrapped = {"type": "auto", "wrapText": True}
        overrides.append(override(labels[label], {"custom.width": pixels, "custom.cellOptions": wrapped}))
    _override(panel, overrides)
    return Placed(panel, *size)


def _panel(
    kind: str,
    title: str,
    description: str,
    targets: list[prometheus.Dataquery],
    *,
    options: Any,
    defaults: model.FieldConfig,
) -> model.Panel:
    return model.Panel(
        type_val=kind,
        title=title,
        description=description,
        datasource=DATA_SOURCE,
        targets=list(targets),
        options=options,
        field_config=model.FieldConfigSource(defaults=defaults, overrides=[]),
    )


def _override(panel: model.Panel, overrides: list[model.DashboardFieldConfigSourceOverrides]) -> None:
    assert panel.field_config is not None
    panel.field_config.overrides = overrides


def _targets(
    queries: Sequence[Query], *, instant: bool = False, output: prometheus.PromQueryFormat | None = None
) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery(
            ref_id=chr(65 + place),
            expr=query.expr,
            legend_format=query.legend or None,
            instant=instant,
            range_val=not instant,
            format_val=output or prometheus.PromQueryFormat.TIME_SERIES,
            editor_mode=prometheus.QueryEditorMode.CODE,
            datasource=DATA_SOURCE,
        )
        for place, query in enumerate(queries)
    ]


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions(calcs=["lastNotNull"], fields="", values=False)


def _legend(calculation: str) -> common.VizLegendOptions:
    return common.VizLegendOptions(
        display_mode=common.LegendDisplayMode.TABLE,
        placement=common.LegendPlacement.BOTTOM,
        show_legend=True,
        calcs=[calculation],
        sort_by="Total" if calculation == "sum" else "Last *",
        sort_desc=True,
    )
