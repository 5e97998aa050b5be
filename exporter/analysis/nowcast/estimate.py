"""The estimate of single hours.

What has arrived + the share still to come x its prior (Bornhuetter and Ferguson, 1972); the prior of an hour
is season x level. The share that has arrived of an hour in parts is weighed against the prior by variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.clocks import Clocks
from exporter.analysis.nowcast.credits import credit_ratios
from exporter.analysis.nowcast.known_costs import NEVER, Floats, KnownCosts
from exporter.analysis.nowcast.level import MEMORY_HOURS, candidates
from exporter.analysis.nowcast.live_usage import PricedUsage
from exporter.analysis.nowcast.model import Model
from exporter.analysis.nowcast.observed import Observed, observe, running
from exporter.analysis.nowcast.rhythm import by_hour, expected_fees
from exporter.analysis.nowcast.shift import SPANS, find_shifts

_DAMPING_HOURS: Final = 14 * 24
"""Growth goes on, and fades over so many hours."""

_SPIKY: Final = 0.25
"""A line used in fewer of its hours than this, as daily jobs are, flows evenly over its day."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Net US dollars, lines x hours from `begin` on."""

    begin: int
    to_come: Floats
    """On top of what is known; slightly negative where credits are still to come on a cost that has."""
    flow: Floats
    """What the running lines cost in each hour; single charges play no part."""
    prior: Floats
    """Gross: season times level."""


def estimate_hours(
    model: Model,
    known: KnownCosts,
    calendar: BillingCalendar,
    clocks: Clocks,
    begin: int,
    end: int,
    live: PricedUsage | None = None,
) -> Estimate:
    """Estimate the hours from `begin` to before `end` from what is known as of `known.as_of`."""
    as_of = known.as_of
    since = max(known.first_hour, min(begin, as_of - MEMORY_HOURS))
    shape, used = model.season.of(clocks.week_hours(since, end))
    seen = observe(known, model.cap, model.lateness, used, since, end)
    runs = running(known, seen)
    trust = _trust(model, seen.part)
    usage = _live(live, since, end) if live is not None else None
    cost, exposure = seen.cost * trust, seen.exposure * trust
    if usage is not None and live is not None:
        fresh = np.isfinite(usage) & (exposure < 0.5)
        exact = _exactness(model, live)[:, None]
        cost, exposure = np.where(fresh, usage * exact, cost), np.where(fresh, exact, exposure)
    level = _levels(model, cost, shape * exposure, as_of - since)
    level[~runs] = 0.0
    prior = shape * level * _grown(model, np.arange(since, end) + 0.5 - as_of)
    likely = prior
    if usage is not None and live is not None:
        exact = _exactness(model, live)[:, None]
        likely = np.where(np.isfinite(usage), exact * np.nan_to_num(usage) + (1.0 - exact) * prior, prior)
    missing = likely * seen.to_come / np.maximum(1.0 - used + used * seen.to_come, 1e-9)
    if usage is not None:
        missing = np.where(np.isfinite(usage), likely, missing)
    rest = (1.0 - seen.part) * ((1.0 - trust) * likely + trust * seen.cost / seen.part)
    extra = np.where(seen.once, 0.0, np.where(seen.arrived, rest, missing))[:, begin - since :]
    fees = by_hour(expected_fees(known, calendar, _seldom(known, seen, runs), end), len(level), begin, end)
    gross = seen.cost[:, begin - since :] + extra
    ratio = credit_ratios(model.credits, known, calendar, begin, gross)
    net = extra * (1.0 + ratio)
    usual = gross * (1.0 + ratio) * runs[:, None]
    return Estimate(
        begin,
        net + fees,
        _evened(model, usual, shape, prior, ratio, begin - since),
        prior[:, begin - since :],
    )


def _levels(model: Model, cost: Floats, expected: Floats, past: int) -> Floats:
    """Level of each hour, lines x hours: one for all, and another since a change where there was one."""
    cost, due = cost[:, :past], expected[:, :past]
    rule = model.rule
    level = (candidates(cost, due, rule.growth, model.slow) * rule.weight).sum(axis=1)[:, None]
    shifts = find_shifts(cost, due, rule, model.slow, model.season.noise)
    found = np.repeat(level, expected.shape[1], axis=1)
    for at, span in enumerate(SPANS[: shifts.chance.shape[1]]):
        moved = shifts.chance[:, at : at + 1] * (shifts.level[:, at : at + 1] - level)
        found[:, max(past - span, 0) : past + 24] += moved
        # Beyond a day nobody knows whether it was a step, or an odd day that is over.
        found[:, past + 24 :] += 0.5 * moved
    return found


def _grown(model: Model, ahead: Floats) -> Floats:
    faded = np.where(
        ahead > 0, _DAMPING_HOURS * (1.0 - np.exp(-np.maximum(ahead, 0) / _DAMPING_HOURS)), ahead
    )
    found: Floats = np.exp(np.clip(model.rule.growth[:, None] * faded, -1.0, 1.0))
    return found


def _trust(model: Model, part: Floats) -> Floats:
    """How much an hour that has arrived in part says of itself, beside its prior; 1 once it is whole.

    By their variances: that of an hour around its prior, and that of the share of its pieces that has come.
    """
    own = _own_variance(model)[:, None]
    found: Floats = own / (own + (1.0 - part) / (part * model.lateness.pieces[:, None]))
    return found


def _exactness(model: Model, live: PricedUsage) -> Floats:
    """The same of live usage."""
    own = _own_variance(model)
    return own / (own + live.noise**2)


def _own_variance(model: Model) -> Floats:
    found: Floats = np.clip(model.season.noise, 0.02, 2.0) ** 2
    return found


def _live(live: PricedUsage, begin: int, end: int) -> Floats:
    """Live usage of the hours from `begin` to before `end`; NaN where nothing is known."""
    found = np.full((len(live.usd), end - begin), np.nan)
    inside = live.usd[:, begin - live.first_hour : end - live.first_hour]
    found[:, : inside.shape[1]] = inside
    return found


def _seldom(known: KnownCosts, seen: Observed, runs: Floats) -> Floats:
    """Charges that belong to no running: all of a line that does not run, single ones of one that does."""
    found = (known.delay != NEVER) & ~runs[:, None]
    low, high = seen.begin - known.first_hour, known.as_of - known.first_hour
    found[:, low:high] |= seen.once[:, : high - low]
    return found


def _evened(model: Model, usual: Floats, shape: Floats, prior: Floats, ratio: Floats, at: int) -> Floats:
    """Cost per hour; a line that is booked in few hours of its day costs the mean of the day around it."""
    busy = (model.season.used[0] > 0.5).mean(axis=1)
    spiky = np.flatnonzero(((busy < _SPIKY) | (shape[:, -24:].max(axis=1) > 6.0)) & (prior.max(axis=1) > 0.0))
    if not len(spiky):
        return usual
    found = usual.copy()
    sums = np.cumsum(np.pad(prior[spiky], ((0, 0), (1, 0))), axis=1)
    hours = np.arange(at, prior.shape[1])
    low = np.clip(hours - 12, 0, max(prior.shape[1] - 24, 0))
    high = np.minimum(low + 24, prior.shape[1])
    found[spiky] = (sums[:, high] - sums[:, low]) / np.maximum(high - low, 1) * (1.0 + ratio[spiky])
    return found
