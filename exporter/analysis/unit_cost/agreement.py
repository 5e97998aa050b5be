"""How well priced live usage agrees with the bill once the bill is settled.

Pure. Cost that live usage does not cover comes from the bill: nothing is estimated twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from exporter.analysis.unit_cost.known_days import BilledDay, UsedDay
from exporter.analysis.unit_cost.rate_book import RateBook
from exporter.core.meters import SERVICE_NAMES, meters_by_name


@dataclass(frozen=True, slots=True)
class Agreement:
    """Estimate against bill of one service, over settled days that live usage covers in full."""

    service_name: str
    estimated_usd: float
    billed_usd: float
    """Of the SKUs that live usage covers."""
    explained_ratio: float
    """Their share of the service's whole cost."""

    @property
    def estimate_to_billed_ratio(self) -> float | None:
        """1 where they agree; None where nothing was billed."""
        return self.estimated_usd / self.billed_usd if self.billed_usd > 0 else None


def agreements(
    billed: Iterable[BilledDay], used: Iterable[UsedDay], rates: RateBook, settled_through: date
) -> list[Agreement]:
    """Compare estimate and bill by service, project by project, over days for which both are complete.

    For a project and service, days count from the second day with live usage on: the first may be partial.
    """
    meters = meters_by_name()
    estimated: dict[tuple[str, str, date], float] = defaultdict(float)
    for use in used:
        row = meters.get(use.meter)
        rate = rates.rate(use.meter, use.project_id, use.region_id, use.resource, use.dimension, day=use.day)
        if row is None or rate is None:
            continue
        service = SERVICE_NAMES.get(row.service_id, row.service_id)
        estimated[use.project_id, service, use.day] += use.amount * rate.usd_per_unit
    first = _first_days(estimated)
    covered = {
        key: usd for key, usd in estimated.items() if first[key[0], key[1]] < key[2] <= settled_through
    }
    bills: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    counted = set()
    for bill in billed:
        for service in {bill.service_id, bill.service_name}:
            key = (bill.project_id, service, bill.day)
            if key not in covered:
                continue
            sums = bills[bill.service_name]
            sums[0] += 0.0 if key in counted else covered[key]
            sums[1] += bill.usd if bill.sku_id in rates.explained_skus else 0.0
            sums[2] += bill.usd
            counted.add(key)
    return [
        Agreement(name, live, explained, explained / whole if whole else 0.0)
        for name, (live, explained, whole) in sorted(bills.items())
    ]


def _first_days(days: Mapping[tuple[str, str, date], float]) -> dict[tuple[str, str], date]:
    first: dict[tuple[str, str], date] = {}
    for project_id, service, day in days:
        first[project_id, service] = min(first.get((project_id, service), day), day)
    return first
