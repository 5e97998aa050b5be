"""How values read: unit, decimals, colours, texts in place of values, and what stands where there is none."""

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
"""Colours from a value upwards; the first pair's value does not count."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question in PromQL and what its series are called: a text, or `{{label}}`."""

    expr: str
    legend: str = ""
    dashed: bool = False
    """Drawn as a dashed line and never filled: a plan, a limit."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How values read: unit, decimals, colours from a value upwards, and texts in place of values."""

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
    """Return how all fields of a panel read; `empty` is what it says when it has none."""
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
    """How a column reads, as properties of an override."""
    # What the whole panel says when it is empty would else stand in every empty cell.
    said: dict[str, Any] = {"unit": reading.unit, "decimals": reading.decimals, "noValue": "-"}
    if len(reading.thresholds) > 1:
        said["thresholds"] = _steps(reading.thresholds).to_json()
        said["custom.cellOptions"] = {"type": "color-text"}
    if reading.texts:
        said["mappings"] = [mapping.to_json() for mapping in _mappings(reading.texts)]
        said["custom.cellOptions"] = {"type": "color-text"}
    return {name: value for name, value in said.items() if value is not None}


def coloured(queries: Sequence[Query]) -> list[model.DashboardFieldConfigSourceOverrides]:
    """Return overrides that give known names their colours."""
    return [
        override(name, {"color": {"mode": "fixed", "fixedColor": color}})
        for query in queries
        for name, color in colours_of(query.legend).items()
    ]


def override(name: str, properties: Mapping[str, Any]) -> model.DashboardFieldConfigSourceOverrides:
    """Give properties to the field of a name."""
    return model.DashboardFieldConfigSourceOverrides(
        matcher=model.MatcherConfig(id_val="byName", options=name),
        properties=[model.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()],
    )
