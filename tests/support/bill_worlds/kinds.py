"""Kinds of companies: where they work, how their cost moves, and how late their bill is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

AUTUMN = datetime(2026, 9, 14, tzinfo=UTC)
"""With 60 days, both changes of clocks (EU 25 October, US 1 November) lie within the last three weeks."""
SPRING = datetime(2026, 2, 2, tzinfo=UTC)
"""With 60 days, the EU changes clocks within the last three weeks, on 29 March; the US three weeks before."""
SUMMER = datetime(2026, 5, 4, tzinfo=UTC)
"""With 60 days, no clock changes anywhere."""

ZONES = ("America/Los_Angeles", "America/New_York", "Europe/Berlin", "Asia/Tokyo", "none")


@dataclass(frozen=True)
class Kind:
    """What a world is like. Ranges are drawn from for each line or service."""

    name: str
    zone: str = "America/Los_Angeles"
    """Where people work; `none`: use follows UTC hours, whatever clocks do, eight hours behind."""
    start: datetime = SUMMER
    days: int = 60
    services: int = 12
    lines_per_service: int = 2
    noise: str = "hours"
    """Shape of the noise: `hours` (each on its own), `drift` (an hour is like the one before) or `days`."""
    noise_range: tuple[float, float] = (0.03, 0.15)
    swing_range: tuple[float, float] = (0.1, 0.8)
    weekend_range: tuple[float, float] = (0.3, 0.95)
    growth: tuple[float, float] = (0.0, 0.001)
    """A day."""
    lag_medians: tuple[float, float] = (3.0, 12.0)
    lag_spreads: tuple[float, float] = (0.25, 0.5)
    pieces: int = 1
    """Rows in which an hour of a line arrives, each late on its own."""
    batches: bool = False
    """The rows of a service come together."""
    special: frozenset[str] = frozenset()
    """step, holiday, jobs, subscription, allowance, sustained, new service, incident, late service."""


def plain_kinds() -> list[Kind]:
    """Return one kind for each of four zones and none."""
    return [Kind(f"plain, {zone.rsplit('/', 1)[-1].replace('_', ' ')}", zone) for zone in ZONES]


def unusual_kinds() -> list[Kind]:
    """Return kinds that differ from the plain one in one thing."""

    def with_(*special: str) -> frozenset[str]:
        return frozenset(special)

    return [
        Kind("step up or down", special=with_("step")),
        Kind("weekday holiday", special=with_("holiday")),
        Kind("daily jobs at 22:00 Pacific", special=with_("jobs")),
        Kind("subscriptions", special=with_("subscription")),
        Kind("free allowances", special=with_("allowance")),
        Kind("sustained-use steps", special=with_("sustained")),
        Kind("new service", special=with_("new service")),
        Kind("incident", special=with_("incident")),
        Kind("service two days late", special=with_("late service")),
        Kind("shrinking 1 % a day", growth=(-0.01, -0.01)),
        Kind("growing 2 % a day", growth=(0.02, 0.02)),
        Kind("late by 15 to 30 hours", lag_medians=(15.0, 30.0)),
        Kind("late by an hour or two", lag_medians=(1.0, 2.0)),
        Kind("in batches", batches=True),
        Kind("in six pieces", pieces=6),
        Kind("drifting noise", noise="drift"),
        Kind("noisy days", noise="days", noise_range=(0.05, 0.1)),
        Kind("five lines", services=5, lines_per_service=1),
    ]
