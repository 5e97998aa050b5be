"""Another kind of bill: every hour of every service trickles in piece by piece, each late on its own."""

from __future__ import annotations

from math import ceil, exp, pi, sin
from random import Random

from exporter.analysis.nowcast.cost_history import NANO, Cell, CostHistory, Line

SERVICES = 12
PIECES = 6


def gradual_bill(
    seed: int, first_hour: int, days: int, lumps: bool = False
) -> tuple[CostHistory, dict[int, float]]:
    """Cells of some services with lag medians of 3 to 12 hours, and the final cost of each hour.

    `lumps`: two more services bill a whole day in its ninth hour, and one a month on its third day.
    """
    random = Random(seed)
    found: list[Cell] = []
    final: dict[int, float] = {}
    for number in range(SERVICES):
        line = Line("account", f"project-{number % 3}", f"service {number}", "sku")
        median, level = random.uniform(3.0, 12.0), random.uniform(1.0, 8.0)
        swing, weekend, growth = random.uniform(0.0, 0.8), random.uniform(0.3, 1.0), random.uniform(0.0, 0.15)
        day_noise = 0.0
        for hour in range(first_hour, first_hour + days * 24):
            local = hour - first_hour
            if local % 24 == 0:
                day_noise = random.gauss(0.0, 0.05)
            week = weekend if local // 24 % 7 in (1, 2) else 1.0
            usd = level * week * (1.0 + swing * sin(2.0 * pi * local / 24.0)) * exp(growth * local / 720.0)
            usd *= exp(day_noise + random.gauss(0.0, 0.08))
            final[hour] = final.get(hour, 0.0) + usd
            for _ in range(PIECES):
                lag = min(median * exp(random.gauss(0.0, 0.5)), 96.0)
                found.append(Cell(line, hour, hour + ceil(lag), round(usd * NANO / PIECES), 0))
    if lumps:
        _add_lumps(found, final, first_hour, days)
    return CostHistory(found), final


def _add_lumps(found: list[Cell], final: dict[int, float], first_hour: int, days: int) -> None:
    for day in range(days):
        hour = first_hour + day * 24 + 8
        for number, usd in ((1, 40.0), (2, 15.0)):
            line = Line("account", "project-0", f"daily fee {number}", "fee")
            found.append(Cell(line, hour, hour + 5 + number, round(usd * NANO), round(-0.1 * usd * NANO)))
            final[hour] = final.get(hour, 0.0) + 0.9 * usd
