"""Live unit costs: a service by component, per request and per CPU second; any meter per its own unit.

Pure, over usage of one trailing hour. A ratio with a zero denominator is absent, never infinity or zero.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from exporter.analysis.unit_cost.rate_book import Basis, Rate, RateBook
from exporter.core.meters import UsageMeter, meters_by_name

COMPONENT_METERS: Final = {
    "cloud_run_requests": "requests",
    "cloud_run_cpu_seconds": "cpu",
    "cloud_run_memory_byte_seconds": "memory",
    "cloud_run_egress_bytes": "egress",
    "cloud_run_idle_instance_seconds": "min_instance",
}
"""Meters of a Cloud Run service that cost money, with their component of the cost."""

TRAILING_METERS: Final = (*COMPONENT_METERS, "cloud_run_cold_starts")
"""The meters of the trailing hour that cloud_run_costs needs."""

_ESSENTIAL: Final = frozenset({"requests", "cpu", "memory"})
"""Without a rate for one of these, a service's cost is unknown. Usage of the others may be free."""


class Usage(Protocol):
    """One resource's usage of one meter in the hour."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def meter(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102
    @property
    def until(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """One Cloud Run service over the trailing hour. Dollars and ratios are None where they are unknown."""

    project_id: str
    region_id: str
    run_service: str
    until: datetime
    usd_by_component: Mapping[str, float]
    """Cost of the components that were used and have a rate."""
    usd: float | None
    cost_per_request_usd: float | None
    cpu_seconds_per_request: float | None
    cost_per_cpu_second_usd: float | None
    cold_start_ratio: float | None
    """Instances started per request."""


@dataclass(frozen=True, slots=True)
class CloudRunHour:
    """All Cloud Run services together over the trailing hour."""

    usd: float | None
    """None where a necessary rate is missing for any service."""
    requests: float
    cpu_seconds: float | None = None
    """None where none are known."""
    cold_starts: float = 0.0

    @property
    def cost_per_request_usd(self) -> float | None:
        """None without requests, or where the cost is unknown."""
        return _ratio(self.usd, self.requests)

    @property
    def cost_per_cpu_second_usd(self) -> float | None:
        """None without CPU seconds, or where the cost is unknown."""
        return _ratio(self.usd, self.cpu_seconds or 0.0)

    @property
    def cpu_seconds_per_request(self) -> float | None:
        """None without requests, or where the CPU seconds are unknown."""
        return _ratio(self.cpu_seconds, self.requests)

    @property
    def cold_start_ratio(self) -> float | None:
        """Instances started per request; None without requests."""
        return _ratio(self.cold_starts, self.requests)


@dataclass(frozen=True, slots=True)
class MeterCost:
    """One resource and meter over the trailing hour, in the meter's common unit."""

    project_id: str
    region_id: str
    resource: str
    meter: str
    dimension: str
    people_unit: str
    usd_per_hour: float
    usd_per_people_unit: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Usage without a known rate: reported, never counted as free."""

    project_id: str
    region_id: str
    meter: str
    resources: int


def cloud_run_costs(usage: Iterable[Usage], rates: RateBook) -> list[ServiceCost]:
    """Return the cost of each Cloud Run service in the hour of `usage`."""
    services: dict[tuple[str, str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    until: dict[tuple[str, str, str], datetime] = {}
    for each in usage:
        if each.meter in TRAILING_METERS:
            key = (each.project_id, each.region_id, each.resource)
            services[key][each.meter] += each.amount
            until[key] = each.until
    return [_service_cost(key, amounts, until[key], rates) for key, amounts in sorted(services.items())]


def cloud_run_hour(usage: Iterable[Usage], rates: RateBook) -> CloudRunHour | None:
    """Return requests and cost of all Cloud Run services in that hour; None without any service."""
    used = [each for each in usage if each.meter in TRAILING_METERS]
    if not used:
        return None
    costs = [each.usd for each in cloud_run_costs(used, rates)]
    known = [usd for usd in costs if usd is not None]
    amounts: dict[str, list[float]] = defaultdict(list)
    for each in used:
        amounts[each.meter].append(each.amount)
    cpu_seconds = amounts.get("cloud_run_cpu_seconds")
    return CloudRunHour(
        math.fsum(known) if len(known) == len(costs) else None,
        math.fsum(amounts["cloud_run_requests"]),
        None if cpu_seconds is None else math.fsum(cpu_seconds),
        math.fsum(amounts["cloud_run_cold_starts"]),
    )


def _service_cost(
    key: tuple[str, str, str], amounts: Mapping[str, float], until: datetime, rates: RateBook
) -> ServiceCost:
    project_id, region_id, run_service = key
    usd_by_component: dict[str, float] = {}
    unknown = False
    for meter, component in COMPONENT_METERS.items():
        amount = amounts.get(meter, 0.0)
        rate = rates.rate(meter, project_id, region_id, run_service) if amount > 0 else None
        if rate is not None:
            usd_by_component[component] = amount * rate.usd_per_unit
        elif amount > 0 and component in _ESSENTIAL:
            unknown = True
    usd = None if unknown else sum(usd_by_component.values())
    requests = amounts.get("cloud_run_requests", 0.0)
    cpu_seconds = amounts.get("cloud_run_cpu_seconds")
    return ServiceCost(
        *key,
        until=until,
        usd_by_component=usd_by_component,
        usd=usd,
        cost_per_request_usd=_ratio(usd, requests),
        cpu_seconds_per_request=_ratio(cpu_seconds, requests),
        cost_per_cpu_second_usd=_ratio(usd, cpu_seconds or 0.0),
        cold_start_ratio=_ratio(amounts.get("cloud_run_cold_starts", 0.0), requests),
    )


def meter_costs(usage: Iterable[Usage], rates: RateBook) -> list[MeterCost]:
    """Return the cost of each resource by meter, and per common unit of the meter."""
    meters = meters_by_name()
    found = []
    for each in usage:
        row = meters.get(each.meter)
        rate = rates.rate(each.meter, each.project_id, each.region_id, each.resource, each.dimension)
        if row is None or rate is None or row.people_unit is None or each.amount <= 0:
            continue
        found.append(_meter_cost(each, row, rate))
    return found


def _meter_cost(each: Usage, row: UsageMeter, rate: Rate) -> MeterCost:
    if row.people_unit is None:
        raise ValueError(f"{row.name} has no common unit")
    usd = each.amount * rate.usd_per_unit
    units = each.amount * rate.billed_per_unit / row.people_unit.size
    per_unit = usd / units if units else 0.0
    return MeterCost(
        each.project_id,
        each.region_id,
        each.resource,
        each.meter,
        each.dimension,
        row.people_unit.name,
        usd,
        per_unit,
        rate.basis,
    )


def unpriced(usage: Iterable[Usage], rates: RateBook) -> list[Unpriced]:
    """Return the live usage without a known rate, by project, region and meter."""
    meters = meters_by_name()
    counted: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for each in usage:
        row = meters.get(each.meter)
        if row is None or row.skus is None or row.skus.may_be_free or each.amount <= 0:
            continue
        if rates.rate(each.meter, each.project_id, each.region_id, each.resource, each.dimension) is None:
            counted[each.project_id, each.region_id, each.meter].add(f"{each.resource}/{each.dimension}")
    return [Unpriced(*key, resources=len(names)) for key, names in sorted(counted.items())]


def _ratio(dividend: float | None, divisor: float) -> float | None:
    return None if dividend is None or divisor <= 0 else dividend / divisor
