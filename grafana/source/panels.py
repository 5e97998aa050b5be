"""Panels of figures now: one big number, a number with its course, and bars. One call makes a panel."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import bargauge, common, stat
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import history, reasons
from grafana.source.colours import BLUE, TEXT_COLOUR
from grafana.source.fields import DOLLARS, Query, Reading, coloured, field_defaults, override, unnamed
from grafana.source.history import DAILY_STEP
from grafana.source.links import To
from grafana.source.panel_parts import (
    Placed,
    explained,
    last_value,
    new_panel,
    set_overrides,
    targets_of,
)

BAR_PIXELS: Final = (14, 22)
"""Least and greatest height of a bar: few bars are not blown up to slabs, and many scroll."""


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
    if reading.thresholds == ((0, BLUE),):
        defaults.color = model.FieldColor(mode=model.FieldColorModeId.FIXED, fixed_color=TEXT_COLOUR)
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


def trend(
    title: str,
    description: str,
    query: Query,
    *,
    empty: str,
    link: To | None = None,
    size: tuple[int, int] = (6, 5),
) -> Placed:
    """The last of some days, by how much it differs from the first of them, and their course."""
    options = stat.Options(
        graph_mode=common.BigValueGraphMode.AREA,
        color_mode=common.BigValueColorMode.VALUE,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.VALUE,
        reduce_options=last_value(),
        orientation=common.VizOrientation.AUTO,
        show_percent_change=True,
        percent_change_color_mode=common.PercentChangeColorMode.INVERTED,
    )
    defaults = field_defaults(DOLLARS, link, color=model.FieldColorModeId.FIXED)
    defaults.color = model.FieldColor(mode=model.FieldColorModeId.FIXED, fixed_color=BLUE)
    panel = new_panel(
        "stat", title, explained(description, empty), targets_of([query]), options=options, defaults=defaults
    )
    panel.interval = DAILY_STEP
    return Placed(panel, *size)


def last_full_day(series: str, *, link: To | None = None, size: tuple[int, int]) -> Placed:
    """The newest day that the bill has in full, against the same weekday a week before."""
    return trend(
        "Last day, USD",
        "Net cost of the newest day that the bill has in full, its change from the same weekday a week "
        "before, and the days between. Needs a time range of ten days or more.",
        Query(history.last_full_days(series, 8), "Cost"),
        empty=reasons.NO_HISTORY,
        link=link,
        size=size,
    )


def ranking(
    title: str,
    description: str,
    query: Query,
    *,
    empty: str,
    reading: Reading | None = None,
    link: To | None = None,
    track: bool = False,
    size: tuple[int, int] = (8, 8),
) -> Placed:
    """One horizontal bar for each series, the longest first, in the colours of the thresholds.

    `track` shows how much there is to the maximum.
    """
    reading = reading or Reading(minimum=0)
    longest_first = Query(f"sort_desc({query.expr})", query.legend)
    options = bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        name_placement=common.BarGaugeNamePlacement.LEFT,
        show_unfilled=track,
        sizing=common.BarGaugeSizing.MANUAL,
        min_viz_width=8,
        min_viz_height=BAR_PIXELS[0],
        max_viz_height=BAR_PIXELS[1],
        reduce_options=last_value(),
        orientation=common.VizOrientation.HORIZONTAL,
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
        ),
    )
    defaults = field_defaults(reading, link, color=model.FieldColorModeId.THRESHOLDS)
    panel = new_panel(
        "bargauge",
        title,
        explained(description, empty),
        targets_of([longest_first], instant=True),
        options=options,
        defaults=defaults,
    )
    set_overrides(panel, unnamed([query]))
    return Placed(panel, *size)
