"""Chooses the exposition format and encoding from a request's Accept and Accept-Encoding headers.

Follows RFC 9110, section 12.5, with one exception that all exporters make: the default is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["text", "openmetrics"]

CONTENT_TYPES: Final[Mapping[Format, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
_OFFERED: Final[Mapping[Format, tuple[str, str]]] = {
    "text": ("text/plain", "0.0.4"),
    "openmetrics": ("application/openmetrics-text", "1.0.0"),
}
_NAMED: Final = 2
"""Specificity of a range that names type and subtype."""


@dataclass(frozen=True, slots=True)
class _Range:
    """One element of a header: its lower-case name, its parameters, its weight from 0 to 1."""

    name: str
    parameters: Mapping[str, str]
    weight: float


def negotiate_format(accept: str) -> Format:
    """Return the format that an Accept header prefers.

    OpenMetrics is chosen if its weight is above that of text, or equal and OpenMetrics is named.
    """
    ranges = list(_ranges(accept))
    text, _ = _acceptance(ranges, *_OFFERED["text"])
    openmetrics, specificity = _acceptance(ranges, *_OFFERED["openmetrics"])
    if openmetrics > text or (openmetrics == text > 0 and specificity == _NAMED):
        return "openmetrics"
    return "text"


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip and does not prefer `identity`."""
    weights = {element.name: element.weight for element in _ranges(accept_encoding)}
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _acceptance(ranges: list[_Range], media_type: str, version: str) -> tuple[float, int]:
    """Return weight and specificity (-1 to 2) of the most specific range that covers the media type."""
    wildcards = {"*/*": 0, f"{media_type.partition('/')[0]}/*": 1, media_type: _NAMED}
    best = (-1, 0.0)
    for element in ranges:
        if element.name in wildcards and element.parameters.get("version", version) == version:
            best = max(best, (wildcards[element.name], element.weight))
    return best[1], best[0]


def _ranges(header: str) -> Iterator[_Range]:
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        if name:
            pairs = (part.partition("=") for part in rest)
            parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
            yield _Range(name.lower(), parameters, _weight(parameters.pop("q", "1")))


def _weight(text: str) -> float:
    """Return a weight; one that is not a number from 0 to 1 is ignored."""
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0
