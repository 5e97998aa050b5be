"""How values are shown: unit, decimals, colours, texts instead of values, and the text of an empty panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source.colours import BLUE, colours_of
from grafana.source.links import To

USD: Final = "currencyUSD"
RATIO: Final = "percentunit"
COUNT: Final = "short"
SECONDS: Final = "s"
BYTES: Final = "bytes"
WHEN: Final = "dateTimeFromNow"

Thresholds = Sequence[tuple[float, str]]
"""Colours from a value upwards; the value of the first pair is ignored."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL query and the name of its series: a text, or `{{label}}`."""

    expr: str
    legend: str = ""
    dashed: bool = False
    """Drawn as a dashed line without filling: a plan, a limit."""


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


def field_defaults(
    reading: Reading, empty: str, link: To | None, *, color: model.FieldColorModeId, custom: Any = None
) -> model.FieldConfig:
    """Return how all fields of a panel are shown; `empty` is the text when there is no data."""
    return model.FieldConfig(
        unit=reading.unit,
        decimals=reading.decimals,
        min_val=reading.minimum,
        max_val=reading.maximum,
        no_value=empty,
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
    # Otherwise every empty cell would show the text of an empty panel.
    shown: dict[str, Any] = {"unit": reading.unit, "decimals": reading.decimals, "noValue": "-"}
    if len(reading.thresholds) > 1:
        shown["thresholds"] = _steps(reading.thresholds).to_json()
        shown["custom.cellOptions"] = {"type": "color-text"}
    if reading.texts:
        shown["mappings"] = [mapping.to_json() for mapping in _mappings(reading.texts)]
        shown["custom.cellOptions"] = {"type": "color-text"}
    return {name: value for name, value in shown.items() if value is not None}


def coloured(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    """Return overrides that give known names their fixed colours."""
    return [
        override(name, {"color": {"mode": "fixed", "fixedColor": color}})
        for query in queries
        for name, color in colours_of(query.legend).items()
    ]


def override(name: str, properties: Mapping[str, Any]) -> model.DashboardFieldConfigSourceOverrides:
    """Set properties of the field with this name."""
    return model.DashboardFieldConfigSourceOverrides(
        matcher=model.MatcherConfig(id_val="byName", options=name),
        properties=[model.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()],
    )
