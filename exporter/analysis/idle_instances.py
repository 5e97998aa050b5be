"""Compute Engine instances that run and do next to nothing, and what they cost.

Pure. The bill names no instance, so the cost of one is estimated: from its cores, or as its share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from exporter.analysis.rates import BilledDay
from exporter.analysis.savings import MONTH_DAYS, OWN, Saving, dollars
from exporter.usage_table import COMPUTE

IDLE_INSTANCE: Final = OWN + "idle_instance"

UTILIZATION: Final = "compute_utilization_seconds"
CORES: Final = "compute_instance_core_seconds"
INSTANCE_METERS: Final = (UTILIZATION, CORES)
"""What idle_instances needs, by the hour."""

IDLE_BELOW: Final = 0.03
"""Mean CPU utilisation. An operating system with its agents alone needs 1 to 2 %; Google's own recommender
looks at 3 % as well."""

BUSY_HOUR: Final = 0.10
"""An instance that had one hour above this does something after all, such as a nightly job."""

LEAST_HOURS: Final = 72
"""Three days: less may be a weekend's night, or a machine that was set up and not taken into use yet."""

LOOKED_BACK: Final = timedelta(days=7)
"""A week, where it is known: what works on Mondays only is not idle."""

LEAST_RUNNING_RATIO: Final = 0.9
"""Of the hours since it was first seen. One that starts and stops is there for jobs, and its hours that are
known in part would make it look idler than it is."""

STILL_RUNNING: Final = timedelta(hours=6)
"""An instance of which the project's newest hours know nothing has been stopped: nothing is left to save."""

_HOUR_SECONDS: Final = 3600.0
_MONTH_SECONDS: Final = MONTH_DAYS * 86400.0
_CORE: Final = re.compile(r"^(?!Commitment).*Instance Core ", re.IGNORECASE)
_MACHINE: Final = re.compile(r"^(?!Commitment).*Instance (Core|Ram) ", re.IGNORECASE)


class InstanceHour(Protocol):
    """Usage of one instance in one hour, as in the ledger."""

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
    def hour(self) -> datetime: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102


@dataclass(slots=True)
class _Instance:
    name: str = ""
    utilization: dict[datetime, float] = field(default_factory=lambda: defaultdict(float))
    core_seconds: dict[datetime, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def mean(self) -> float:
        return sum(self.utilization.values()) / len(self.utilization)

    @property
    def hours(self) -> int:
        return len(self.utilization)

    @property
    def running_ratio(self) -> float:
        span = (max(self.utilization) - min(self.utilization)) / timedelta(hours=1) + 1
        return self.hours / span

    @property
    def cores(self) -> float | None:
        """Median over the hours: an hour in which it changed size or was read in part is no matter."""
        known = sorted(amount / _HOUR_SECONDS for amount in self.core_seconds.values() if amount > 0)
        return known[len(known) // 2] if known else None


_Place = tuple[str, str]
"""Project and region."""


@dataclass(frozen=True, slots=True)
class IdleInstances:
    """What was found."""

    savings: Sequence[Saving]
    counts: dict[tuple[str, str], int]
    """Idle instances by project and region; 0 where there are instances long known and none idle."""


def idle_instances(hours: Iterable[InstanceHour], billed: Iterable[BilledDay]) -> IdleInstances:
    """Find idle instances in the hours of INSTANCE_METERS within LOOKED_BACK.

    `billed` are settled days of the bill, all with the same weight; without any the dollars are unknown.
    """
    known = _instances(hours)
    costs = _Costs(billed, known)
    newest = {project: max(max(one.utilization) for (p, _, _), one in known.items() if p == project)
              for project, _, _ in known}  # fmt: skip
    savings: list[Saving] = []
    counts: dict[_Place, int] = {}
    for (project_id, region_id, instance_id), one in sorted(known.items()):
        if one.hours < LEAST_HOURS or newest[project_id] - max(one.utilization) > STILL_RUNNING:
            continue
        place = (project_id, region_id)
        counts.setdefault(place, 0)
        if not _idle(one):
            continue
        counts[place] += 1
        savings.append(_saving(place, instance_id, one, costs))
    return IdleInstances(savings, counts)


def _instances(hours: Iterable[InstanceHour]) -> dict[tuple[str, str, str], _Instance]:
    found: dict[tuple[str, str, str], _Instance] = defaultdict(_Instance)
    for each in hours:
        if each.meter not in INSTANCE_METERS or not each.resource:
            continue
        one = found[each.project_id, each.region_id, each.resource]
        one.name = each.dimension or one.name
        if each.meter == UTILIZATION:
            one.utilization[each.hour] += each.amount / _HOUR_SECONDS
        else:
            one.core_seconds[each.hour] += each.amount
    return {key: one for key, one in found.items() if one.utilization}


def _idle(one: _Instance) -> bool:
    return (
        one.mean < IDLE_BELOW
        and max(one.utilization.values()) <= BUSY_HOUR
        and one.running_ratio >= LEAST_RUNNING_RATIO
    )


def _saving(place: _Place, instance_id: str, one: _Instance, costs: _Costs) -> Saving:
    project_id, region_id = place
    name, days = one.name or instance_id, one.hours / 24
    usd, how = costs.of(place, one)
    cost = (
        f"costs about {dollars(usd)} a month ({how})" if usd is not None else "costs what no bill tells yet"
    )
    advice = (
        f"Instance {name} in {region_id} of {project_id} used {one.mean:.1%} of its CPU in the last "
        f"{days:.0f} days and {cost}. Stop it, and delete it with its disks when nobody has missed it."
    )
    evidence = {"mean_utilization_ratio": one.mean, "known_hours": float(one.hours)}
    if one.cores is not None:
        evidence["cores"] = one.cores
    return Saving(
        project_id, region_id, "instance", name, IDLE_INSTANCE, advice, usd, "remove", evidence
    )  # fmt: skip


class _Costs:
    """What an instance costs, as near to its own bill as one can get."""

    def __init__(self, billed: Iterable[BilledDay], known: dict[tuple[str, str, str], _Instance]) -> None:
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
        for project_id, region_id, _ in known:
            self._instances[project_id, region_id] += 1

    def of(self, place: _Place, one: _Instance) -> tuple[float | None, str]:
        """US dollars a month, and in words how they were estimated."""
        project_id, region_id = place
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
