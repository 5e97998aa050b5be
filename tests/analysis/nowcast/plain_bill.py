"""Bills of plain hourly services, without the simulator: smooth days, noise, rows that are late one by one.

Each service has a daily wave, quieter weekends, a little growth and noise; each row of its bill comes after a
lag of its own. Some have a share of credits, some a monthly allowance of free use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil, cos, exp, pi
from random import Random
from zoneinfo import ZoneInfo

from exporter.analysis.nowcast.cost_history import NANO, Cell, CostHistory, Line

TIMEZONE = "America/Los_Angeles"
START = datetime(2026, 3, 10, 7, tzinfo=UTC)
"""Midnight in the billing zone, just after the clocks have gone forward."""
LONGEST_LAG_HOURS = 96
LIVE_NOISE = 0.03
_PROJECT_SHARES = (0.5, 0.3, 0.2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PlainBill:
    """Hours are counted since 1970-01-01 00:00 UTC."""

    history: CostHistory
    first_hour: int
    end_hour: int
    """End of the last hour of use."""
    settled_usd: Mapping[int, float] = field(repr=False)
    """Final cost of each hour, with credits."""
    live: Mapping[Line, Mapping[int, float]] = field(repr=False)
    """Usage of every other service, in units of its own."""


@dataclass(frozen=True)
class _Service:
    usd_per_hour: float
    swing: float
    peak_hour: float
    weekend: float
    growth_per_day: float
    noise: float
    lag_median_hours: float
    lag_spread: float
    discount: float
    """Share of the cost that comes back as a credit."""
    free_usd: float
    """Cost in each month that comes back in full, whichever project it comes from."""

    def usual_usd(self, day: int, local: datetime) -> float:
        """Cost of an hour but for noise, so many days after the bill's first."""
        wave = 1.0 + self.swing * cos(2.0 * pi * (local.hour - self.peak_hour) / 24.0)
        week = self.weekend if local.weekday() >= 5 else 1.0
        return self.usd_per_hour * wave * week * exp(self.growth_per_day * day)


def plain_bill(seed: int, days: int = 60, services: int = 14) -> PlainBill:
    """Let some services run; lag medians are spread from 3 to 12 hours."""
    random = Random(seed)
    first = int(START.timestamp()) // 3600
    end = first + days * 24
    cells: list[Cell] = []
    settled = dict.fromkeys(range(first, end), 0.0)
    live: dict[Line, dict[int, float]] = {}
    for number in range(services):
        service = _service(random, 3.0 + 9.0 * number / (services - 1))
        unit = random.uniform(0.2, 5.0)
        for cell in _cells(random, service, number, first, end):
            cells.append(cell)
            settled[cell.usage_hour] += (cell.gross_nano_usd + cell.credit_nano_usd) / NANO
            if number % 2 == 0:
                used = cell.gross_nano_usd / NANO * unit * random.lognormvariate(0.0, LIVE_NOISE)
                live.setdefault(cell.line, {})[cell.usage_hour] = used
    return PlainBill(CostHistory(cells), first, end, settled, live)


def _service(random: Random, lag_median_hours: float) -> _Service:
    return _Service(
        usd_per_hour=random.lognormvariate(1.0, 0.7),
        swing=random.uniform(0.1, 0.9),
        peak_hour=random.uniform(10.0, 20.0),
        weekend=random.uniform(0.35, 0.9),
        growth_per_day=random.uniform(0.0, 0.001),
        noise=random.uniform(0.03, 0.15),
        lag_median_hours=lag_median_hours,
        lag_spread=random.uniform(0.25, 0.5),
        discount=random.choice((0.0, 0.0, 0.1, 0.3)),
        free_usd=random.choice((0.0, 0.0, 20.0)),
    )


def _cells(random: Random, service: _Service, number: int, first: int, end: int) -> Iterator[Cell]:
    zone = ZoneInfo(TIMEZONE)
    lines = [
        Line("account", f"project-{part}", f"service {number}", f"sku {number}")
        for part in range(len(_PROJECT_SHARES))
    ]
    month, day, free_left = 0, 0, 0.0
    day_noises = [0.0] * len(lines)
    for hour in range(first, end):
        local = (_EPOCH + timedelta(hours=hour)).astimezone(zone)
        if local.month != month:
            month, free_left = local.month, service.free_usd
        if local.day != day:
            day, day_noises = local.day, [random.gauss(0.0, 0.4 * service.noise) for _ in lines]
        usual = service.usual_usd((hour - first) // 24, local)
        for line, share, day_noise in zip(lines, _PROJECT_SHARES, day_noises, strict=True):
            usd = usual * share * exp(day_noise + random.gauss(0.0, service.noise))
            free = min(usd, free_left)
            free_left -= free
            credit = free + service.discount * (usd - free)
            lag = service.lag_median_hours * exp(random.gauss(0.0, service.lag_spread))
            arrived = hour + ceil(min(lag, LONGEST_LAG_HOURS))
            yield Cell(line, hour, arrived, round(usd * NANO), -round(credit * NANO))
