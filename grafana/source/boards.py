"""The parts that all boards share: the grid, variables, links to each other and annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus

from grafana.source.jobs import METRIC, VARIABLE, of_the_job
from grafana.source.links import TITLES
from grafana.source.panel_parts import DATA_SOURCE, Placed

SCHEMA_VERSION: Final = 39
"""The version of Grafana 10.4; later versions read it and upgrade it."""

GRID_COLUMNS: Final = 24

LIVE_SINCE: Final = "now-24h"
"""Start of boards of what is live and has no history: a month would have too few steps for them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled row of the board; panels are placed from left to right and wrap. Without a title no row."""

    title: str
    panels: Sequence[Placed]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable: the values of a label of a metric. `one`: one value is selected; else any number."""

    label: str
    metric: str
    title: str
    one: bool = False
    name: str = ""
    """Name of the variable, if it differs from the label."""


EXPORTER: Final = Choice(VARIABLE, METRIC, "Exporter")


@dataclass(frozen=True, slots=True)
class Event:
    """A mark on every graph when the query returns a series that it did not return one step earlier.

    With `at_value` the mark is where the value says, in milliseconds since 1970.
    """

    name: str
    expr: str
    text: str
    color: str
    at_value: bool = False


DEPLOYS: Final = Event(
    "Deploys",
    "count by (run_service, revision) (spend_cloud_run_requests_total)"
    " unless count by (run_service, revision) (spend_cloud_run_requests_total offset $__interval)"
    " and on (run_service) count by (run_service) (spend_cloud_run_requests_total offset $__interval)",
    "{{run_service}}: new revision {{revision}}",
    "blue",
)
BUDGET_CROSSINGS: Final = Event(
    "Budget crossings",
    '(max by (job, budget, period, severity) (spend_budget_threshold_ratio{basis="actual"})'
    " <= on (job, budget, period) group_left () max by (job, budget, period) (spend_budget_used_ratio))"
    " unless (max by (job, budget, period, severity)"
    ' (spend_budget_threshold_ratio{basis="actual"} offset $__interval)'
    " <= on (job, budget, period) group_left ()"
    " max by (job, budget, period) (spend_budget_used_ratio offset $__interval))"
    " and on (job, budget, period) spend_budget_used_ratio offset $__interval",
    "{{budget}} ({{period}}): {{severity}} threshold reached",
    "orange",
)
BILL_BEGINS: Final = Event(
    "Bill begins",
    "1000 * max by (job, provider, billing_account_id) (spend_billed_since_timestamp_seconds)",
    "The bill of {{provider}} begins; costs before are not known",
    "purple",
    at_value=True,
)


def board(
    uid: str,
    description: str,
    choices: Sequence[Choice],
    sections: Sequence[Section],
    *,
    events: Sequence[Event] = (),
    since: str = "now-30d",
) -> model.Dashboard:
    """Make a board; `since` is the start of its default time range."""
    return model.Dashboard(
        uid=uid,
        title=TITLES[uid],
        description=description,
        tags=["spend", "cost"],
        editable=True,
        schema_version=SCHEMA_VERSION,
        timezone="browser",
        graph_tooltip=model.DashboardCursorSync.CROSSHAIR,
        time=model.DashboardDashboardTime(from_val=since, to="now"),
        refresh="1m",
        version=1,
        links=[
            model.DashboardLink(
                title="Spend boards",
                type_val=model.DashboardLinkType.DASHBOARDS,
                tags=["spend"],
                include_vars=True,
                keep_time=True,
                as_dropdown=True,
            )
        ],
        templating=model.DashboardDashboardTemplating(
            list_val=[_data_source(), *(_variable(choice) for choice in (EXPORTER, *choices))]
        ),
        annotations=model.AnnotationContainer(list_val=[_annotation(event) for event in events]),
        panels=_of_the_job(_place(sections)),
    )


def _place(sections: Sequence[Section]) -> list[model.Panel | model.RowPanel]:
    """Give every panel an id and a position on the grid."""
    placed: list[model.Panel | model.RowPanel] = []
    ids = count(1)
    y = 0
    for section in sections:
        if section.title:
            at = model.GridPos(x=0, y=y, w=GRID_COLUMNS, h=1)
            placed.append(model.RowPanel(id_val=next(ids), title=section.title, grid_pos=at, panels=[]))
            y += 1
        x, tallest = 0, 0
        for each in section.panels:
            if x + each.width > GRID_COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            each.panel.id_val = next(ids)
            each.panel.grid_pos = model.GridPos(x=x, y=y, w=each.width, h=each.height)
            placed.append(each.panel)
            x, tallest = x + each.width, max(tallest, each.height)
        y += tallest
    return placed


def _of_the_job(panels: list[model.Panel | model.RowPanel]) -> list[model.Panel | model.RowPanel]:
    for panel in panels:
        for target in (isinstance(panel, model.Panel) and panel.targets) or ():
            assert isinstance(target, prometheus.Dataquery)
            target.expr = of_the_job(target.expr)
    return panels


def _data_source() -> model.VariableModel:
    return model.VariableModel(
        type_val=model.VariableType.DATASOURCE,
        name="datasource",
        label="Data source",
        query="prometheus",
        current=model.VariableOption(text="default", value="default"),
        refresh=model.VariableRefresh.ON_DASHBOARD_LOAD,
    )


def _variable(choice: Choice) -> model.VariableModel:
    metric = choice.metric if choice is EXPORTER else of_the_job(choice.metric)
    query = f"label_values({metric}, {choice.label})"
    return model.VariableModel(
        type_val=model.VariableType.QUERY,
        name=choice.name or choice.label,
        label=choice.title,
        datasource=DATA_SOURCE,
        query={"query": query, "refId": "variable"},
        definition=query,
        refresh=model.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=model.VariableSort.ALPHABETICAL_ASC,
        multi=not choice.one,
        include_all=not choice.one,
        all_value=None if choice.one else ".*",
        current=None if choice.one else model.VariableOption(text="All", value="$__all"),
    )


def _annotation(event: Event) -> model.AnnotationQuery:
    return model.AnnotationQuery(
        name=event.name,
        enable=True,
        icon_color=event.color,
        datasource=DATA_SOURCE,
        expr=of_the_job(event.expr),
        step="5m",
        title_format=event.name,
        text_format=event.text,
        use_value_for_time=event.at_value or None,
    )
