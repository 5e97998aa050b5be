"""A row of the usage table: how a Cloud Monitoring metric is read, and which SKUs of the bill it explains."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

GIBIBYTE: Final = float(2**30)

EGRESS: Final = r"(Data Transfer Out|Egress|Download)"
"""A pattern in the descriptions of all SKUs of outbound traffic."""

Kind = Literal["delta", "distribution_count", "level"]
"""How points become amounts: as they are; the number of values in a distribution; level times seconds."""

BillingMode = Literal["request", "instance"]
"""How Cloud Run bills a service: while it serves requests, or for the whole life of its instances."""


@dataclass(frozen=True, slots=True)
class ShownUnit:
    """The unit in which people count: `size` units of the bill make one."""

    name: str
    size: float


@dataclass(frozen=True, slots=True)
class Skus:
    """The SKUs of a service that a meter explains: by id, or by description where ids differ by region."""

    component: str
    """Which part of the cost it is: `requests`, `cpu`, `memory`, `storage`, …"""
    ids: frozenset[str] = frozenset()
    pattern: str = ""
    """A regular expression that the description must match; case and repeated blanks are ignored."""
    by_resource: bool = False
    """The description must also hold every word of the usage's resource and dimension: one SKU per model."""
    by_dimension: tuple[tuple[str, str], ...] = ()
    """Pattern of the description for each value of the usage's dimension; "" is for all other values."""
    rate_per: Literal["billed_unit", "live_unit"] = "billed_unit"
    """`billed_unit`: meter and bill count the same, so cost / billed quantity is the rate.
    `live_unit`: they count differently, so the rate is cost / usage seen live in the same hours."""

    may_be_free: bool = False
    """Whether usage without a SKU on the bill is free, rather than of unknown price."""

    instance_based: str = ""
    """A pattern of those descriptions that instance-based services are billed under; all others are of
    request-based services. Empty: the billing mode makes no difference, or see `request_based_only`."""
    request_based_only: bool = False
    """Whether only request-based services pay for this; it is free for the others."""
    sustained_use: bool = False
    """Whether Google takes more off the price the longer in a month something has run."""

    @property
    def by_mode(self) -> bool:
        """Whether the price depends on the billing mode of the service."""
        return bool(self.instance_based) or self.request_based_only

    def mode(self, description: str) -> BillingMode | None:
        """The billing mode of a matching SKU; None where the mode makes no difference."""
        if self.instance_based and _holds(self.instance_based, description):
            return "instance"
        return "request" if self.by_mode else None

    def matches(self, sku_id: str, description: str) -> bool:
        """Whether a SKU of the meter's service is one of them, models aside."""
        if sku_id in self.ids:
            return True
        return bool(self.pattern) and _holds(self.pattern, description)

    def prices(self, description: str, resource: str, dimension: str) -> bool:
        """Whether one of the matching SKUs is the one for a resource and dimension."""
        if self.by_resource:
            return describes(description, resource, dimension)
        patterns = dict(self.by_dimension)
        return not patterns or _holds(patterns.get(dimension, patterns.get("", "")), description)


@dataclass(frozen=True, slots=True)
class UsageMeter:
    """One metric as it is read, and what of the bill it stands for."""

    name: str
    service_id: str
    """As in the bill."""
    metric_type: str
    resource_type: str
    kind: Kind
    unit: str
    """Of the amounts, as the bill counts usage."""
    factor: float = 1.0
    """Units of the bill in one unit of the metric (times one second, for a level)."""
    region: str = "resource.label.location"
    """Group-by field that names region or zone; empty where the metric has none."""
    resource: str = ""
    """Group-by field that names the resource; empty: the project's resources are summed by region."""
    revision: str = ""
    """Group-by field that is left out where usage is not wanted by revision."""
    dimension: str = ""
    where: str = ""
    """Further condition of the filter."""
    project_label: str = "resource.label.project_id"
    """Label that names the project, to leave out projects that it monitors. Empty where there is none."""
    steady: bool = False
    """Sampled as long as the resource exists, so that a gap in it is a loss, not a quiet time."""
    reducer: Literal["REDUCE_SUM", "REDUCE_MEAN"] = "REDUCE_SUM"
    period_seconds: int = 60
    """Shortest interval worth reading; a metric that is sampled less often is read less often."""
    skus: Skus | None = None
    """None: it costs nothing by itself."""
    people_unit: ShownUnit | None = None


class MeterTableError(ValueError):
    """A usage table in which two meters claim the same name or the same SKU."""


def check_meters(meters: Iterable[UsageMeter]) -> None:
    """Raise MeterTableError where two meters have one name, or explain one SKU by its id or one pattern.

    Otherwise one of the two would win in silence, or the SKU's cost would be estimated twice.
    """
    owners: dict[tuple[str, ...], str] = {}
    for meter in meters:
        for claim, what in _claims(meter):
            if claim in owners:
                raise MeterTableError(
                    f"the usage meters {owners[claim]} and {meter.name} both claim {what}: "
                    "let only one of them have it; the tables are in exporter/core/meters"
                )
            owners[claim] = meter.name


def _claims(meter: UsageMeter) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("name", meter.name), f"the name {meter.name}"
    if meter.skus is None:
        return
    for sku_id in sorted(meter.skus.ids):
        yield ("id", sku_id), f"the SKU {sku_id}"
    if meter.skus.pattern:
        pattern = meter.skus.pattern
        yield ("pattern", meter.service_id, pattern.lower()), f"SKUs of {meter.service_id} like {pattern!r}"


def claimants(
    meters: Iterable[UsageMeter], service_ids: Collection[str], sku_id: str, description: str
) -> list[UsageMeter]:
    """The meters that explain a SKU of the bill: one at most, or the table is at fault.

    `service_ids` are the service's names on the bill, as UsageMeter.service_id has them. A meter that has the
    SKU by its id goes before one that has it by its description.
    """
    found = [
        meter
        for meter in meters
        if meter.skus and meter.service_id in service_ids and meter.skus.matches(sku_id, description)
    ]
    by_id = [meter for meter in found if meter.skus and sku_id in meter.skus.ids]
    return by_id or found


def describes(description: str, resource: str, dimension: str) -> bool:
    """Whether a SKU's description names a resource and a dimension: `gemini-2.5-flash` and `input`, say.

    A description with a variant word that the resource lacks (`lite`, `cach`) belongs to another SKU.
    """
    found = set(_words(description))
    wanted = set(_words(f"{resource} {dimension}")) - _VERSION_WORDS
    return bool(wanted) and wanted <= found and not (_VARIANTS & found) - wanted


_VARIANTS: Final = frozenset({"lite", "caching", "cached", "batch", "image", "audio", "video", "tuning"})
_VERSION_WORDS: Final = frozenset({"001", "002", "preview", "latest", "ga"})


def _words(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)*|[a-z]+", text.lower())


def _holds(pattern: str, description: str) -> bool:
    return re.search(pattern, " ".join(description.split()), re.IGNORECASE) is not None
