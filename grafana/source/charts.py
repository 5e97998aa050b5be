"""Graphs over time: lines, areas on top of each other, and bars of days by rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from grafana_foundation_sdk.models import common, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import history, reasons
from grafana.source.colours import GREY, PALETTE
from grafana.source.fields import (
    DOLLARS,
    WHOLE_USD,
    Query,
    Reading,
    by_rank,
    coloured,
    field_defaults,
    override,
    unnamed,
)
from grafana.source.history import DAILY_STEP
from grafana.source.links import To
from grafana.source.panel_parts import Placed, explained, legend, new_panel, set_overrides, targets_of

RANKS: Final = 8
"""How many are drawn apart: as many as can be told from each other."""
OTHERS: Final = "All others"

_WIDE_COLUMNS: Final = 12
_LEGEND_PIXELS: Final = 170


def over_time(
    title: str,
    description: str,
    *queries: Query,
    empty: str,
    reading: Reading | None = None,
    link: To | None = None,
    stacked: bool = False,
    bars: bool = False,
    filled: Sequence[str] = (),
    band: tuple[str, str] | None = None,
    step: str | None = None,
    total: bool = False,
    logarithmic: bool = False,
    size: tuple[int, int] = (12, 8),
) -> Placed:
    """Series over time, as lines, areas on top of each other or bars.

    `filled` has the legends of lines with an area below. `band` has the legends of the upper and the lower
    edge of a band. `step` is the shortest step in time.
    `total` puts the sum in the legend instead of the last value. `logarithmic` keeps small series readable
    next to large ones.
    """
    reading = reading or Reading()
    many = any("{{" in query.legend for query in queries) and size[0] >= _WIDE_COLUMNS
    options = timeseries.Options(
        legend=legend("sum" if total else "lastNotNull", beside=_LEGEND_PIXELS if many else None),
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
        span_nulls=2 * 86400_000 if step == DAILY_STEP else 600000,
        stacking=common.StackingConfig(
            mode=common.StackingMode.NORMAL if stacked else common.StackingMode.NONE, group="A"
        ),
        scale_distribution=common.ScaleDistributionConfig(type_val=common.ScaleDistribution.LOG, log=10)
        if logarithmic
        else None,
        bar_alignment=common.BarAlignment.AFTER if bars else None,
        axis_label="USD" if reading.unit == WHOLE_USD else None,
    )
    defaults = field_defaults(
        reading, link, color=model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME, custom=custom.to_json()
    )
    if (stacked or filled) and defaults.min_val is None:
        defaults.min_val = 0  # an area that does not begin at 0 shows no share
    panel = new_panel(
        "timeseries",
        title,
        explained(description, empty),
        targets_of(queries),
        options=options,
        defaults=defaults,
    )
    panel.interval = step
    plain = [query for query in queries if not query.colour]
    areas = [override(name, {"custom.fillOpacity": 12}) for name in filled]
    set_overrides(
        panel, coloured(plain) + by_rank(queries) + unnamed(queries) + areas + _dashed(queries) + _band(band)
    )
    return Placed(panel, *size)


def _dashed(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    shown: dict[str, Any] = {
        "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
        "custom.fillOpacity": 0,
        "custom.stacking": {"mode": "none", "group": "A"},
    }
    return [override(query.legend, shown) for query in queries if query.dashed]


def _band(band: tuple[str, str] | None) -> list[model.DashboardFieldConfigSourceOverrides]:
    if not band:
        return []
    upper, lower = band
    return [
        override(upper, {"custom.fillBelowTo": lower, "custom.fillOpacity": 20, "custom.lineWidth": 0}),
        override(lower, {"custom.lineWidth": 0}),
    ]


def ranked(
    title: str,
    description: str,
    value: Callable[[str], str],
    rank: str,
    label: str,
    *,
    empty: str,
    by: str = "",
    shown: Callable[[str], str] = str,
    link: To | None = None,
    bars: bool = False,
    step: str | None = None,
    total: bool = False,
    reading: Reading | None = None,
    size: tuple[int, int] = (12, 9),
) -> Placed:
    """Areas or bars on top of each other: the largest apart, each rank in its colour, all others in grey.

    `value` returns what is drawn, by some labels; `rank` is the value of the whole range by the labels `by`,
    which are `label` alone if not given. `shown` adds the labels that the link needs.
    """
    by = by or label

    def largest(number: int) -> str:
        return f"topk({number}, {rank})"

    queries = []
    for number in range(1, RANKS + 1):
        one = f"({largest(number)} unless on ({by}) {largest(number - 1)})" if number > 1 else largest(1)
        queries.append(
            Query(shown(f"({value(by)} and on ({by}) {one})"), f"{{{{{label}}}}}", colour=PALETTE[number - 1])
        )
    queries.append(Query(f"sum({value(by)} unless on ({by}) {largest(RANKS)}) != 0", OTHERS, colour=GREY))
    return over_time(
        title,
        description,
        *queries,
        empty=empty,
        reading=reading,
        link=link,
        stacked=True,
        bars=bars,
        step=step,
        total=total,
        size=size,
    )


def by_day(
    description: str,
    series: str,
    label: str,
    *,
    by: str = "",
    title: str = "Cost by day",
    shown: Callable[[str], str] = str,
    link: To | None = None,
    size: tuple[int, int] = (14, 11),
) -> Placed:
    """Bars of the billing days that `series` selects, ranked over the whole time range."""
    return ranked(
        title,
        f"{description} The eight that cost most in the whole time range are drawn apart. Recent days still "
        "grow.",
        lambda by: history.day(series, by),
        history.whole_range(series, by or label),
        label,
        empty=reasons.NO_HISTORY,
        by=by,
        shown=shown,
        link=link,
        bars=True,
        step=DAILY_STEP,
        total=True,
        reading=DOLLARS,
        size=size,
    )
