"""The bill of an invented world as cells, and how far estimates of its days were off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from exporter.analysis.nowcast.replay import Replay
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
        kept = cells.usage >= world.end_hour - (days + keep_days) * 24
        columns = (
            getattr(cells, name)[kept] for name in ("line", "usage", "export", "gross", "credit", "span")
        )
        cells = CostCells(cells.lines, *columns)
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


def mean_size(errors: Sequence[float]) -> float:
    return float(np.mean(np.abs(errors)))


def worst(errors: Sequence[float]) -> float:
    return float(np.max(np.abs(errors)))
