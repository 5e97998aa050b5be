"""The kinds of panel on the boards. One call makes a panel: its queries, and how it shows them."""

from __future__ import annotations

from grafana_foundation_sdk.models import bargauge, common, stat, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.fields import Query, Reading, coloured, field_defaults, override, unnamed
from grafana.source.links import To
from grafana.source.panel_parts import (
    Placed,
    explained,
    last_value,
    legend_table,
    new_panel,
    set_overrides,
    targets_of,
)


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
        reduce_options=last_value(),
        orientation=common.VizOrientation.AUTO,
    )
    defaults = field_defaults(reading, link, color=model.FieldColorModeId.THRESHOLDS)
    panel = new_panel(
        "stat",
        title,
        explained(description, empty),
        targets_of(queries, instant=True),
        options=options,
        defaults=defaults,
    )
    overrides = coloured(queries) if len(queries) > 1 else []
    overrides += [
        override(query.legend, {"links": [{"title": query.link.title, "url": query.link.url()}]})
        for query in queries
        if query.link
    ]
    set_overrides(panel, overrides)
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
        legend=legend_table("sum" if total else "lastNotNull"),
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
        reading, link, color=model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME, custom=custom.to_json()
    )
    panel = new_panel(
        "timeseries",
        title,
        explained(description, empty),
        targets_of(queries),
        options=options,
        defaults=defaults,
    )
    panel.interval = step
    panel.time_from = f"{days}d" if days else None
    overrides = coloured(queries) + unnamed(queries)
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
    set_overrides(panel, overrides)
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
        reduce_options=last_value(),
        orientation=common.VizOrientation.HORIZONTAL,
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
        ),
    )
    color = model.FieldColorModeId.THRESHOLDS if by_value else model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    defaults = field_defaults(reading, link, color=color)
    panel = new_panel(
        "bargauge",
        title,
        explained(description, empty),
        targets_of([longest_first], instant=True),
        options=options,
        defaults=defaults,
    )
    set_overrides(panel, ([] if by_value else coloured([query])) + unnamed([query]))
    return Placed(panel, *size)
