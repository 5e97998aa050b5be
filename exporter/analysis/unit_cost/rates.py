"""The cost of one unit of live usage: learnt from the settled bill, else the list price, or as configured.

Pure: from days of the bill and days of usage to rates. Every rate has its basis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, Protocol

from exporter.analysis.unit_cost.list_prices import LIST_PRICES, ListPrice
from exporter.core.meters import GIBIBYTE, RUN, SERVICE_NAMES, USAGE_TABLE, UsageMeter

Basis = Literal["billed", "list", "rate_card"]
HALF_LIFE_DAYS: Final = 7.0
"""A day of the bill has half the weight of a day that is this much more recent."""


class BilledDay(Protocol):
    """Cost (with credits) and quantity of one SKU on one day of usage, as in the ledger."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def service_id(self) -> str: ...  # noqa: D102
    @property
    def service_name(self) -> str: ...  # noqa: D102
    @property
    def sku_id(self) -> str: ...  # noqa: D102
    @property
    def sku(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def usd(self) -> float: ...  # noqa: D102
    @property
    def quantity(self) -> float: ...  # noqa: D102


class UsedDay(Protocol):
    """Usage of one meter on one UTC day, as in the ledger."""

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
class Rate:
    """US dollars for one unit of a meter."""

    usd_per_unit: float
    basis: Basis
    billed_per_unit: float = 1.0
    """Units of the bill per unit of the meter: not 1 where they count differently."""
    newest_day: date | None = None
    """Latest day of the bill that it was learnt from."""


@dataclass(frozen=True, slots=True)
class RateCard:
    """Fixed rates for Cloud Run, in US dollars: they replace all others."""

    request_usd: float
    cpu_second_usd: float
    memory_gb_second_usd: float
    transferred_gb_usd: float
    storage_usd_per_day: float = 0.0
    """A fixed cost per day for the whole of Cloud Run, independent of usage."""

    def rate(self, meter: str) -> Rate | None:
        """The rate of a meter, in the meter's units; a GB here is a gibibyte, as Google bills it."""
        usd = {
            "cloud_run_requests": self.request_usd,
            "cloud_run_cpu_seconds": self.cpu_second_usd,
            "cloud_run_memory_byte_seconds": self.memory_gb_second_usd / GIBIBYTE,
            "cloud_run_job_cpu_seconds": self.cpu_second_usd,
            "cloud_run_job_memory_byte_seconds": self.memory_gb_second_usd / GIBIBYTE,
            "cloud_run_egress_bytes": self.transferred_gb_usd / GIBIBYTE,
        }.get(meter)
        return None if usd is None else Rate(usd, "rate_card")


@dataclass(frozen=True, slots=True)
class _Learnt:
    """One SKU in one project and region, its days weighted by recency."""

    project_id: str
    region_id: str
    sku: str
    usd: float
    units: float
    """Of the meter."""
    quantity: float
    """Of the bill."""
    newest_day: date


@dataclass(slots=True)
class RateBook:
    """All rates, by meter, project and region."""

    _learnt: Mapping[str, Sequence[_Learnt]]
    _meters: Mapping[str, UsageMeter]
    card: RateCard | None = None
    used_this_month: Callable[[str], float] = lambda _meter: 0.0
    """Units of a meter used in the account's month so far, for the free allowance of list prices."""
    list_prices: Mapping[str, ListPrice] = field(default_factory=lambda: LIST_PRICES)
    explained_skus: frozenset[str] = frozenset()
    """Ids of the SKUs on the bill that live usage covers: live estimates are only of their cost."""
    _found: dict[tuple[str, ...], Rate | None] = field(default_factory=dict)

    def rate(
        self, meter: str, project_id: str, region_id: str, resource: str = "", dimension: str = ""
    ) -> Rate | None:
        """Return the rate, or None where it is unknown: then the usage must be counted as unpriced.

        The closest bill counts: the project's in the region, the project's without region, any project's.
        """
        row = self._meters.get(meter)
        if row is None or row.skus is None:
            return None
        named = (
            resource if row.skus.by_resource else "",
            dimension if row.skus.by_resource or row.skus.by_dimension else "",
        )
        key = (meter, project_id, region_id, *named)
        if key not in self._found:
            known = [each for each in self._learnt.get(meter, ()) if row.skus.prices(each.sku, *named)]
            self._found[key] = self._find(row, known, project_id, region_id)
        return self._found[key]

    def _find(
        self, row: UsageMeter, known: Sequence[_Learnt], project_id: str, region_id: str
    ) -> Rate | None:
        if self.card is not None and row.service_id == RUN:
            return self.card.rate(row.name)
        ours = [each for each in known if each.project_id == project_id]
        for near in (
            [each for each in ours if each.region_id == region_id],
            [each for each in ours if each.region_id in _EVERYWHERE],
            [each for each in known if each.region_id == region_id],
            [each for each in known if each.region_id in _EVERYWHERE],
        ):
            units = sum(each.units for each in near)
            if units > 0:
                return Rate(
                    sum(each.usd for each in near) / units,
                    "billed",
                    sum(each.quantity for each in near) / units,
                    max(each.newest_day for each in near),
                )
        listed = self.list_prices.get(row.name)
        if listed is None:
            return None
        left = listed.free_per_month - self.used_this_month(row.name)
        return Rate(0.0 if left > 0 else listed.usd(region_id), "list")


_EVERYWHERE: Final = ("", "global")


def learn_rates(
    billed: Iterable[BilledDay],
    used: Iterable[UsedDay],
    settled_through: date,
    *,
    card: RateCard | None = None,
    used_this_month: Callable[[str], float] = lambda _meter: 0.0,
    table: Sequence[UsageMeter] = USAGE_TABLE,
    half_life_days: float = HALF_LIFE_DAYS,
) -> RateBook:
    """Learn rates from the days of the bill up to `settled_through`, the newest weighing most.

    `used` matters for meters whose units differ from the bill's; for these, only days count for which both
    sides are known, without the first day of usage, which may be partial. US dollars, meters' units.
    """
    by_service: dict[str, list[UsageMeter]] = defaultdict(list)
    for meter in table:
        if meter.skus is not None:
            by_service[SERVICE_NAMES.get(meter.service_id, meter.service_id)].append(meter)
    live = _live_amounts(used, table)
    sums: dict[tuple[str, str, str, str], list[float]] = {}
    newest: dict[tuple[str, str, str, str], date] = {}
    shared: dict[tuple[str, str, str, date], tuple[float, float]] = {}
    explained: set[str] = set()
    for row in billed:
        if row.day > settled_through:
            continue
        for meter in by_service.get(row.service_id, []) + by_service.get(row.service_name, []):
            if meter.skus is None or not meter.skus.matches(row.sku_id, row.sku):
                continue
            explained.add(row.sku_id)
            if meter.skus.rate_per == "live_unit":
                cell = (meter.name, row.project_id, row.region_id, row.day)
                usd, quantity = shared.get(cell, (0.0, 0.0))
                shared[cell] = (usd + row.usd, quantity + row.quantity)
                continue
            key = (meter.name, row.project_id, row.region_id, row.sku)
            weight = _weight(row.day, settled_through, half_life_days)
            _add(sums, key, weight, row.usd, row.quantity, row.quantity)
            newest[key] = max(newest.get(key, row.day), row.day)
    for (name, project_id, region_id, day), (usd, quantity) in shared.items():
        units = live.get((name, project_id, region_id, day), 0.0)
        if units > 0:
            key = (name, project_id, region_id, "")
            _add(sums, key, _weight(day, settled_through, half_life_days), usd, units, quantity)
            newest[key] = max(newest.get(key, day), day)
    learnt: dict[str, list[_Learnt]] = defaultdict(list)
    for key, (usd, units, quantity) in sums.items():
        learnt[key[0]].append(_Learnt(key[1], key[2], key[3], usd, units, quantity, newest[key]))
    return RateBook(
        learnt,
        {meter.name: meter for meter in table},
        card,
        used_this_month,
        explained_skus=frozenset(explained),
    )


def _live_amounts(
    used: Iterable[UsedDay], table: Sequence[UsageMeter]
) -> dict[tuple[str, str, str, date], float]:
    """Usage of the meters whose units differ from the bill's, by project, region and day."""
    own = {meter.name for meter in table if meter.skus is not None and meter.skus.rate_per == "live_unit"}
    amounts: dict[tuple[str, str, str, date], float] = defaultdict(float)
    first: dict[tuple[str, str], date] = {}
    for row in used:
        if row.meter in own:
            amounts[row.meter, row.project_id, row.region_id, row.day] += row.amount
            reader = (row.meter, row.project_id)
            first[reader] = min(first.get(reader, row.day), row.day)
    # Reading began at some time within the first day, but its bill is for the whole day.
    return {key: amount for key, amount in amounts.items() if key[3] > first[key[0], key[1]]}


def _add(
    sums: dict[tuple[str, str, str, str], list[float]],
    key: tuple[str, str, str, str],
    weight: float,
    *values: float,
) -> None:
    cell = sums.setdefault(key, [0.0] * len(values))
    for index, value in enumerate(values):
        cell[index] += weight * value


def _weight(day: date, newest: date, half_life_days: float) -> float:
    return float(0.5 ** ((newest - day).days / half_life_days))
