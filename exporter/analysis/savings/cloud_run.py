"""Cloud Run services that use more than their requests need: CPU, starts, and instances that wait.

Pure, over whole days of live usage. Ratios are computed only where there were enough requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import Final

from exporter.analysis.savings.saving import LEAST_USD_PER_MONTH, MONTH_DAYS, OWN, Saving, dollars
from exporter.analysis.unit_cost.known_days import UsedDay
from exporter.analysis.unit_cost.rate_book import RateBook

RUN_CPU: Final = OWN + "cloud_run_cpu"
RUN_COLD_STARTS: Final = OWN + "cloud_run_cold_starts"
RUN_MIN_INSTANCES: Final = OWN + "cloud_run_min_instances"

LEAST_DAYS: Final = 3
"""Fewest days of a service: a single day may be a load test, a failed deployment, or a holiday."""

LOOKED_BACK_DAYS: Final = 7

LEAST_REQUESTS_PER_DAY: Final = 100.0
"""With fewer requests, starts and CPU per request are random."""

CPU_ABOVE_SECONDS: Final = 1.0
"""CPU seconds per request that are never too many: an ordinary answer takes a tenth of a second or less."""

CPU_ABOVE_MEDIAN: Final = 5.0
"""And this many times the median of the team's other services: the team's own kind of work is the scale."""

CPU_ABOVE_ALONE_SECONDS: Final = 5.0
"""Limit with fewer than two services to compare with. A request that uses a CPU for this long is a job, or
the CPU is billed while nothing is served."""

COLD_STARTS_ABOVE: Final = 0.01
"""Starts per request, over days. Steady traffic needs one in thousands; at one in a hundred, instances stop
between requests, or crash. (The alert on a single hour has a higher threshold.)"""

IDLE_ABOVE: Final = 0.5
"""Share of the instances' time in which they served nothing. A smaller share is the price of being ready."""

_CPU: Final = "cloud_run_cpu_seconds"
_REQUESTS: Final = "cloud_run_requests"
_STARTS: Final = "cloud_run_cold_starts"
_IDLE: Final = "cloud_run_idle_instance_seconds"
_ACTIVE: Final = "cloud_run_active_instance_seconds"
_METERS: Final = frozenset({_CPU, _REQUESTS, _STARTS, _IDLE, _ACTIVE})


@dataclass(slots=True)
class _Service:
    project_id: str
    region_id: str
    name: str
    amounts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    days: set[date] = field(default_factory=set)

    @property
    def requests(self) -> float:
        return self.amounts[_REQUESTS]

    @property
    def comparable(self) -> bool:
        """Whether there were enough requests for ratios."""
        return self.requests >= LEAST_REQUESTS_PER_DAY * len(self.days)

    @property
    def cpu_per_request(self) -> float:
        return self.amounts[_CPU] / self.requests

    def a_month(self, meter: str) -> float:
        return self.amounts[meter] / len(self.days) * MONTH_DAYS

    def rate(self, rates: RateBook, meter: str) -> float | None:
        found = rates.rate(meter, self.project_id, self.region_id, self.name)
        return None if found is None else found.usd_per_unit

    def saving(
        self, recommender: str, advice: str, usd: float | None, evidence: Mapping[str, float]
    ) -> Saving:
        where = f"Cloud Run service {self.name} in {self.region_id} of {self.project_id} "
        return Saving(
            self.project_id,
            self.region_id,
            "run_service",
            self.name,
            recommender,
            where + advice,
            usd,
            evidence=evidence,
        )


def cloud_run_waste(
    daily: Iterable[UsedDay], rates: RateBook, first_day: date, last_day: date
) -> list[Saving]:
    """Return the findings over the whole days from `first_day` through `last_day`."""
    services: dict[tuple[str, str, str], _Service] = {}
    for each in daily:
        if each.meter in _METERS and first_day <= each.day <= last_day:
            key = (each.project_id, each.region_id, each.resource)
            service = services.setdefault(key, _Service(*key))
            service.amounts[each.meter] += each.amount
            service.days.add(each.day)
    known = [each for _, each in sorted(services.items()) if len(each.days) >= LEAST_DAYS]
    comparable = [each for each in known if each.comparable]
    return [
        *(found for each in comparable if (found := _cpu(each, comparable, rates)) is not None),
        *(found for each in comparable if (found := _cold_starts(each)) is not None),
        *(found for each in known if (found := _min_instances(each, rates)) is not None),
    ]


def _cpu(service: _Service, all_known: list[_Service], rates: RateBook) -> Saving | None:
    others = [each.cpu_per_request for each in all_known if each is not service]
    compared = len(others) >= 2
    usual = median(others) if compared else 0.0
    limit = max(CPU_ABOVE_SECONDS, CPU_ABOVE_MEDIAN * usual) if compared else CPU_ABOVE_ALONE_SECONDS
    taken = service.cpu_per_request
    rate = service.rate(rates, _CPU)
    usd = None if rate is None else service.a_month(_CPU) * (1 - limit / taken) * rate if taken > 0 else None
    if taken <= limit or (usd is not None and usd < LEAST_USD_PER_MONTH):
        return None
    scale = f"; the median of your other services is {usual:.2f}" if compared else ""
    worth = (
        f" The CPU time above {limit:.1f} s costs about {dollars(usd)} a month." if usd is not None else ""
    )
    advice = (
        f"uses {taken:.1f} CPU seconds per request{scale}.{worth} Look for work that could be a job or a "
        "cache, for CPU that is set to always allocated, and for too low a concurrency."
    )
    evidence = {"cpu_seconds_per_request": taken, "limit_cpu_seconds_per_request": limit}
    return service.saving(RUN_CPU, advice, usd, evidence)


def _cold_starts(service: _Service) -> Saving | None:
    ratio = service.amounts[_STARTS] / service.requests
    if ratio <= COLD_STARTS_ABOVE:
        return None
    advice = (
        f"started an instance for {ratio:.1%} of its requests in the last {len(service.days)} days: these "
        "callers waited, and every start is billed. Raise its concurrency, make it start faster, or keep one "
        "minimum instance; if its instances crash, its log has the reason."
    )
    return service.saving(RUN_COLD_STARTS, advice, None, {"cold_start_ratio": ratio})


def _min_instances(service: _Service, rates: RateBook) -> Saving | None:
    idle, active = service.amounts[_IDLE], service.amounts[_ACTIVE]
    rate = service.rate(rates, _IDLE)
    # Google keeps some idle instances for its own reasons, and does not bill them.
    if rate is None or idle <= 0 or idle / (idle + active) <= IDLE_ABOVE:
        return None
    usd = service.a_month(_IDLE) * rate
    if usd < LEAST_USD_PER_MONTH:
        return None
    share, waiting = idle / (idle + active), idle / len(service.days) / 86400.0
    advice = (
        f"keeps {waiting:.1f} instances waiting on average, {share:.0%} of all its instance time, for about "
        f"{dollars(usd)} a month. Lower its minimum instances, at least for the hours without traffic."
    )
    evidence = {"idle_ratio": share, "idle_instances": waiting}
    return service.saving(RUN_MIN_INSTANCES, advice, usd, evidence)
