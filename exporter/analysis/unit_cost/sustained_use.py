"""The cost of a unit that steps within the month: Google's discounts for sustained use.

A core that has run for a quarter of the month costs less from then on, less again after a half and after
three quarters. All steps are of one size: 20 points for N1 machines, 13 for N2. Cores are counted together
by project and region, as if those that run now had run all the time, up to the number that did. The size is
learnt from the bill, since commitments and contracts take the place of these discounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.unit_cost.known_days import recency

_DAY: Final = timedelta(days=1)
_BILLING_ZONE: Final = ZoneInfo("America/Los_Angeles")
_AHEAD_DAYS: Final = 7
"""Days after the settled ones for which steps are known, as if usage went on as it was."""
_STEP: Final = 0.2
_LEAST_VARIANCE: Final = 0.002
"""Of the steps in the known days; with less, nothing shows how large they are."""
_LEAST_EXPLAINED: Final = 0.8
"""Share of the unit cost's variance that steps must explain; else it changes for other reasons."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """US dollars per unit: a fixed part, and one in proportion to the steps that each day has reached."""

    fixed_usd: float
    stepped_usd: float
    step_by_day: Mapping[date, float]

    def usd_per_unit(self, day: date) -> float:
        """The cost of a unit on a day; outside the known days, of the nearest one."""
        days = self.step_by_day
        nearest = min(max(day, next(iter(days))), next(reversed(list(days))))
        return self.fixed_usd + self.stepped_usd * days[nearest]


def learn_steps(
    days: Mapping[date, tuple[float, float]],
    live: Mapping[date, float],
    first_day: date,
    settled_through: date,
) -> Stepped | None:
    """Learn from cost and quantity by day how large the steps are; None where the bill shows none.

    `live` is usage of whole days in any unit, for the days that are not billed yet. `first_day` is the first
    one of the whole bill: what is there on it is taken to have been there before.
    """
    amounts = {day: quantity for day, (_, quantity) in sorted(days.items()) if quantity > 0}
    if not amounts:
        return None
    steps = steps_by_day(_gone_on(amounts, live, settled_through + _AHEAD_DAYS * _DAY), first_day)
    weighted = [
        (recency(day, settled_through) * amount, steps[day], days[day][0] / amount)
        for day, amount in amounts.items()
    ]
    whole = sum(weight for weight, _, _ in weighted)
    mean_step = sum(weight * step for weight, step, _ in weighted) / whole
    mean_usd = sum(weight * usd for weight, _, usd in weighted) / whole
    variance = sum(weight * (step - mean_step) ** 2 for weight, step, _ in weighted) / whole
    if variance < _LEAST_VARIANCE:
        return None
    slope = sum(weight * (step - mean_step) * (usd - mean_usd) for weight, step, usd in weighted)
    slope /= whole * variance
    if slope <= 0.0:
        return None
    if slope * mean_step > mean_usd:
        # No part can be negative.
        slope = mean_usd / mean_step
    found = Stepped(mean_usd - slope * mean_step, slope, steps)
    total = sum(weight * (usd - mean_usd) ** 2 for weight, _, usd in weighted)
    left = sum(weight * (usd - found.fixed_usd - slope * step) ** 2 for weight, step, usd in weighted)
    return found if left <= (1.0 - _LEAST_EXPLAINED) * total else None


def steps_by_day(amounts: Mapping[date, float], first_day: date) -> dict[date, float]:
    """What share of the price of the month's first quarter a mean unit costs on each day of `amounts`.

    A day without an amount used nothing.
    """
    first, until = min(amounts), max(amounts)
    began_before = first <= first_day + _DAY
    layers = _Layers(first)
    if began_before:
        layers.ran(amounts[first], max(0.0, (first.day - 1) * 24.0 - _ends_after(first)))
    found: dict[date, float] = {}
    day = first
    while day <= until:
        level = amounts.get(day, 0.0)
        if day.day == 1:
            ending = layers.ran(level, _ends_after(day))
            layers = _Layers(day)
            found[day] = (ending + layers.ran(level, 24.0 - _ends_after(day))) / 24.0
        else:
            found[day] = layers.ran(level, 24.0) / 24.0
        day += _DAY
    return found


def _gone_on(amounts: Mapping[date, float], live: Mapping[date, float], until: date) -> dict[date, float]:
    """Usage by day through `until`: as live usage says, else changing as it did a week before."""
    found = dict(amounts)
    day = max(amounts)
    while day < until:
        before, after = live.get(day, 0.0), live.get(day + _DAY, 0.0)
        if before <= 0.0 or after <= 0.0:
            before, after = found.get(day - 7 * _DAY, 0.0), found.get(day - 6 * _DAY, 0.0)
        found[day + _DAY] = found[day] * (after / before if before > 0.0 and after > 0.0 else 1.0)
        day += _DAY
    return found


def _ends_after(day: date) -> float:
    """Hours of the first day of a month in UTC that belong to the previous month in the billing zone."""
    begins = datetime(day.year, day.month, 1, tzinfo=_BILLING_ZONE)
    return -(begins.utcoffset() or timedelta(0)) / timedelta(hours=1)


class _Layers:
    """For how many hours of the month each unit ran: the lowest ones longest, as if stacked."""

    def __init__(self, day: date) -> None:
        following = (day.replace(day=28) + 4 * _DAY).replace(day=1)
        self._month_hours = (following - day.replace(day=1)).days * 24.0
        self._tops: list[tuple[float, float]] = []
        """Upper end of each layer and its hours, lowest first."""

    def ran(self, level: float, hours: float) -> float:
        """Let units up to `level` run for some hours and return the sum of their steps, for a mean unit."""
        bottom, cost = 0.0, 0.0
        layers: list[tuple[float, float]] = []
        for top, before in [*self._tops, (float("inf"), 0.0)]:
            inside = min(top, level)
            if inside > bottom:
                cost += (inside - bottom) * (self._price(before + hours) - self._price(before))
                layers.append((inside, before + hours))
            if top > max(level, bottom) and top != float("inf"):
                layers.append((top, before))
            bottom = max(bottom, top)
        self._tops = layers
        return cost / level if level > 0 else hours

    def _price(self, hours: float) -> float:
        """What the first so many hours of the month cost, in hours at full price."""
        left, cost = hours, 0.0
        quarter = self._month_hours / 4.0
        for step in range(4):
            part = left if step == 3 else min(left, quarter)
            cost += part * (1.0 - _STEP * step)
            left -= part
        return cost
