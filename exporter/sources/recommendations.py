"""Savings that a provider recommends, as its source last read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One active recommendation."""

    project_id: str
    location: str
    """Zone, region or `global`."""
    recommender: str
    collection: str
    """Plural kind of the resource as in its name: `instances`, `disks`, `addresses`, `services`."""
    resource: str
    advice: str
    usd_per_month: Decimal
    """What is saved; positive."""
    remove: bool

    @property
    def region_id(self) -> str:
        """The region of the location, which is empty for `global`."""
        if self.location == "global":
            return ""
        return self.location[:-2] if is_zone(self.location) else self.location


@dataclass(frozen=True, slots=True)
class Recommendations:
    """All of them as of one moment; never changed, only replaced."""

    active: tuple[Recommendation, ...] = ()
    read_at: Mapping[str, datetime] | None = None
    """By project: when its own were last read in full. None before the first read."""


NOTHING_RECOMMENDED: Final = Recommendations()


def is_zone(location: str) -> bool:
    """Whether a location is a zone (`us-central1-a`), not a region or `global`."""
    return location.count("-") == 2 and location[-2] == "-"
