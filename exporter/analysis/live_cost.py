"""Live usage priced by the hour, and how well that agrees with the bill once the bill is settled.

Pure. What live usage cannot explain is left to the bill: nothing is estimated twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from exporter.analysis.rates import BilledDay, RateBook
from exporter.usage_table import SERVICE_NAMES, meters_by_name


class UsedHour(Protocol):
    """Usage of one meter in one hour."""

    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def service_id(self) -> str: ...  # noqa: D102
    @property
    def meter(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def hour(self) -> datetime: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102


class UsedDay(Protocol):
    """Usage of one meter on one UTC day."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def meter(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class HourCost:
    """What one hour of a project's use of a service costs by live usage, of the SKUs that it explains."""

    provider: str
    project_id: str
    service_id: str
    """As in the bill; the service's name where its id is not known."""
    hour: datetime
    usd: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Estimate against bill of one service, over settled days that live usage covers in full."""

    service_name: str
    estimated_usd: float
    billed_usd: float
    """Of the SKUs that live usage explains."""
    explained_ratio: float
    """Their share of all that the service cost."""

    @property
    def estimate_to_billed_ratio(self) -> float | None:
        """1 where they agree; None where nothing was billed."""
        return self.estimated_usd / self.billed_usd if self.billed_usd > 0 else None


def hourly_costs(usage: Iterable[UsedHour], rates: RateBook) -> list[HourCost]:
    """Price usage by project, service and hour. Usage without a rate is left out: see unit_cost.unpriced."""
    sums: dict[tuple[str, str, str, datetime], float] = defaultdict(float)
    for each in usage:
        rate = rates.rate(each.meter, each.project_id, each.region_id, each.resource, each.dimension)
        if rate is not None:
            service = SERVICE_NAMES.get(each.service_id, each.service_id)
            sums[each.provider, each.project_id, service, each.hour] += each.amount * rate.usd_per_unit
    return [HourCost(*key, usd=usd) for key, usd in sorted(sums.items())]


def agreements(
    billed: Iterable[BilledDay], used: Iterable[UsedDay], rates: RateBook, settled_through: date
) -> list[Agreement]:
    """Compare estimate and bill by service, project by project and over the days that both are known in full.

    A day counts for a project and service from the second on of which there is live usage: the first may be a
    part of one.
    """
    meters = meters_by_name()
    estimated: dict[tuple[str, str, date], float] = defaultdict(float)
    for use in used:
        row = meters.get(use.meter)
        rate = rates.rate(use.meter, use.project_id, use.region_id, use.resource, use.dimension)
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
