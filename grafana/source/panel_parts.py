"""What every kind of panel is made of: its place, queries, description and legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.models import common, prometheus
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.fields import Query, reference

DATA_SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel and its size on the grid, which is 24 columns wide; a row is 30 pixels high."""

    panel: model.Panel
    width: int
    height: int


def new_panel(
    kind: str,
    title: str,
    description: str,
    targets: list[prometheus.Dataquery],
    *,
    options: Any,
    defaults: model.FieldConfig,
) -> model.Panel:
    """Make a panel of this kind."""
    return model.Panel(
        type_val=kind,
        title=title,
        description=description,
        datasource=DATA_SOURCE,
        targets=list(targets),
        options=options,
        field_config=model.FieldConfigSource(defaults=defaults, overrides=[]),
    )


def explained(description: str, empty: str) -> str:
    """A panel without data tells the same whatever is chosen; the likeliest reason is in the description."""
    return f"{description} If empty: {empty[:1].lower() if empty[1:2].islower() else empty[:1]}{empty[1:]}."


def set_overrides(panel: model.Panel, overrides: list[model.DashboardFieldConfigSourceOverrides]) -> None:
    """Set what differs by field."""
    assert panel.field_config is not None
    panel.field_config.overrides = overrides


def targets_of(
    queries: Sequence[Query], *, instant: bool = False, output: prometheus.PromQueryFormat | None = None
) -> list[prometheus.Dataquery]:
    """Return the queries as Grafana keeps them, with references A, B, C."""
    return [
        prometheus.Dataquery(
            ref_id=reference(place),
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


def last_value() -> common.ReduceDataOptions:
    """Show the last value of each series."""
    return common.ReduceDataOptions(calcs=["lastNotNull"], fields="", values=False)


def legend(calculation: str | None, *, beside: int | None = None) -> common.VizLegendOptions:
    """Return a list of names below the chart, or beside it, that many pixels wide, with a figure for each."""
    table = {"sum": "Total", "lastNotNull": "Last *"}
    return common.VizLegendOptions(
        display_mode=common.LegendDisplayMode.TABLE if beside else common.LegendDisplayMode.LIST,
        placement=common.LegendPlacement.RIGHT if beside else common.LegendPlacement.BOTTOM,
        width=beside,
        show_legend=True,
        calcs=[calculation] if calculation and beside else [],
        sort_by=table[calculation] if calculation and beside else None,
        sort_desc=True if calculation and beside else None,
    )
