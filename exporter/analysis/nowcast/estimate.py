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
from exporter.analysis.nowcast.known_costs import NEVER, Flags, Floats, KnownCosts
from exporter.analysis.nowcast.level import MEMORY_HOURS, levels
from exporter.analysis.nowcast.live_usage import PricedUsage
from exporter.analysis.nowcast.model import Model
from exporter.analysis.nowcast.observed import Observed, observe, only, running
from exporter.analysis.nowcast.rhythm import by_hour, expected_fees
from exporter.analysis.nowcast.season import Season, changed
from exporter.analysis.nowcast.shift import find_shifts

_HEARD_HOURS: Final = 48
_DAMPING_HOURS: Final = 14 * 24
"""Growth goes on, and fades over so many hours."""

_HARDLY: Final = 0.5
"""Live usage takes the place of a bill of which less than this can have arrived."""

_CHANGED: Final = 0.01
"""How likely an hour costs anything up to twice of what is likely, since something has changed."""

_WHOLE: Final = 0.9999
"""An hour of which on average so much has arrived is complete."""

_ROUNDS: Final = 12
_DAY: Final = 24
_PEAK: Final = 6.0
_SPIKY: Final = 0.25
"""A line used in fewer of its hours than this, as daily jobs are, flows evenly over its day."""


@dataclass(frozen=True, slots=True)
class Past:
    """What an estimate is made from, beside the model."""

    known: KnownCosts
    calendar: BillingCalendar
    clocks: Clocks
    live: PricedUsage | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Net US dollars, lines x hours from `begin` on."""

    begin: int
    to_come: Floats
    """On top of what is known; slightly negative where credits are still to come on a cost that has."""
    fees: Floats
    """What of that are charges that come once in a while, by their rhythm."""
    flow: Floats
    """What the running lines cost in each hour; single charges play no part."""
    prior: Floats
    """Gross: season times level."""


def estimate_hours(model: Model, past: Past, begin: int, end: int) -> Estimate:
    """Estimate the hours from `begin` to before `end` from what is known as of `known.as_of`."""
    known = past.known
    since = min(begin, max(known.begin, known.as_of - MEMORY_HOURS))
    season = _season(model, past, max(since, known.as_of - _HEARD_HOURS))
    shape, used = season.of(past.clocks.week_hours(since, end))
    seen = observe(known, model.cap, model.lateness, used, (since, end))
    runs = running(known, seen)
    live = _live(past.live, since, end)
    prior = shape * _levels(model, only(runs, seen), shape, live, known.as_of - since) * runs[:, None]
    prior *= _grown(model, np.arange(since, end, dtype=np.float64) + 0.5 - known.as_of)
    extra = _to_come(model, seen, prior, used, live)
    at = begin - since
    gross = seen.cost[:, at:] + extra[:, at:]
    ratio = credit_ratios(model.credits, known, past.calendar, begin, gross)
    rhythm = expected_fees(known, past.calendar, _seldom(known, seen, runs), end)
    fees = by_hour(rhythm, len(gross), begin, end)
    usual = gross * (1.0 + ratio) * runs[:, None]
    return Estimate(
        begin,
        extra[:, at:] * (1.0 + ratio) + fees,
        fees,
        _evened(model, usual, prior, ratio),
        prior[:, at:],
    )


def _season(model: Model, past: Past, begin: int) -> Season:
    """The season, with clocks weighed by what the hours from `begin` on show, if one has changed."""
    known = past.known
    week_hours = past.clocks.week_hours(begin, known.as_of)
    if not changed(week_hours):
        return model.season
    seen = observe(known, model.cap, model.lateness, 0.9, (begin, known.as_of))
    return model.season.heard((seen.cost, seen.exposure), model.slow, week_hours)


def _to_come(model: Model, seen: Observed, prior: Floats, used: Floats, live: _Live | None) -> Floats:
    """Gross cost on top of what has arrived."""
    likely, waiting = prior, seen.to_come / np.maximum(1.0 - used + used * seen.to_come, 1e-9)
    if live is not None:
        exact = _exactness(model, live)
        likely = np.where(live.known, exact * live.usd + (1.0 - exact) * prior, prior)
        waiting = np.where(live.known, 1.0, waiting)
    found: Floats = np.where(seen.once | seen.arrived, 0.0, likely * waiting)
    begun = seen.arrived & ~seen.once & (likely > 0.0) & (seen.part < _WHOLE)
    found[begun] = _rest(model, seen, likely, begun)
    return found


def _rest(model: Model, seen: Observed, likely: Floats, begun: Flags) -> Floats:
    """What is to come of some hours of which at least one row has arrived.

    How many of an hour's rows have arrived follows from their age (binomial), and from their cost beside what
    is likely; what the whole hour costs, from both, each with its variance (Bühlmann's credibility).
    """
    line, _ = np.nonzero(begun)
    cost, expected, part = seen.cost[begun], likely[begun], seen.part[begun]
    rows, own = model.lateness.rows[line], _own_variance(model)[line]
    pieces = np.minimum(model.lateness.pieces[line], rows)
    uneven = (rows - pieces) / np.maximum(pieces * (rows - 1.0), 1e-9)
    one = _arrived_each(part, rows)
    chances, rests = np.zeros(len(line)), np.zeros(len(line))
    chance = rows * one * (1.0 - one) ** (rows - 1.0)
    for count in range(1, int(rows.max(initial=1.0)) + 1):
        share = np.minimum(count / rows, 1.0)
        by_usual, by_rows = share**2 * own, share * (1.0 - share) * uneven
        trust = by_usual / (by_usual + by_rows)
        whole = (1.0 - trust) * expected + trust * cost / share
        fits = (1.0 - _CHANGED) * _density(cost / expected - share, by_usual + by_rows) + 0.5 * _CHANGED
        weight = np.where(count <= rows, chance * fits, 0.0)
        chances += weight
        rests += weight * np.maximum(whole - cost, 0.0)
        chance = chance * np.maximum(rows - count, 0.0) / (count + 1.0) * one / (1.0 - one)
    return rests / np.maximum(chances, 1e-300)


def _arrived_each(part: Floats, rows: Floats) -> Floats:
    """How likely a row has arrived, where of hours with any it is `part` of the rows on average."""
    each = part
    for _ in range(_ROUNDS):
        each = part * (1.0 - (1.0 - each) ** rows)
    return np.clip(each, 0.01, 1.0 - 1e-9)


def _density(deviation: Floats, variance: Floats) -> Floats:
    found: Floats = np.exp(-0.5 * deviation**2 / variance) / np.sqrt(2.0 * np.pi * variance)
    return found


def _levels(model: Model, seen: Observed, shape: Floats, live: _Live | None, past: int) -> Floats:
    """Level of each hour, lines x hours: one for all, and another since a change where there was one."""
    trust = _trust(model, seen.part)
    cost, exposure = seen.cost * trust, seen.exposure * trust
    if live is not None:
        exact = _exactness(model, live)
        fresh = live.known & (exposure < _HARDLY)
        cost, exposure = np.where(fresh, live.usd * exact, cost), np.where(fresh, exact, exposure)
    cost, due = cost[:, :past], (shape * exposure)[:, :past]
    level = levels(cost, due, model.growth, model.slow)[0][:, None]
    noise = model.season.noise[:, None] ** 2 / np.maximum(trust[:, :past], 1e-3)
    shifts = find_shifts(cost, due, noise, model.growth, model.slow)
    found = np.repeat(level, shape.shape[1], axis=1)
    for at, (begin, end) in enumerate(shifts.windows):
        chance, within, before = (
            each[:, at : at + 1] for each in (shifts.chance, shifts.level, shifts.before)
        )
        # It began between this window and the one before. A day later it was a step, or an unusual day
        # that is over, which is more likely where all lines have it.
        over = past - end if end else past + max(_DAY - begin * 3 // 4, 0)
        after = 0.0 if end else 1.0 if begin > _DAY else shifts.stays
        found[:, max(past - begin, 0) : over] += chance * (within - level)
        found[:, over:] += chance * (after * within + (1.0 - after) * before - level)
    return found


def _grown(model: Model, ahead: Floats) -> Floats:
    fading = _DAMPING_HOURS * (1.0 - np.exp(-np.maximum(ahead, 0.0) / _DAMPING_HOURS))
    faded = np.where(ahead > 0.0, fading, ahead)
    found: Floats = np.exp(np.clip(model.growth[:, None] * faded, -1.0, 1.0))
    return found


def _trust(model: Model, part: Floats) -> Floats:
    """How much an hour that has arrived in part says of itself, beside its prior; 1 once it is whole.

    By their variances: that of an hour around its prior, and that of the share of its pieces that has come.
    """
    own = _own_variance(model)[:, None]
    found: Floats = own / (own + (1.0 - part) / (part * model.lateness.pieces[:, None]))
    return found


@dataclass(frozen=True, slots=True)
class _Live:
    """Live usage, lines x hours."""

    usd: Floats
    known: Flags
    """Where it is known."""
    noise: Floats
    """Lines: relative deviation of the bill from it."""


def _live(priced: PricedUsage | None, begin: int, end: int) -> _Live | None:
    """Live usage of the hours from `begin` to before `end`."""
    if priced is None:
        return None
    usd = np.full((len(priced.usd), end - begin), np.nan)
    inside = priced.usd[:, begin - priced.first_hour : end - priced.first_hour]
    usd[:, : inside.shape[1]] = inside
    return _Live(np.nan_to_num(usd), np.isfinite(usd), priced.noise)


def _exactness(model: Model, live: _Live) -> Floats:
    """How much live usage says of an hour, beside its prior."""
    own = _own_variance(model)
    return (own / (own + live.noise**2))[:, None]


def _own_variance(model: Model) -> Floats:
    found: Floats = np.clip(model.season.noise, 0.02, 2.0) ** 2
    return found


def _seldom(known: KnownCosts, seen: Observed, runs: Flags) -> Flags:
    """Charges that belong to no running: all of a line that does not run, single ones of one that does."""
    found: Flags = (known.delay != NEVER) & ~runs[:, None]
    low, high = seen.begin - known.first_hour, known.as_of - known.first_hour
    found[:, low:high] |= seen.once[:, : high - low]
    return found


def _evened(model: Model, usual: Floats, prior: Floats, ratio: Floats) -> Floats:
    """Cost per hour; a line that is booked in few hours of its day costs the mean of the day around it."""
    busy = (model.season.used[0] > 0.5).mean(axis=1)
    peak = model.season.shape[0].max(axis=1)
    spiky = np.flatnonzero(((busy < _SPIKY) | (peak > _PEAK)) & (prior.max(axis=1, initial=0.0) > 0.0))
    if not len(spiky):
        return usual
    found = usual.copy()
    hours, shown = prior.shape[1], usual.shape[1]
    sums = np.cumsum(np.pad(prior[spiky], ((0, 0), (1, 0))), axis=1)
    low = np.clip(np.arange(hours - shown, hours) - 12, 0, max(hours - 24, 0))
    high = np.minimum(low + 24, hours)
    found[spiky] = (sums[:, high] - sums[:, low]) / (high - low) * (1.0 + ratio[spiky])
    return found
