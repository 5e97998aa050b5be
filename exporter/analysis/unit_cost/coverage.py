"""Which part of a service's bill no live usage explains, so that it is known from the bill alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.analysis.unit_cost.known_days import BilledDay
from exporter.core.meters import explaining


@dataclass(frozen=True, slots=True)
class ServiceCoverage:
    """One service on the bill."""

    service_name: str
    usd: float
    uncovered_usd: tuple[tuple[str, float], ...]
    """Descriptions and cost of the SKUs that no meter explains, the dearest first."""
    disputed: tuple[tuple[str, tuple[str, ...]], ...]
    """Descriptions of SKUs that several meters claim, with their names: none of them prices it."""


def coverage(billed: Iterable[BilledDay]) -> list[ServiceCoverage]:
    """Split the cost of each service into what live usage explains and what it does not."""
    cost: dict[str, dict[tuple[str, str, str], float]] = defaultdict(lambda: defaultdict(float))
    for row in billed:
        cost[row.service_name][row.service_id, row.sku_id, row.sku] += row.usd
    found = []
    for service_name, skus in sorted(cost.items()):
        uncovered: dict[str, float] = defaultdict(float)
        disputed: dict[str, tuple[str, ...]] = {}
        for (service_id, sku_id, sku), usd in skus.items():
            names = tuple(meter.name for meter in explaining(service_id, service_name, sku_id, sku))
            if len(names) != 1:
                uncovered[sku] += usd
            if len(names) > 1:
                disputed[sku] = names
        dearest = sorted(uncovered.items(), key=lambda each: (-each[1], each[0]))
        found.append(
            ServiceCoverage(service_name, sum(skus.values()), tuple(dearest), tuple(sorted(disputed.items())))
        )
    return found
