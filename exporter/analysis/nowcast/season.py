"""The season of each line: what share of its level it costs in each hour of the week, and is it used at all.

An hour of the week is learnt from its own past weeks, and shrunk to what hours of the same kind cost: busy
or quiet as the whole account shows it, at the same hour of the day. So a weekend is the hours that behave
so, wherever people work. Which clock a line follows is weighed by how well it explains the past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from exporter.analysis.nowcast.clocks import WEEK
from exporter.analysis.nowcast.known_costs import Floats, Integers

HALF_LIFE_HOURS: Final = 21 * 24

_QUIET: Final = 0.9
"""Hours below this share of the busy days' are of another kind."""

_DISCOUNT: Final = 0.25
"""Hours are no independent witnesses: each counts for half of what it would."""

_LIKE_WEEKS: Final = 4.0
"""Like hours count as so many weeks of the hour's own."""

_LITTLE: Final = 0.05
_FEW_HOURS: Final = 6.0
_SATURDAY: Final = 48
"""Hour of the week in which Saturday begins in UTC; hour 0 is Thursday's first, as 1970 began."""


@dataclass(frozen=True, slots=True)
class Season:
    """Clocks x lines x hours of the week."""

    shape: Floats
    """Cost of an hour over the level of the line, which is its mean hour."""
    used: Floats
    """How likely the hour is used at all."""
    clock_weight: Floats
    """Clocks x lines; they sum to 1 for each line."""
    noise: Floats
    """Lines: deviation of an hour's cost from its season and level, relative to that."""

    def of(self, week_hours: Integers) -> tuple[Floats, Floats]:
        """Return shape and use of some hours (clocks x hours), lines x hours."""
        found: tuple[Floats, Floats] | None = None
        groups: dict[bytes, list[int]] = {}
        for clock, at in enumerate(week_hours):
            groups.setdefault(at.tobytes(), []).append(clock)
        for clocks in groups.values():
            at = week_hours[clocks[0]]
            weight = self.clock_weight[clocks][:, :, None]
            part = [(weight * each[clocks]).sum(axis=0)[:, at] for each in (self.shape, self.used)]
            found = (part[0], part[1]) if found is None else (found[0] + part[0], found[1] + part[1])
        assert found is not None, "there are clocks"
        return found

    def heard(self, seen: tuple[Floats, Floats], level: Floats, week_hours: Integers) -> Season:
        """Weight the clocks again by some newest hours: costs and exposures, lines x hours.

        It matters on the days after a clock has changed, and not until the model has been learned again.
        """
        cost, exposure = seen
        expected = np.stack([shape[:, at] for shape, at in zip(self.shape, week_hours, strict=True)])
        expected = expected * level[:, None] * exposure
        spread = np.maximum(self.noise, 0.05)[:, None] * expected.mean(axis=0) + 0.02 * level[:, None] + 1e-9
        misfit = (((cost - expected) / spread) ** 2).sum(axis=(1, 2))
        weight = self.clock_weight * np.exp(-_DISCOUNT * (misfit - misfit.min()))[:, None]
        return replace(self, clock_weight=weight / np.maximum(weight.sum(axis=0), 1e-300))


def changed(week_hours: Integers) -> bool:
    """Whether any clock changes within some hours (clocks x hours)."""
    moved = (week_hours - week_hours[0]) % WEEK
    return bool((moved != moved[:, :1]).any())


def learn_season(
    ratio: Floats, exposure: Floats, active: Floats, age: Integers, week_hours: Integers
) -> Season:
    """Learn from lines x hours: cost over level times exposure, exposure (0 to 1), and whether it was used.

    `active` is 1 where used, 0 where surely not, NaN where that cannot be known yet. `week_hours` is clocks x
    hours.
    """
    weight = 0.5 ** (age / HALF_LIFE_HOURS)
    seen = np.isfinite(active)
    use = np.where(seen, active, 0.0)
    made: list[tuple[Floats, Floats, Floats, Floats]] = []
    for clock, at in enumerate(week_hours):
        if clock and (at == week_hours[0]).all():
            made.append(made[0])
            continue
        sums, counts, uses, known = (
            _by_week_hour(each, at)
            for each in (ratio * weight, exposure * weight, use * weight, seen * weight)
        )
        whole = _account(sums, counts)
        shape = np.maximum(_shrunk(sums, counts, whole, _quiet(whole), 1.0), 0.0)
        used = _shrunk(uses, known, np.ones(WEEK), _quiet(whole), 0.95)
        error = (ratio - exposure * shape[:, at]) ** 2 @ weight
        error /= np.maximum((exposure * shape[:, at]) ** 2 @ weight, 1e-9)
        made.append((shape, np.clip(used, 0.0, 0.9999), error, whole))
    squares = np.stack([each[2] for each in made])
    hours = np.maximum(exposure @ weight, 1.0)
    return Season(
        np.stack([each[0] for each in made]),
        np.stack([each[1] for each in made]),
        _clock_weights(squares, hours, made[0][3]),
        np.sqrt(squares.min(axis=0)),
    )


def _by_week_hour(values: Floats, at: Integers) -> Floats:
    """Sum lines x hours to lines x hours of the week."""
    order = np.argsort(at, kind="stable")
    present, starts = np.unique(at[order], return_index=True)
    found = np.zeros((len(values), WEEK))
    found[:, present] = np.add.reduceat(values[:, order], starts, axis=1)
    return found


def _account(sums: Floats, counts: Floats) -> Floats:
    """Shape of the whole account by hour of the week, each line with the same weight; 1 where unseen."""
    seen = counts > 0.0
    mean = np.divide(sums, counts, out=np.zeros_like(sums), where=seen)
    lines = seen.sum(axis=0)
    found: Floats = np.divide(mean.sum(axis=0), lines, out=np.ones(WEEK), where=lines > 0)
    return np.maximum(found / max(float(found.mean()), 1e-9), 0.05)


def _quiet(whole: Floats) -> Floats:
    """1 for hours of the week in which the account costs less than at that hour of most other days."""
    days = whole.reshape(7, 24)
    found: Floats = (days < _QUIET * np.sort(days, axis=0)[-4:].mean(axis=0)).reshape(-1).astype(np.float64)
    return found


def _shrunk(sums: Floats, counts: Floats, whole: Floats, quiet: Floats, unseen: float) -> Floats:
    """Means by hour of the week, shrunk to those of like hours; where little is seen, to the account's."""
    lines = len(sums)
    exposure = counts.sum(axis=1, keepdims=True)
    overall = np.divide(
        sums.sum(axis=1, keepdims=True), exposure, out=np.full((lines, 1), unseen), where=exposure > 0.0
    )
    by_hour = whole.reshape(7, 24).mean(axis=0)
    of_day = whole / np.tile(by_hour, 7)
    daily = (_by_hour(sums) + _LITTLE * overall * by_hour) / (_by_hour(counts * of_day) + _LITTLE)
    base = np.tile(daily, (1, 7)) * of_day
    for kind in (quiet, 1.0 - quiet):
        came, due = (sums * kind).sum(axis=1), (base * counts * kind).sum(axis=1)
        scale = (came + _FEW_HOURS * overall[:, 0]) / (due + _FEW_HOURS * overall[:, 0] + 1e-12)
        scaled = base * scale[:, None]
        start = _by_hour(scaled * kind) / np.maximum(_by_hour(np.tile(kind, (lines, 1))), 1.0)
        mean = (_by_hour(sums * kind) + start) / (_by_hour(counts * kind) + 1.0)
        base = np.where(kind > 0.0, np.tile(mean, (1, 7)), base)
    found: Floats = (sums + _LIKE_WEEKS * base) / (counts + _LIKE_WEEKS)
    return found


def _by_hour(values: Floats) -> Floats:
    found: Floats = values.reshape(len(values), 7, 24).sum(axis=1)
    return found


def _clock_weights(squares: Floats, hours: Floats, whole: Floats) -> Floats:
    """Weigh clocks by how well they explain a line, and all lines together; clocks x lines."""
    likelihood = -_DISCOUNT * hours * np.log(np.maximum(squares, 1e-12))
    likelihood = likelihood - likelihood.max(axis=0)
    score = 0.5 * likelihood + 0.5 * likelihood.sum(axis=1, keepdims=True)
    score += np.log(_clock_prior(whole))[:, None]
    weight = np.exp(np.maximum(score - score.max(axis=0), -50.0))
    found: Floats = weight / weight.sum(axis=0)
    return found


def _clock_prior(whole: Floats) -> Floats:
    """How likely each clock is by where the week's two quiet days begin, before any clock has changed."""
    days = sliding_window_view(np.concatenate((whole, whole[:47])), 48).mean(axis=1)
    if days.min() > 0.93:
        return np.array([0.3, 0.4, 0.3])
    east = (_SATURDAY - int(days.argmin()) + WEEK // 2) % WEEK - WEEK // 2
    likely = 1 if -10 <= east <= -4 else 2 if -1 <= east <= 3 else 0
    found = np.full(3, 0.12)
    found[likely] = 0.76
    return found
