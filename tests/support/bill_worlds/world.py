"""Makes the bill of one company: rows with the hour of use and the hour of arrival, and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tests.support.bill_worlds.kinds import Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PACIFIC = ZoneInfo("America/Los_Angeles")
LIVE_NOISE = 0.03
LONGEST_LAG = 110.0


@dataclass(frozen=True)
class BillWorld:
    """Hours are counted since 1970-01-01 00:00 UTC; money in billionths of a US dollar."""

    kind: Kind
    lines: list[tuple[str, str, str, str]]
    """Account, project, service, SKU."""
    first_hour: int
    end_hour: int
    line: Ints
    """Of each row, with the columns below."""
    used: Ints
    arrived: Ints
    gross: Ints
    credit: Ints
    net_usd: Floats
    """Lines x hours: what it comes to in the end."""
    mean_usd: Floats
    """Lines x hours: what somebody would expect who knows all but the noise, and no single events."""
    live: dict[int, dict[int, float]]
    """Use of every other line by hour, in units of its own."""

    def day_usd(self, begin: int, end: int) -> float:
        """Final cost of the hours from `begin` to before `end`."""
        return float(self.net_usd[:, begin - self.first_hour : end - self.first_hour].sum())

    def best_usd(self, as_of: int, begin: int, end: int) -> float:
        """What somebody would say who knows the true mean: what has arrived, and the mean of the rest."""
        inside = (self.used >= begin) & (self.used < end)
        known = inside & (self.arrived < as_of)
        billed = float((self.gross[known] + self.credit[known]).sum()) / 1e9
        share = np.zeros_like(self.net_usd[:, begin - self.first_hour : end - self.first_hour])
        np.add.at(share, (self.line[known], self.used[known] - begin), 1.0 / self.kind.pieces)
        mean = self.mean_usd[:, begin - self.first_hour : end - self.first_hour]
        return billed + float((mean * (1.0 - np.minimum(share, 1.0))).sum())


def make_world(kind: Kind, seed: int) -> BillWorld:
    """Let a company of a kind live; the same seed gives the same world."""
    rng = np.random.default_rng([seed, len(kind.name)])
    first = int(kind.start.timestamp()) // 3600 + 8
    count = kind.days * 24
    clock = _Clock(kind.zone, first, count)
    services = np.repeat(np.arange(kind.services), kind.lines_per_service)
    lines = [("account", f"project-{n % 3}", f"service {s}", f"sku {n}") for n, s in enumerate(services)]
    mean = _means(rng, kind, clock, len(lines))
    gross_mean = _specials(rng, kind, clock, services, mean)
    gross = gross_mean * np.exp(_noise(rng, kind, *gross_mean.shape, clock.pacific_day))
    credit = _credits(rng, kind, clock, gross, services)
    mean = gross_mean + _credits_of_mean(gross, credit, gross_mean)
    lags = _lags(rng, kind, services, count)
    live = {
        n: {first + h: float(gross[n, h] * u * np.exp(rng.normal(0.0, LIVE_NOISE))) for h in range(count)}
        for n, u in ((n, rng.uniform(0.2, 5.0)) for n in range(0, len(lines), 2))
    }
    return _bill(rng, kind, lines, first, gross, credit, mean, lags, live)


class _Clock:
    """Local weekday and hour of each hour, where people work and in the billing zone."""

    def __init__(self, zone: str, first: int, count: int) -> None:
        hours = [datetime(1970, 1, 1) + timedelta(hours=first + n) for n in range(count)]
        utc = [each.replace(tzinfo=ZoneInfo("UTC")) for each in hours]
        local = [each - timedelta(hours=8) for each in hours]
        if zone != "none":
            local = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in utc]
        pacific = [each.astimezone(PACIFIC) for each in utc]
        self.hour: Ints = np.array([each.hour for each in local])
        self.weekend = np.array([each.weekday() >= 5 for each in local])
        self.day: Ints = np.array([each.toordinal() for each in local])
        self.pacific_day: Ints = np.array([each.toordinal() for each in pacific])
        self.pacific_hour: Ints = np.array([each.hour for each in pacific])
        self.pacific_month: Ints = np.array([each.year * 12 + each.month for each in pacific])
        self.pacific_month_day: Ints = np.array([each.day for each in pacific])


def _means(rng: np.random.Generator, kind: Kind, clock: _Clock, lines: int) -> Floats:
    def drawn(low_high: tuple[float, float]) -> Floats:
        return rng.uniform(*low_high, size=(lines, 1))

    peak = rng.uniform(10.0, 18.0, size=(lines, 1))
    second = rng.uniform(0.0, 0.15, size=(lines, 1))
    angle = 2.0 * np.pi * (clock.hour[None, :] - peak) / 24.0
    wave = 1.0 + drawn(kind.swing_range) * np.cos(angle) + second * np.cos(2.0 * angle)
    week = np.where(clock.weekend[None, :], drawn(kind.weekend_range), 1.0)
    days = np.arange(len(clock.hour))[None, :] / 24.0
    level = rng.lognormal(1.0, 0.7, size=(lines, 1))
    found: Floats = np.maximum(level * wave * week * np.exp(drawn(kind.growth) * days), 0.0)
    return found


def _specials(rng: np.random.Generator, kind: Kind, clock: _Clock, services: Ints, mean: Floats) -> Floats:
    """Add the events of a kind. They fall into the last three weeks, where days are judged."""
    found = mean.copy()
    count = mean.shape[1]
    late = count - 24 * int(rng.integers(4, 18))
    big = int(np.argmax(np.bincount(services, weights=mean.sum(axis=1))))
    if "step" in kind.special:
        for n in rng.choice(len(mean), size=max(2, len(mean) // 5), replace=False):
            found[n, count - int(rng.integers(48, 430)) :] *= rng.choice([0.4, 0.6, 1.6, 2.5])
    if "holiday" in kind.special:
        days = [d for d in np.unique(clock.day) if not clock.weekend[clock.day == d].any()]
        off = clock.day == days[-int(rng.integers(4, 12))]
        found[:, off] *= rng.uniform(0.35, 0.9, size=(len(mean), 1))
    if "jobs" in kind.special:
        for n in range(0, len(mean), 4):
            job = clock.pacific_hour == 22
            found[n] = np.where(job, mean[n].mean() * 24.0, 0.0)
    if "new service" in kind.special:
        found[services == big, :late] = 0.0
    if "incident" in kind.special:
        found[services == big, late : late + int(rng.integers(20, 60))] *= rng.uniform(3.0, 8.0)
    if "subscription" in kind.special:
        for n, day in ((0, 1), (1, 15), (2, int(rng.integers(2, 28)))):
            fee = (clock.pacific_month_day == day) & (clock.pacific_hour == 0)
            found[n] = np.where(fee, mean[n].mean() * 200.0, 0.0)
    if "one-off" in kind.special:
        at = count - int(rng.integers(60, 400))
        found[0] = 0.0
        found[0, at] = mean.sum() / count * 20.0
    return found


def _noise(rng: np.random.Generator, kind: Kind, lines: int, count: int, days: Ints) -> Floats:
    scale = rng.uniform(*kind.noise_range, size=(lines, 1))
    noise: Floats = rng.normal(size=(lines, count))
    if kind.noise == "drift":
        for at in range(1, count):
            noise[:, at] = 0.9 * noise[:, at - 1] + np.sqrt(1.0 - 0.81) * noise[:, at]
    if kind.noise == "days":
        numbers = days - days[0]
        own = rng.normal(size=(lines, numbers[-1] + 1))[:, numbers]
        common = rng.normal(size=(1, numbers[-1] + 1))[:, numbers]
        noise = 0.8 * noise + 0.4 * own + 0.3 * common
    return scale * noise - 0.5 * scale**2


def _credits(rng: np.random.Generator, kind: Kind, clock: _Clock, gross: Floats, services: Ints) -> Floats:
    share = rng.choice([0.0, 0.0, 0.1, 0.3], size=(len(gross), 1))
    credit = -share * gross
    if "sustained" in kind.special:
        step = np.minimum((clock.pacific_month_day - 1) // 8, 3) * 0.1
        for n in range(0, len(gross), 3):
            credit[n] = -step * gross[n]
    if "allowance" in kind.special:
        for n in range(1, len(gross), 3):
            for month in np.unique(clock.pacific_month):
                at = np.flatnonzero(clock.pacific_month == month)
                before = np.cumsum(gross[n, at]) - gross[n, at]
                free = np.clip(gross[n].mean() * 24.0 * (3 + n % 9) - before, 0.0, gross[n, at])
                credit[n, at] = -free
    return credit


def _credits_of_mean(gross: Floats, credit: Floats, mean: Floats) -> Floats:
    ratio = np.divide(credit, gross, out=np.zeros_like(gross), where=gross > 0.0)
    return ratio * mean


def _lags(rng: np.random.Generator, kind: Kind, services: Ints, count: int) -> Floats:
    """Hours from use to arrival: pieces x lines x hours."""
    medians = np.linspace(*kind.lag_medians, num=kind.services)
    rng.shuffle(medians)
    if "late service" in kind.special:
        medians[int(rng.integers(kind.services))] = 48.0
    spreads = rng.uniform(*kind.lag_spreads, size=kind.services)
    shape = (kind.pieces, len(services), count)
    if kind.batches:
        own = rng.normal(size=(kind.pieces, kind.services, -(-count // 4)))
        normal = np.repeat(own, 4, axis=2)[:, services, :count]
    else:
        normal = rng.normal(size=shape)
    lags = medians[services][None, :, None] * np.exp(spreads[services][None, :, None] * normal)
    found: Floats = np.minimum(lags, LONGEST_LAG)
    return found


def _bill(
    rng: np.random.Generator,
    kind: Kind,
    lines: list[tuple[str, str, str, str]],
    first: int,
    gross: Floats,
    credit: Floats,
    mean: Floats,
    lags: Floats,
    live: dict[int, dict[int, float]],
) -> BillWorld:
    parts: dict[str, list[Any]] = {"line": [], "used": [], "arrived": [], "gross": [], "credit": []}
    total = np.zeros_like(gross)
    for piece in range(kind.pieces):
        line, hour = np.nonzero(gross > 0.0)
        parts["line"].append(line)
        parts["used"].append(first + hour)
        parts["arrived"].append(first + hour + np.ceil(lags[piece, line, hour]).astype(np.int64))
        for name, values in (("gross", gross), ("credit", credit)):
            nano = np.rint(values[line, hour] / kind.pieces * 1e9).astype(np.int64)
            parts[name].append(nano)
            total[line, hour] += nano / 1e9
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    order = np.argsort(columns["arrived"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    return BillWorld(
        kind=kind,
        lines=lines,
        first_hour=first,
        end_hour=first + gross.shape[1],
        net_usd=total,
        mean_usd=mean,
        live=live,
        **columns,
    )
