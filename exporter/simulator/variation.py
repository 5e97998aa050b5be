"""How a world differs from the ordinary one: bursts of use, faster growth, a service whose bill is late."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variation:
    """Changes that hold from an hour on, counted since 1970-01-01 00:00 UTC; the defaults change nothing."""

    bursty: bool = False
    """Lines with an `active_share` below 1 are used on some days, drawn at random, and not at all on others;
    their mean over all days stays. Otherwise they are used every day, with half the noise."""
    faster_from: int | None = None
    """From this hour on everything grows `growth_factor` times as fast as before."""
    growth_factor: float = 2.0
    late_service: str = ""
    """Key of catalogue.SERVICES: its bill comes `late_hours` later for usage from `late_from` on."""
    late_from: int = 0
    late_hours: float = 48.0

    def noise(self, noise: float, active_share: float) -> float:
        """Noise of the use of a line, for that of the line when it comes in bursts."""
        return noise if self.bursty or active_share == 1.0 else 0.5 * noise

    def growing_hours(self, first_hour: int, hour: int) -> float:
        """Hours of ordinary growth between two hours."""
        extra = 0 if self.faster_from is None else max(0, hour - max(self.faster_from, first_hour))
        return hour - first_hour + (self.growth_factor - 1.0) * extra

    def extra_lag_hours(self, service: str, hour: int) -> float:
        """How much later than ordinary the use of an hour reaches the bill."""
        return self.late_hours if service == self.late_service and hour >= self.late_from else 0.0


ORDINARY = Variation()
BURSTY = Variation(bursty=True)
