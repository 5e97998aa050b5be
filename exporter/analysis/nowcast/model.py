"""All that is learnt from a provider's past bills. Fitted at the start of a billing day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.baseline import learn_development
from exporter.analysis.nowcast.clocks import Clocks
from exporter.analysis.nowcast.credits import CreditRules, learn_credits
from exporter.analysis.nowcast.known_costs import Floats, Integers, KnownCosts
from exporter.analysis.nowcast.lateness import Lateness, learn_lateness
from exporter.analysis.nowcast.level import learn_growth
from exporter.analysis.nowcast.observed import observe, only, running
from exporter.analysis.nowcast.season import Season, learn_season
from exporter.analysis.nowcast.single_charges import usual_caps

LEARNT_HOURS: Final = 56 * 24
_SURELY: Final = 0.001
"""An hour of which nothing has arrived counts as unused once a cost is less likely than this to come."""

_OPEN_HOURS: Final = 72
_SLOW_HOURS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Model:
    """What holds for one billing day; lines as in the cells."""

    lateness: Lateness
    season: Season
    growth: Floats
    """Lines: relative growth an hour."""
    slow: Floats
    """Lines: level of the last ten days or so, grown to now; 0 where none is known."""
    cap: Floats
    """Lines: an hour that costs more is no part of the usual running."""
    credits: CreditRules
    developed: Floats
    """For the plain estimate beside this one."""


def fit_model(known: KnownCosts, calendar: BillingCalendar, clocks: Clocks) -> Model:
    """Learn from what is known."""
    as_of = known.as_of
    begin = min(max(known.begin, as_of - LEARNT_HOURS), as_of)
    week_hours = clocks.week_hours(begin, as_of)
    age = as_of - np.arange(begin, as_of)
    lateness = learn_lateness(known)
    past = slice(begin - known.first_hour, as_of - known.first_hour)
    cap = usual_caps(known.gross[:, past].astype(np.float64))
    growth, ratio, exposure, active = _without_level(known, cap, lateness, age)
    season = learn_season(ratio, exposure, active, age, week_hours)
    # These are large, and not all needed at once.
    del ratio, exposure, active
    shape, used = season.of(week_hours)
    seen = observe(known, cap, lateness, used, (begin, as_of))
    seen = only(running(known, seen), seen)
    weight = np.exp(-age / _SLOW_HOURS)
    mass = (shape * seen.exposure) @ weight
    slow = np.divide(
        (seen.cost * _grown(growth, age)) @ weight, mass, out=np.zeros(len(mass)), where=mass > 0.5
    )
    return Model(
        lateness, season, growth, slow, cap, learn_credits(known, calendar), learn_development(known)
    )


def _without_level(
    known: KnownCosts, cap: Floats, lateness: Lateness, age: Integers
) -> tuple[Floats, Floats, Floats, Floats]:
    """Growth of each line; of its hours: cost over level, exposure, whether it was used (NaN: unknown)."""
    seen = observe(known, cap, lateness, 0.9, (known.as_of - len(age), known.as_of))
    seen = only(running(known, seen), seen)
    growth = learn_growth(seen.cost, seen.exposure)
    cost = seen.cost * _grown(growth, age)
    level = _around(cost, seen.exposure)
    unknown = seen.once | ~seen.arrived & ((seen.to_come >= _SURELY) | (seen.exposure == 0.0))
    active = np.where(unknown, np.nan, seen.arrived)
    # A line too young for a level of its own has the account's shape.
    exposure = np.where(level > 0.0, seen.exposure, 0.0)
    ratio = np.divide(cost, level, out=np.zeros_like(cost), where=level > 0.0)
    return growth, ratio, exposure, active


def _grown(growth: Floats, age: Integers) -> Floats:
    """By how much each line has grown since each hour."""
    found: Floats = np.exp(np.clip(growth[:, None] * age, -1.5, 1.5))
    return found


def _around(cost: Floats, exposure: Floats) -> Floats:
    """Mean cost of an hour over the week around each hour; at the ends over the first and last whole week.

    Of the newest hours the bill knows some only, which is no mean of all hours of the day: no week has them.
    """
    hours = cost.shape[1]
    ended = hours - min(_OPEN_HOURS, hours // 4)
    width = min(168, ended)
    sums, seen = (np.cumsum(np.pad(each, ((0, 0), (1, 0))), axis=1) for each in (cost, exposure))
    low = np.clip(np.arange(hours) - width // 2, 0, ended - width)
    total, count = sums[:, low + width] - sums[:, low], seen[:, low + width] - seen[:, low]
    found: Floats = np.divide(total, count, out=np.zeros_like(total), where=count > 1.0)
    return found
