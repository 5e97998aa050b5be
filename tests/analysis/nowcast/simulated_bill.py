"""A simulated company's bill as cells, without files: what arrived when, what it came to, live usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from exporter.core.cost_cells import CostCell, CostCells, Line
from exporter.simulator.google.usage import Incident, Meter
from exporter.simulator.google.world import World
from exporter.simulator.moment import MICROSECONDS_PER_HOUR
from exporter.simulator.variation import ORDINARY, Variation
from tests.support.world_truth import pieces_exported, true_cost

START = datetime(2026, 9, 18, 7, tzinfo=UTC)
"""Midnight in the billing zone, two weeks before a month's end; 60 days on, the zone has left summer time."""
TIMEZONE = "America/Los_Angeles"
LIVE_SERVICES = ("run", "compute", "sql", "vertex")
TELLING_DAYS = 12
"""The bill is followed for so long after the last hour of use."""


@dataclass(frozen=True)
class SimulatedBill:
    """Hours are counted since 1970-01-01 00:00 UTC."""

    world: World
    history: CostCells
    first_hour: int
    end_hour: int
    """End of the last hour of use."""
    as_of: int
    """When all of it has been told."""
    settled_usd: Mapping[int, float] = field(repr=False)
    """Final cost of each hour as at first billed: usage and credits, no tax, no corrections."""
    live: Mapping[Line, Mapping[int, float]] = field(repr=False)
    """Usage of LIVE_SERVICES at list price with an error of 7 % and noise of 2 %."""

    def restated_usd(self, begin: int, end: int) -> tuple[float, float]:
        """Cost of some hours with later corrections; and with tax, rounding and goodwill on top."""
        since, until = (datetime.fromtimestamp(hour * 3600, UTC) for hour in (begin, end))
        costs = list(true_cost(self.world, since, until))
        corrected = sum((cost.cost_usd for cost in costs if cost.project_id), Decimal(0))
        return float(corrected), float(sum((cost.cost_usd for cost in costs), Decimal(0)))


def simulated_bill(
    seed: int,
    days: int = 60,
    start: datetime = START,
    *,
    incident_days: tuple[float, float] | None = None,
    variation: Variation = ORDINARY,
) -> SimulatedBill:
    """Let a company of a seed live for some days; `incident_days`: from when to when a runaway lasts."""
    first = int(start.timestamp()) // 3600
    incident = None
    if incident_days is not None:
        incident = Incident(first + int(incident_days[0] * 24), first + int(incident_days[1] * 24), 14.0)
    world = World(seed, start, incident, variation)
    end = first + days * 24
    until = start + timedelta(days=days + TELLING_DAYS)
    settled, live = _truth(world, seed, first, end)
    history = CostCells.of(cells(world, start, until, end))
    return SimulatedBill(world, history, first, end, end + TELLING_DAYS * 24, settled, live)


def cells(world: World, since: datetime, until: datetime, before_hour: int) -> Iterator[CostCell]:
    """Cells of the usage hours before one, without adjustments, as a ledger gives them."""
    lines: dict[int, Line] = {}
    for piece in pieces_exported(world, since, until):
        if piece.hour >= before_hour:
            continue
        index = piece.meter.index
        line = lines.get(index)
        if line is None:
            line = lines[index] = line_of(piece.meter)
        credit = sum(credit.micros for credit in piece.use.credits)
        yield CostCell(
            line,
            piece.hour,
            piece.exported_microseconds // MICROSECONDS_PER_HOUR,
            0 if piece.correction is not None else round(piece.use.cost_micros * 1000 / piece.rate),
            round(credit * 1000 / piece.rate),
        )


def line_of(meter: Meter) -> Line:
    return Line(meter.account.id, meter.project.id, meter.service.name, meter.sku.id or meter.sku.description)


def _truth(
    world: World, seed: int, first: int, end: int
) -> tuple[dict[int, float], dict[Line, dict[int, float]]]:
    settled: dict[int, float] = {}
    live: dict[Line, dict[int, float]] = {}
    random = Random(seed)
    for hour in range(first, end):
        total = 0.0
        for meter, use in world.uses(hour):
            # Amounts in euros become dollars at the meter's own list price in dollars.
            rate = use.price / meter.sku.price_usd if not meter.line.model else 1.0
            total += use.net_micros / 1e6 / rate
            if meter.sku.service in LIVE_SERVICES:
                usd = use.amount * meter.sku.price_usd / meter.sku.price_quantity
                amounts = live.setdefault(line_of(meter), {})
                amounts[hour] = amounts.get(hour, 0.0) + usd * 1.07 * random.lognormvariate(0.0, 0.02)
        settled[hour] = total
    return settled, live
