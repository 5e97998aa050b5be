"""Which Cloud Run services are billed by request and which by instance: nobody reports it, so it is inferred.

The bill shows how much each mode had in a region of a project, and Cloud Monitoring how much each service
used: the modes of the services are those whose usage adds up to the bill. Where that fits more than one way,
idle time says more: it counts as billable under instance-based billing alone. What stays open is shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp, log
from typing import Final, Literal

from exporter.analysis.unit_cost.known_days import BilledDay, UsedDay, of_whole_days, recency
from exporter.core.meters import RUN, UsageMeter

Service = tuple[str, str, str]
"""Project, region and name."""
_Place = tuple[str, str]
_Cell = tuple[str, date]
"""A meter on a day."""
_Billed = Mapping[_Cell, Sequence[float]]
"""Quantities of request-based and of instance-based billing."""
_Used = Mapping[_Cell, float]

_LOOKED_BACK: Final = timedelta(days=14)
_HALF_LIFE_DAYS: Final = 3.0
"""A service can change its mode, so older days say little."""
_TRIED_TOGETHER: Final = 10
"""Services of a place whose modes are tried in every combination: those that are least clear without it."""
_SWEEPS: Final = 100
_MISFIT: Final = 0.005
"""By so much of a place's usage, bill and Cloud Monitoring differ in any case."""
_IDLE_EVIDENCE: Final = 0.95
"""How sure idle time makes of a mode. Idle minimum instances are billed too, so it may mislead."""
_CERTAIN: Final = 0.9
"""A service that is so likely of a mode is priced by it alone: it has one mode."""
_CLEAR: Final = 0.75
"""The same for a share that is the best fit rather than a probability."""
_LEAST_IDLE: Final = 0.05
"""Share of instance time; with less, billable time is the same in both modes."""
_BILLABLE: Final = "cloud_run_billable_instance_seconds"
_ACTIVE: Final = "cloud_run_active_instance_seconds"
_IDLE: Final = "cloud_run_idle_instance_seconds"


@dataclass(frozen=True, slots=True)
class BillingModes:
    """How likely each service is instance-based: 0 or 1 where its mode is known."""

    by_service: Mapping[Service, float] = field(default_factory=dict)
    by_place: Mapping[_Place, float] = field(default_factory=dict)
    """Share of instance-based billing in the CPU time of a project's region, by the bill."""
    by_project: Mapping[str, float] = field(default_factory=dict)

    def instance_share(self, project_id: str, region_id: str, service: str) -> float:
        """The share of a service's usage that is priced as instance-based.

        A service of which nothing is known is taken to be like the others of its region or project; where
        there is no bill, to be request-based, as Google sets up new services.
        """
        known = self.by_service.get((project_id, region_id, service))
        if known is None:
            known = self.by_place.get((project_id, region_id))
        return self.by_project.get(project_id, 0.0) if known is None else known

    @property
    def basis(self) -> Literal["billed", "list"]:
        """Whether a bill is behind it."""
        return "billed" if self.by_project else "list"


NOTHING_KNOWN: Final = BillingModes()


def learn_modes(
    explained: Iterable[tuple[BilledDay, UsageMeter]], used: Sequence[UsedDay], settled_through: date
) -> BillingModes:
    """Infer the modes from settled days of the bill, with the meters of their SKUs, and days of usage."""
    since = settled_through - _LOOKED_BACK
    bills: dict[_Place, dict[_Cell, list[float]]] = defaultdict(dict)
    meters: set[str] = set()
    for row, meter in explained:
        if meter.service_id == RUN and meter.skus and meter.skus.instance_based and row.day > since:
            cell = bills[row.project_id, row.region_id].setdefault((meter.name, row.day), [0.0, 0.0])
            cell[meter.skus.mode(row.sku) == "instance"] += row.quantity
            meters.add(meter.name)
    idle = _idle_evidence(used, since)
    usage: dict[_Place, dict[str, dict[_Cell, float]]] = defaultdict(lambda: defaultdict(dict))
    for use in of_whole_days(used):
        if use.meter in meters and since < use.day <= settled_through:
            mine = usage[use.project_id, use.region_id][use.resource]
            mine[use.meter, use.day] = mine.get((use.meter, use.day), 0.0) + use.amount
    chances = {
        service: _IDLE_EVIDENCE if instance else 1.0 - _IDLE_EVIDENCE for service, instance in idle.items()
    }
    by_service = dict(chances)
    by_place: dict[_Place, float] = {}
    for place, billed in bills.items():
        by_place[place] = _instance_part(billed.values())
        weights = {cell: recency(cell[1], settled_through, _HALF_LIFE_DAYS) for cell in billed}
        prior = {name: chances.get((*place, name)) for name in usage[place]}
        for name, share in _of_place(billed, usage[place], prior, weights).items():
            by_service[*place, name] = share
    of_project: dict[str, list[Sequence[float]]] = defaultdict(list)
    for (project_id, _), billed in bills.items():
        of_project[project_id] += billed.values()
    return BillingModes(
        {service: _clear(share) for service, share in by_service.items()},
        by_place,
        {project_id: _instance_part(cells) for project_id, cells in of_project.items()},
    )


def _idle_evidence(used: Iterable[UsedDay], since: date) -> dict[Service, bool]:
    """Whether services with idle instances are billed for the idle time too, by their own metrics."""
    sums: dict[Service, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for use in used:
        if use.meter in (_BILLABLE, _ACTIVE, _IDLE) and use.day > since:
            weight = recency(use.day, since, _HALF_LIFE_DAYS)
            sums[use.project_id, use.region_id, use.resource][use.meter] += weight * use.amount
    found = {}
    for service, amounts in sums.items():
        idle, life = amounts[_IDLE], amounts[_ACTIVE] + amounts[_IDLE]
        if _BILLABLE in amounts and life > 0 and idle / life >= _LEAST_IDLE:
            found[service] = amounts[_BILLABLE] > life - idle / 2.0
    return found


def _of_place(
    billed: _Billed, usage: Mapping[str, _Used], prior: Mapping[str, float | None], weights: _Used
) -> dict[str, float]:
    """How likely each service of a place is instance-based, from all ways to assign modes to the services.

    `prior` is what idle time says of each, if anything.
    """
    place = _instance_part(billed.values())
    if place in (0.0, 1.0):
        return dict.fromkeys(usage, place)
    totals: dict[_Cell, float] = defaultdict(float)
    for mine in usage.values():
        for cell, amount in mine.items():
            totals[cell] += amount
    cells = [cell for cell in billed if totals[cell] > 0 and sum(billed[cell]) > 0]
    if not cells:
        return {}
    whole = sum(weights[cell] for cell in cells)
    weight = [weights[cell] / whole for cell in cells]
    # Shares rather than amounts, so that what Cloud Monitoring misses of all services does not count.
    parts = {name: [mine.get(cell, 0.0) / totals[cell] for cell in cells] for name, mine in usage.items()}
    wanted = [_instance_part([billed[cell]]) for cell in cells]
    chances = {name: 0.5 if (chance := prior[name]) is None else chance for name in parts}
    fitted = _fit(parts, chances, wanted, weight)
    ranked = sorted(parts, key=lambda name: (abs(fitted[name] - 0.5), name))
    tried, clear = ranked[:_TRIED_TOGETHER], ranked[_TRIED_TOGETHER:]
    found = {name: _clear(fitted[name], _CLEAR) for name in clear}
    for name, share in found.items():
        wanted = [left - share * part for left, part in zip(wanted, parts[name], strict=True)]
    shares = _weigh([parts[name] for name in tried], [chances[name] for name in tried], wanted, weight)
    return found | dict(zip(tried, shares, strict=True))


def _fit(
    parts: Mapping[str, Sequence[float]],
    prior: Mapping[str, float],
    wanted: Sequence[float],
    weight: Sequence[float],
) -> dict[str, float]:
    """Shares between 0 and 1 that add up best to what the bill shows, by least squares, one after another."""
    shares = dict(prior)
    left = list(wanted)
    for name, part in parts.items():
        left = [gap - shares[name] * each for gap, each in zip(left, part, strict=True)]
    pull = (2.0 * _MISFIT) ** 2
    for _ in range(_SWEEPS if len(parts) > _TRIED_TOGETHER else 0):
        for name, part in parts.items():
            slope = sum(each * gap * own for each, gap, own in zip(weight, left, part, strict=True))
            size = sum(each * own * own for each, own in zip(weight, part, strict=True))
            best = shares[name] + (slope + pull * (prior[name] - shares[name])) / (size + pull)
            moved = min(1.0, max(0.0, best)) - shares[name]
            shares[name] += moved
            left = [gap - moved * own for gap, own in zip(left, part, strict=True)]
    return shares


def _weigh(
    parts: Sequence[Sequence[float]], prior: Sequence[float], wanted: Sequence[float], weight: Sequence[float]
) -> list[float]:
    """The probability of each service to be instance-based.

    Every combination counts by how well it adds up to what the bill shows. Where none fits well, those that
    fit about equally badly count alike.
    """
    scored = []
    for chosen in range(2 ** len(parts)):
        members = [part for number, part in enumerate(parts) if chosen >> number & 1]
        sums = map(sum, zip(*members, strict=True)) if members else iter([0.0] * len(wanted))
        misfit = sum(
            each * (total - goal) ** 2 for each, total, goal in zip(weight, sums, wanted, strict=True)
        )
        likely = sum(
            log(chance if chosen >> number & 1 else 1.0 - chance) for number, chance in enumerate(prior)
        )
        scored.append((chosen, misfit, likely))
    spread = 2.0 * max(_MISFIT**2, min(misfit for _, misfit, _ in scored))
    logs = [(chosen, likely - misfit / spread) for chosen, misfit, likely in scored]
    highest = max(value for _, value in logs)
    odds = [(chosen, exp(value - highest)) for chosen, value in logs]
    whole = sum(value for _, value in odds)
    return [
        sum(value for chosen, value in odds if chosen >> number & 1) / whole for number in range(len(parts))
    ]


def _instance_part(cells: Iterable[Sequence[float]]) -> float:
    request = instance = 0.0
    for cell in cells:
        request += cell[0]
        instance += cell[1]
    return instance / (request + instance) if request + instance > 0 else 0.0


def _clear(share: float, certain: float = _CERTAIN) -> float:
    if share >= certain:
        return 1.0
    return 0.0 if share <= 1.0 - certain else share
