"""How values are shown: unit, decimals, colours, texts instead of values, and the text of an empty panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source.colours import BLUE, GREEN, ORANGE, RED, colours_of
from grafana.source.links import UNNAMED, To

USD: Final = "currencyUSD"
"""Cents and less. It scales: thousands are $57.46K."""
WHOLE_USD: Final = "locale"
"""Whole dollars with separators: 57,458. Every version has it, but no version has it with a dollar sign:
`currency:financial:$` came in 12.1, and an older Grafana shows it as text. So the title, the axis or the
column says USD."""
RATIO: Final = "percentunit"
COUNT: Final = "short"
SECONDS: Final = "s"
BYTES: Final = "bytes"
WHEN: Final = "dateTimeFromNow"
TEXT: Final = "string"

NOTHING: Final = "No data"
"""Shown by an empty panel. Why it is empty depends on the choices: likely reasons are in descriptions."""
NO_CELL: Final = "-"

Thresholds = Sequence[tuple[float, str]]
"""Colours from a value upwards; the value of the first pair is ignored."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL query and the name of its series: a text, or `{{label}}`."""

    expr: str
    legend: str = ""
    dashed: bool = False
    """Drawn as a dashed line without filling: a plan, a limit."""
    colour: str | None = None
    """Colour of all its series, whatever their names: by rank."""
    link: To | None = None
    """Where a click on this series leads, if elsewhere than the panel's own link."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How values are shown: unit, decimals, colours from a value upwards, and texts instead of values."""

    unit: str = USD
    decimals: int | None = 2
    thresholds: Thresholds = ((0, BLUE),)
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Text and colour, by value."""
    minimum: float | None = None
    maximum: float | None = None


DOLLARS: Final = Reading(WHOLE_USD, 0)
CHANGE: Final = Reading(RATIO, 1)
"""Of a period against the one before; dollars are not judged by their colour."""
OF_LIMIT: Final = Reading(RATIO, 0, ((0, GREEN), (0.9, ORANGE), (1, RED)), minimum=0, maximum=1)
"""A forecast over its limit: what is used says nothing about how it will end."""


def field_defaults(
    reading: Reading,
    link: To | None,
    *,
    color: model.FieldColorModeId,
    custom: Any = None,
    nothing: str = NOTHING,
) -> model.FieldConfig:
    """Return how all fields of a panel are shown; `nothing` is shown where there is no value."""
    return model.FieldConfig(
        unit=reading.unit,
        decimals=reading.decimals,
        min_val=reading.minimum,
        max_val=reading.maximum,
        no_value=nothing,
        color=model.FieldColor(mode=color),
        thresholds=_steps(reading.thresholds),
        mappings=_mappings(reading.texts),
        links=[model.DashboardLink(title=link.title, url=link.url(), target_blank=False)] if link else None,
        custom=custom,
    )


def _steps(thresholds: Thresholds) -> model.ThresholdsConfig:
    steps = [
        model.Threshold(value=value if place else None, color=color)
        for place, (value, color) in enumerate(thresholds)
    ]
    return model.ThresholdsConfig(mode=model.ThresholdsMode.ABSOLUTE, steps=steps)


def _mappings(texts: Mapping[str, tuple[str, str]]) -> list[model.ValueMapping]:
    if not texts:
        return []
    options = {
        value: model.ValueMappingResult(text=text, color=color, index=place)
        for place, (value, (text, color)) in enumerate(texts.items())
    }
    return [model.ValueMap(options=options)]


def properties(reading: Reading) -> dict[str, Any]:
    """How a column is shown, as properties of an override."""
    shown: dict[str, Any] = {"unit": reading.unit, "decimals": reading.decimals, "noValue": NO_CELL}
    if len(reading.thresholds) > 1:
        shown["thresholds"] = _steps(reading.thresholds).to_json()
        shown["custom.cellOptions"] = {"type": "color-text"}
    if reading.texts:
        shown["mappings"] = [mapping.to_json() for mapping in _mappings(reading.texts)]
        shown["custom.cellOptions"] = {"type": "color-text"}
    return {name: value for name, value in shown.items() if value is not None}


def text_properties() -> dict[str, Any]:
    """How a column of label values is shown: as text, an invoice month too, with a word for no value."""
    unnamed = [
        {"type": "special", "options": {"match": match, "result": {"text": UNNAMED, "index": place}}}
        for place, match in enumerate(("null", "empty"))
    ]
    return {"unit": TEXT, "mappings": unnamed}


def unnamed(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    """Return the override that names a series without a value of its only label; Grafana calls it Value."""
    by_label = any(re.fullmatch(r"\{\{\w+\}\}", query.legend) for query in queries)
    return [override("Value", {"displayName": UNNAMED})] if by_label else []


def coloured(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    """Return overrides that give known names their fixed colours."""
    return [
        override(name, {"color": {"mode": "fixed", "fixedColor": color}})
        for query in queries
        for name, color in colours_of(query.legend).items()
    ]


def by_rank(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    """Return overrides that give the series of a query its colour; a sum of many leads nowhere."""
    found = []
    for place, query in enumerate(queries):
        if query.colour:
            shown: dict[str, Any] = {"color": {"mode": "fixed", "fixedColor": query.colour}}
            if "{{" not in query.legend:
                shown["links"] = []
            found.append(override(reference(place), shown, matcher="byFrameRefID"))
    return found


def reference(place: int) -> str:
    """Return the name of a panel's query, by its place."""
    return chr(65 + place)


def override(
    name: str, properties: Mapping[str, Any], *, matcher: str = "byName"
) -> model.DashboardFieldConfigSourceOverrides:
    """Set properties of the field with this name, or of what else the matcher finds."""
    return model.DashboardFieldConfigSourceOverrides(
        matcher=model.MatcherConfig(id_val=matcher, options=name),
        properties=[model.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()],
    )
