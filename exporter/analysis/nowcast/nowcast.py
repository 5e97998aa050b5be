"""What a provider's services cost today: billed so far, estimated on top, the whole day, and the rate now.

The target is the final bill of usage, purchases and their credits. Tax and later corrections are not part
of it: they do not belong to the usage of any hour, and cannot be known in advance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.analysis.bill.billing_calendar import BillingCalendar


@dataclass(frozen=True, slots=True)
class Split:
    """An estimate in its two parts, in billionths of a US dollar; exact sums of exact parts."""

    billed_nano_usd: int
    estimated_nano_usd: int
    """What is still to come. Slightly negative where credits are still to come on a cost that has."""

    @property
    def total_nano_usd(self) -> int:
        """The estimate."""
        return self.billed_nano_usd + self.estimated_nano_usd


@dataclass(frozen=True, slots=True)
class Nowcast:
    """The estimates of the hours from `begin` to before `end`, as of an hour, by service.

    Times are hours since 1970-01-01 00:00 UTC, with a fraction where the time matters to the second.
    """

    calendar: BillingCalendar
    as_of: int
    begin: int
    end: int
    billed: Mapping[str, Sequence[int]]
    """Billionths of a US dollar that are known of each hour."""
    estimate: Mapping[str, Sequence[int]]
    """Best estimate of what each hour will have cost, in billionths of a US dollar."""
    flow: Mapping[str, Sequence[float]]
    """US dollars per hour in each hour; what is booked once a day flows all day, and a fee does not flow."""
    plain: frozenset[str] = field(default_factory=frozenset)
    """Services estimated by the plain Bornhuetter-Ferguson method, which has been better for them of late."""

    def today_so_far(self, now: float) -> dict[str, Split]:
        """Cost of the billing day of `now`, from its start to `now`. Raises ValueError beyond `end`."""
        low, high = self._day(now)
        passed = int(now) - self.begin
        found: dict[str, Split] = {}
        for service, billed in self.billed.items():
            estimate = self.estimate[service]
            to_come = sum(estimate[low:passed]) - sum(billed[low:passed])
            to_come += max(0, round((now - int(now)) * estimate[passed]) - billed[passed])
            found[service] = Split(sum(billed[low:high]), to_come)
        return found

    def unbilled_before_today(self, now: float) -> dict[str, int]:
        """What is still to come of the hours from `begin` to the billing day of `now`, by service."""
        low, _ = self._day(now)
        return {
            service: sum(self.estimate[service][:low]) - sum(billed[:low])
            for service, billed in self.billed.items()
        }

    def whole_day(self, now: float) -> dict[str, Split]:
        """Cost of the whole billing day of `now`."""
        low, high = self._day(now)
        found: dict[str, Split] = {}
        for service, billed in self.billed.items():
            known = sum(billed[low:high])
            found[service] = Split(known, sum(self.estimate[service][low:high]) - known)
        return found

    def burn_rate_usd_per_hour(self, now: float) -> dict[str, float]:
        """US dollars per hour that each service costs at `now`: a continuous function of time."""
        position = min(max(now - self.begin - 0.5, 0.0), self.end - self.begin - 1.0)
        before = int(position)
        share = position - before
        after = min(before + 1, self.end - self.begin - 1)
        return {
            service: (1.0 - share) * flow[before] + share * flow[after] for service, flow in self.flow.items()
        }

    def _day(self, now: float) -> tuple[int, int]:
        """Positions of the billing day's first hour and of the next day's."""
        if not self.begin <= now < self.end:
            raise ValueError(
                f"The nowcast as of hour {self.as_of} does not reach to {now}: make a newer one."
            )
        low, high = self.calendar.day_hours(self.calendar.day(int(now)))
        return max(low - self.begin, 0), min(high, self.end) - self.begin
