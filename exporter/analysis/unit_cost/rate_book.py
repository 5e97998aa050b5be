"""The cost of one unit of live usage: learnt from the settled bill, else the list price, or as configured.

Every rate has its basis. Where Cloud Run's billing mode matters, a service pays the rates of its own mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from exporter.analysis.unit_cost.billing_modes import NOTHING_KNOWN, BillingModes
from exporter.analysis.unit_cost.list_prices import INSTANCE_LIST_PRICES, LIST_PRICES, ListPrice
from exporter.analysis.unit_cost.sustained_use import Stepped
from exporter.core.meters import GIBIBYTE, RUN, BillingMode, UsageMeter

Basis = Literal["billed", "list", "rate_card"]


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
class Learnt:
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
    mode: BillingMode | None = None
    """Of Cloud Run services that are billed under it; None where that makes no difference."""
    stepped: Stepped | None = None
    """Where a unit's cost steps within the month."""

    def usd_on(self, day: date) -> float:
        """What its units would cost on a day."""
        return self.usd if self.stepped is None else self.units * self.stepped.usd_per_unit(day)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a rate depends on."""

    meter: str
    project_id: str
    region_id: str
    mode: BillingMode | None = None
    resource: str = ""
    dimension: str = ""
    day: date | None = None


@dataclass(slots=True)
class RateBook:
    """All rates, by meter, project and region."""

    _learnt: Mapping[str, Sequence[Learnt]]
    _meters: Mapping[str, UsageMeter]
    card: RateCard | None = None
    used_this_month: Callable[[str], float] = lambda _meter: 0.0
    """Units of a meter used in the account's month so far, for the free allowance of list prices."""
    list_prices: Mapping[str, ListPrice] = field(default_factory=lambda: LIST_PRICES)
    explained_skus: frozenset[str] = frozenset()
    """Ids of the SKUs on the bill that live usage covers: live estimates are only of their cost."""
    modes: BillingModes = NOTHING_KNOWN
    """How each Cloud Run service is billed."""
    today: date = date.min
    _found: dict[_Wanted, Rate | None] = field(default_factory=dict)

    def rate(
        self,
        meter: str,
        project_id: str,
        region_id: str,
        resource: str = "",
        dimension: str = "",
        *,
        day: date | None = None,
    ) -> Rate | None:
        """Return the rate, or None where it is unknown: then the usage must be counted as unpriced.

        The closest bill counts: the project's in the region, the project's without region, any project's.
        Without `day`, the rate of today.
        """
        row = self._meters.get(meter)
        if row is None or row.skus is None:
            return None
        if self.card is not None and row.service_id == RUN:
            return self.card.rate(row.name)
        if row.skus.by_mode:
            return self._of_both_modes(
                row, project_id, region_id, self.modes.instance_share(project_id, region_id, resource)
            )
        wanted = _Wanted(
            meter,
            project_id,
            region_id,
            resource=resource if row.skus.by_resource else "",
            dimension=dimension if row.skus.by_resource or row.skus.by_dimension else "",
            day=(day or self.today) if row.skus.sustained_use else None,
        )
        return self._known(row, wanted)

    def rates_by_mode(
        self, meter: str, project_id: str, region_id: str, modes: Iterable[BillingMode]
    ) -> dict[str, Rate]:
        """Return what services of some billing modes pay; under "" where the mode makes no difference."""
        row = self._meters.get(meter)
        if row is None or row.skus is None:
            return {}
        if self.card is not None or not row.skus.by_mode:
            only = self.rate(meter, project_id, region_id)
            return {} if only is None else {"": only}
        paying = [mode for mode in modes if mode == "request" or not row.skus.request_based_only]
        found = {mode: self._of_mode(row, project_id, region_id, mode) for mode in paying}
        return {mode: rate for mode, rate in found.items() if rate is not None}

    def _of_both_modes(
        self, row: UsageMeter, project_id: str, region_id: str, instance_share: float
    ) -> Rate | None:
        """The rate of a service of which a share is instance-based: 0 or 1 where its mode is known."""
        if instance_share in (0.0, 1.0):
            return self._of_mode(row, project_id, region_id, "instance" if instance_share else "request")
        request = self._of_mode(row, project_id, region_id, "request")
        instance = self._of_mode(row, project_id, region_id, "instance")
        if request is None or instance is None:
            return None
        parts = ((1.0 - instance_share, request), (instance_share, instance))
        days = [rate.newest_day for _, rate in parts if rate.newest_day is not None]
        return Rate(
            sum(share * rate.usd_per_unit for share, rate in parts),
            "list" if any(rate.basis == "list" for _, rate in parts) else "billed",
            sum(share * rate.billed_per_unit for share, rate in parts),
            max(days, default=None),
        )

    def _of_mode(self, row: UsageMeter, project_id: str, region_id: str, mode: BillingMode) -> Rate | None:
        if mode == "instance" and row.skus is not None and row.skus.request_based_only:
            return Rate(0.0, self.modes.basis)
        return self._known(row, _Wanted(row.name, project_id, region_id, mode))

    def _known(self, row: UsageMeter, wanted: _Wanted) -> Rate | None:
        if wanted not in self._found:
            self._found[wanted] = self._find(row, wanted)
        return self._found[wanted]

    def _find(self, row: UsageMeter, wanted: _Wanted) -> Rate | None:
        project_id, region_id, day = wanted.project_id, wanted.region_id, wanted.day or self.today
        known = [
            each
            for each in self._learnt.get(row.name, ())
            if each.mode in (wanted.mode, None)
            and row.skus is not None
            and row.skus.prices(each.sku, wanted.resource, wanted.dimension)
        ]
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
                    sum(each.usd_on(day) for each in near) / units,
                    "billed",
                    sum(each.quantity for each in near) / units,
                    max(each.newest_day for each in near),
                )
        listed = self.list_prices.get(row.name)
        if listed is None:
            return None
        if wanted.mode == "instance":
            return Rate(INSTANCE_LIST_PRICES[row.name].usd(region_id), "list")
        left = listed.free_per_month - self.used_this_month(row.name)
        return Rate(0.0 if left > 0 else listed.usd(region_id), "list")


_EVERYWHERE: Final = ("", "global")
