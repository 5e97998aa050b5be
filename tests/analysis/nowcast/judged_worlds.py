"""The bill of an invented world as cells, and how far estimates of its days were off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.nowcast.month_forecast import forecast_month
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.track_record import track_record
from exporter.core.cost_cells import CostCells, Line
from tests.support.bill_worlds.kinds import Kind
from tests.support.bill_worlds.world import BillWorld, make_world

BILLING_ZONE = "America/Los_Angeles"


@dataclass(frozen=True)
class Errors:
    """Relative errors of estimates of whole days, by the clock hour at which they were made."""

    own: Mapping[int, list[float]] = field(default_factory=dict)
    live: Mapping[int, list[float]] = field(default_factory=dict)
    plain: Mapping[int, list[float]] = field(default_factory=dict)
    floor: Mapping[int, list[float]] = field(default_factory=dict)
    """Of somebody who knows the world's true mean."""


def cells_of(world: BillWorld) -> CostCells:
    return CostCells(
        tuple(Line(*line) for line in world.lines),
        world.line,
        world.used,
        world.arrived,
        world.gross,
        world.credit,
        np.ones_like(world.line),
        np.zeros(len(world.line), np.bool_),
    )


def live_of(world: BillWorld) -> dict[Line, dict[int, float]]:
    return {Line(*world.lines[number]): amounts for number, amounts in world.live.items()}


def judge(
    kind: Kind,
    seed: int,
    hours: Sequence[int] = (12, 20),
    days: int = 21,
    *,
    with_live: bool = False,
    keep_days: int | None = None,
) -> Errors:
    """Estimate the last days of a world at some hours; `keep_days`: forget what was before so many days."""
    world = make_world(kind, seed)
    cells = cells_of(world)
    if keep_days is not None:
        cells = _since(cells, world.end_hour - (days + keep_days) * 24)
    replay = Replay(cells, BILLING_ZONE, world.end_hour, live_of(world) if with_live else None)
    calendar = replay.calendar
    last = calendar.day(world.end_hour - 1)
    found: tuple[dict[int, list[float]], ...] = ({}, {}, {}, {})
    for day in range(last - days, last):
        low, high = calendar.day_hours(day)
        final = world.day_usd(low, high)
        for now in range(low, high):
            hour = calendar.week_hour(now) % 24
            if hour not in hours:
                continue
            own = replay.estimate(now, low, high, live=False).to_come.sum()
            billed = float(replay.billed(low, high).sum()) / 1e9
            whole = [billed + own, 0.0, 0.0, world.best_usd(now, low, high)]
            whole[1] = billed + replay.estimate(now, low, high).to_come.sum() if with_live else final
            whole[2] = billed + replay.plain_to_come(now, low, high).sum()
            for errors, usd in zip(found, whole, strict=True):
                errors.setdefault(hour, []).append(float(usd / final - 1.0))
    return Errors(*found)


def _since(cells: CostCells, hour: int) -> CostCells:
    kept = cells.usage >= hour
    names = ("line", "usage", "export", "gross", "credit", "span", "apart")
    columns = (getattr(cells, name)[kept] for name in names)
    return CostCells(cells.lines, *columns)


def mean_size(errors: Sequence[float]) -> float:
    return float(np.mean(np.abs(errors)))


def worst(errors: Sequence[float]) -> float:
    return float(np.max(np.abs(errors)))


class Covered(NamedTuple):
    """Whether what was forecast ended between the outer quantiles; None where that is not known yet."""

    day: bool
    month: bool | None


def covered(kind: Kind, seed: int, every_days: int = 9) -> Iterator[Covered]:
    """Forecast days and months of a world of some 100 days at odd hours, each from 62 days of a bill."""
    world = make_world(replace(kind, days=100 + seed % 9, services=5, lines_per_service=1 + seed % 3), seed)
    cells, chance = cells_of(world), np.random.default_rng(seed)
    calendar = BillingCalendar(BILLING_ZONE, world.first_hour, world.end_hour)
    last = calendar.day(world.end_hour - 1)
    for day in range(last - 52, last, every_days):
        low, high = calendar.day_hours(day)
        now = low + int(chance.integers(0, high - low))
        kept = _since(cells, now - 62 * 24)
        replay = Replay(kept, BILLING_ZONE, now)
        found = forecast_month(replay, now, track_record(kept, BILLING_ZONE, now))
        assert found is not None
        of_day, of_month = found.day_quantile_usd, found.quantile_usd
        begin, end = calendar.month_hours(calendar.month(now))
        ended = world.first_hour <= begin and end <= world.end_hour
        yield Covered(
            of_day[0.1] <= world.day_usd(low, high) <= of_day[0.9],
            of_month[0.1] <= world.day_usd(begin, end) <= of_month[0.9] if ended else None,
        )
