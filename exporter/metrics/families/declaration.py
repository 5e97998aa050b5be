"""What the declaration of a metric family consists of: name, type, unit, labels, help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family as users see it. `name` is the sample's name, with `_total` for counters."""

    name: str
    type: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""
    """OpenMetrics unit; the name ends with it (before `_total`). Empty: dimensionless."""


@dataclass(frozen=True, slots=True)
class FamilySamples:
    """A family with its samples: label values in the order of `family.labels`, and the value."""

    family: Family
    samples: Iterable[tuple[tuple[str, ...], float]]
    created: Mapping[tuple[str, ...], float] | None = None
    """When each of these counters was zero, in seconds since 1970; None of those that count from the start of
    the process."""
    beginning: Set[tuple[str, ...]] = frozenset()
    """Counters that are exposed for the first time though they have counted only since their source was read
    to its end. All others that are new here begin with what was counted before."""


def gauge(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    """Declare a gauge."""
    return Family(name, "gauge", labels, text, unit)


def counter(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Family:
    """Declare a counter. Its name ends with `_total`."""
    return Family(name, "counter", labels, text, unit)
