"""A name has the same colour on every board. Red is not one of them: it only means trouble."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Final

PALETTE: Final = (
    "#3274D9",
    "#FF9830",
    "#56A64B",
    "#A352CC",
    "#2FA4B8",
    "#E0B400",
    "#C15C9C",
    "#7C8CA3",
    "#8AB8FF",
    "#96D98D",
    "#B27D45",
    "#CA95E5",
    "#70D0C8",
    "#5A67C9",
    "#B8A965",
    "#7EA83A",
)
"""Readable on light and dark backgrounds; neighbours are easy to tell apart."""

GREEN: Final = "green"
BLUE: Final = "blue"
ORANGE: Final = "orange"
RED: Final = "red"
GREY: Final = "#8E8E8E"
TEXT_COLOUR: Final = "text"
"""The colour of text in either theme: of figures that are neither good nor bad."""

_KNOWN: Final[Mapping[str, Sequence[str]]] = {
    "service_name": (
        "Compute Engine",
        "BigQuery",
        "Vertex AI",
        "Cloud Run",
        "Cloud SQL",
        "Cloud Storage",
        "OpenAI API",
        "Claude API",
        "Gemini API",
        "Networking",
        "Cloud Logging",
        "Cloud Dataflow",
        "Kubernetes Engine",
        "Cloud Memorystore for Redis",
        "Cloud Pub/Sub",
        "Cloud Monitoring",
        "Cloud Build",
        "Artifact Registry",
        "Cloud Run Functions",
        "Secret Manager",
        "LLM API",
    ),
    "provider": ("gcp", "openai", "anthropic", "mistral", "aws", "azure"),
    "component": ("cpu", "memory", "requests", "egress", "min_instance"),
    "response_code_class": ("2xx", "3xx", "4xx", "5xx", "1xx"),
    "token_type": ("input", "cache_read", "cache_write", "output"),
    "charge_category": ("usage", "purchase", "tax", "adjustment", "credit"),
}
"""Names that most bills have, by label, the most expensive first; they use the palette in this order."""

_FIXED: Final[Mapping[str, str]] = {
    "Google Cloud": "#3274D9",
    "Language models": "#A352CC",
    "Other providers": "#7C8CA3",
    "Billed": "#56A64B",
    "Estimated": "#8AB8FF",
    "Used": "#3274D9",
    "This month": "#3274D9",
    "Last month": "#8E8E8E",
    "So far": "#56A64B",
    "Plan": "#8E8E8E",
    "Limit": "orange",
    "Median": "#3274D9",
    "Low": "#8AB8FF",
    "High": "#8AB8FF",
    "Gross": "#3274D9",
    "Credits": "#56A64B",
    "Tax and corrections": "#7C8CA3",
    "Net": "#A352CC",
}
"""Fixed legends of our own queries."""


def colours_of(legend: str) -> dict[str, str]:
    """Return the colours of a query's series, by name; Grafana chooses the colours of all others.

    `legend` is the query's legend; `{{label}}` alone means the known values of that label.
    """
    label = legend.removeprefix("{{").removesuffix("}}")
    if label in _KNOWN and legend != label:
        return dict(zip(_KNOWN[label], cycle(PALETTE), strict=False))
    return {legend: _FIXED[legend]} if legend in _FIXED else {}


def colour(name: str) -> str:
    """Return a colour chosen by the hash of the name; it stands for the colour that Grafana would choose."""
    return PALETTE[zlib.crc32(name.encode()) % len(PALETTE)]
