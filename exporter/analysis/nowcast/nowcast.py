"""What a provider's services cost today: billed so far, estimated on top, the whole day, and the rate now.

The target is the final bill of usage, purchases and their credits. Tax and later corrections are not part
of it: they belong to no hour's own use, and nobody knows them in advance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.cost_history import NANO, KnownCosts
from exporter.analysis.nowcast.cost_model import CostModel
from exporter.analysis.nowcast.hour_estimates import HourEstimates, estimate_hours
from exporter.analysis.nowcast.live_usage import PricedUsage


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
    """US dollars per hour in each hour; what is booked once a day flows all day."""

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


def make_nowcast(
    model: CostModel,
    known: KnownCosts,
    begin: int,
    end: int,
    live: PricedUsage | None = None,
) -> Nowcast:
    """Estimate the hours from `begin` to before `end` from what is known as of `known.as_of`."""
    estimates = estimate_hours(model, known, begin, end, live)
    count = end - estimates.begin
    sums: dict[str, list[float]] = {}
    billed: dict[str, list[int]] = {}
    for line, usd in estimates.net_usd.items():
        service = known.history.lines[line].service_name
        total = sums.setdefault(service, [0.0] * count)
        told = billed.setdefault(service, [0] * count)
        for at, value in enumerate(usd):
            total[at] += value
        _add_known(told, known, line, estimates.begin)
    return Nowcast(
        calendar=model.calendar,
        as_of=known.as_of,
        begin=estimates.begin,
        end=end,
        billed=billed,
        estimate={service: [round(usd * NANO) for usd in total] for service, total in sums.items()},
        flow=_flow(model, known, estimates),
    )


def _add_known(told: list[int], known: KnownCosts, line: int, begin: int) -> None:
    low = begin - known.first_hour
    for at in range(min(len(told), max(known.size - low, 0))):
        told[at] += known.gross[line][low + at] + known.credit[line][low + at]


def _flow(model: CostModel, known: KnownCosts, estimates: HourEstimates) -> dict[str, list[float]]:
    flow: dict[str, list[float]] = {}
    for line, usd in estimates.net_usd.items():
        total = flow.setdefault(known.history.lines[line].service_name, [0.0] * len(usd))
        season = model.seasons.get(line)
        values = _spread(model, usd, estimates.begin) if season is not None and season.lumped else usd
        for at, value in enumerate(values):
            total[at] += value
    return flow


def _spread(model: CostModel, usd: Sequence[float], begin: int) -> list[float]:
    """Each day's cost, evenly over its hours; a day that is not whole takes that of its neighbour."""
    means: dict[int, list[float]] = {}
    days = [model.calendar.day(hour) for hour in range(begin, begin + len(usd))]
    for day, value in zip(days, usd, strict=True):
        means.setdefault(day, []).append(value)
    whole = {day: sum(values) / len(values) for day, values in means.items() if len(values) >= 23}
    if not whole:
        return [sum(usd) / len(usd)] * len(usd)
    nearest = {day: min(whole, key=partial(_distance, day)) for day in means}
    return [whole[nearest[day]] for day in days]


def _distance(day: int, other: int) -> int:
    return abs(other - day)
