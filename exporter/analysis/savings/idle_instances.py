"""Compute Engine instances that run and do almost nothing, and their cost.

Pure. The bill names no instance, so the cost of one is estimated: from its cores, or as its share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from exporter.analysis.savings.saving import MONTH_DAYS, OWN, Saving, dollars
from exporter.analysis.unit_cost.known_days import BilledDay
from exporter.core.meters import COMPUTE

IDLE_INSTANCE: Final = OWN + "idle_instance"

UTILIZATION: Final = "compute_utilization_seconds"
CORES: Final = "compute_instance_core_seconds"
"""Meters that report each instance by the hour."""

IDLE_BELOW: Final = 0.03
"""Mean CPU utilisation: an operating system with its agents needs 1 to 2 %."""

BUSY_HOUR: Final = 0.10
"""An instance with one hour above this does some work, such as a nightly job."""

LEAST_HOURS: Final = 72
"""Three days: less may be a weekend, or a new machine that is not in use yet."""

LOOKED_BACK: Final = timedelta(days=7)
"""A week, where it is known: a machine that works only on Mondays is not idle."""

LEAST_RUNNING_RATIO: Final = 0.9
"""Of the hours since it was first seen. An instance that starts and stops runs jobs, and its partially known
hours would make it look less busy than it is."""

STILL_RUNNING: Final = timedelta(hours=6)
"""An instance that is missing in the project's latest hours has been stopped: nothing is left to save."""

_MONTH_SECONDS: Final = MONTH_DAYS * 86400.0
_CORE: Final = re.compile(r"^(?!Commitment).*Instance Core ", re.IGNORECASE)
_MACHINE: Final = re.compile(r"^(?!Commitment).*Instance (Core|Ram) ", re.IGNORECASE)


class InstanceUsage(Protocol):
    """One instance over the hours in which it is known to have run, as in the ledger."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def instance_id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def hours(self) -> int: ...  # noqa: D102
    @property
    def mean_utilization(self) -> float: ...  # noqa: D102
    @property
    def highest_utilization(self) -> float: ...  # noqa: D102
    @property
    def first_hour(self) -> datetime: ...  # noqa: D102
    @property
    def last_hour(self) -> datetime: ...  # noqa: D102
    @property
    def cores(self) -> float | None: ...  # noqa: D102


_Place = tuple[str, str]
"""Project and region."""


@dataclass(frozen=True, slots=True)
class IdleInstances:
    """The result of a search."""

    savings: Sequence[Saving]
    counts: dict[tuple[str, str], int]
    """Idle instances by project and region; 0 where enough is known and none is idle."""


def idle_instances(used: Sequence[InstanceUsage], billed: Iterable[BilledDay]) -> IdleInstances:
    """Find idle instances in the usage of LOOKED_BACK.

    `billed` are settled days of the bill, all with the same weight; without any the dollars are unknown.
    """
    costs = _Costs(billed, used)
    newest: dict[str, datetime] = {}
    for one in used:
        newest[one.project_id] = max(one.last_hour, newest.get(one.project_id, one.last_hour))
    savings: list[Saving] = []
    counts: dict[_Place, int] = {}
    for one in used:
        if one.hours < LEAST_HOURS or newest[one.project_id] - one.last_hour > STILL_RUNNING:
            continue
        place = (one.project_id, one.region_id)
        idle = _idle(one)
        counts[place] = counts.get(place, 0) + idle
        if idle:
            savings.append(_saving(one, costs))
    return IdleInstances(savings, counts)


def _idle(one: InstanceUsage) -> bool:
    span = (one.last_hour - one.first_hour) / timedelta(hours=1) + 1
    return (
        one.mean_utilization < IDLE_BELOW
        and one.highest_utilization <= BUSY_HOUR
        and one.hours / span >= LEAST_RUNNING_RATIO
    )


def _saving(one: InstanceUsage, costs: _Costs) -> Saving:
    name, days = one.name or one.instance_id, one.hours / 24
    usd, how = costs.of(one)
    cost = (
        f"costs about {dollars(usd)} a month ({how})"
        if usd is not None
        else "has no known cost in the bill yet"
    )
    advice = (
        f"Instance {name} in {one.region_id} of {one.project_id} used {one.mean_utilization:.1%} of its CPU "
        f"in the last {days:.0f} days and {cost}. Stop it, and later delete it with its disks if nobody "
        "needs it."
    )
    evidence = {"mean_utilization_ratio": one.mean_utilization, "known_hours": float(one.hours)}
    if one.cores is not None:
        evidence["cores"] = one.cores
    return Saving(
        one.project_id,
        one.region_id,
        "instance",
        name,
        IDLE_INSTANCE,
        advice,
        usd,
        "remove",
        evidence,
    )


class _Costs:
    """The cost of an instance, as close to its own bill as possible."""

    def __init__(self, billed: Iterable[BilledDay], used: Iterable[InstanceUsage]) -> None:
        usd: dict[_Place, float] = defaultdict(float)
        core_seconds: dict[_Place, float] = defaultdict(float)
        days: dict[_Place, set[object]] = defaultdict(set)
        for row in billed:
            if row.service_id != COMPUTE or not _MACHINE.match(row.sku):
                continue
            for place in {(row.project_id, row.region_id), ("", row.region_id)}:
                usd[place] += row.usd
                days[place].add(row.day)
                if _CORE.match(row.sku):
                    core_seconds[place] += row.quantity
        self._usd, self._core_seconds, self._days = usd, core_seconds, days
        self._instances: dict[_Place, int] = defaultdict(int)
        for one in used:
            self._instances[one.project_id, one.region_id] += 1

    def of(self, one: InstanceUsage) -> tuple[float | None, str]:
        """US dollars a month, and a text about how they were estimated."""
        place = project_id, region_id = one.project_id, one.region_id
        cores = one.cores
        if cores is not None:
            for near, whose in ((place, f"what {project_id} pays"), (("", region_id), "what others pay")):
                if self._core_seconds[near] > 0:
                    rate = self._usd[near] / self._core_seconds[near]
                    how = f"its {cores:g} cores at {whose} there for cores and memory"
                    return cores * rate * _MONTH_SECONDS, how
        if self._usd[place] > 0:
            share = self._usd[place] / len(self._days[place]) / self._instances[place]
            return share * MONTH_DAYS, f"an equal share of what {project_id} pays for machines there"
        return None, ""
