"""Static addresses and disks that are unused according to the bill.

Pure. The bill does not name the single address or disk, so a finding is about all of them in one project and
region.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, Protocol

from exporter.analysis.savings.saving import LEAST_USD_PER_MONTH, MONTH_DAYS, OWN, Saving, dollars
from exporter.analysis.unit_cost.known_days import BilledDay
from exporter.core.meters import COMPUTE

UNUSED_ADDRESS: Final = OWN + "unused_address"
UNATTACHED_DISK: Final = OWN + "unattached_disk"

NETWORKING: Final = "E505-1604-58F8"
KUBERNETES: Final = "CCD8-9BF1-090E"
BILL_SERVICES: Final = (COMPUTE, NETWORKING, KUBERNETES)
"""Services of the bill that unused_resources needs, with all their days."""

MACHINES_GONE: Final = timedelta(days=14)
"""How long no machine may be billed: long enough for machines that run once a week or at a month's end."""

MEAN_OVER: Final = timedelta(days=7)
"""A month's cost is computed from this many days: recent, and not from a single unusual day."""

_ADDRESS: Final = re.compile(r"^Static Ip Charge(?! on )", re.IGNORECASE)
"""Google charges this SKU while a reserved address is not attached; addresses in use have SKUs with
`External IP Charge on a …`."""
_DISK: Final = re.compile(r"(\bPD Capacity|Hyperdisk \w+ Capacity)", re.IGNORECASE)
_MACHINE: Final = re.compile(r"(Instance|GPU|Sole Tenancy|\bCore\b|\bRam\b)", re.IGNORECASE)


class MeasuredDay(BilledDay, Protocol):
    """A day of the bill with the unit of its quantity."""

    @property
    def unit(self) -> str: ...  # noqa: D102


_Place = tuple[str, str]
"""Project and region."""


def unused_resources(billed: Sequence[MeasuredDay], settled_through: date) -> list[Saving]:
    """Return the findings in MACHINES_GONE of the bill of BILL_SERVICES, up to its last settled day."""
    days = [
        each
        for each in billed
        if settled_through - MACHINES_GONE < each.day <= settled_through and each.usd > 0
    ]
    return [*_addresses(days, settled_through), *_disks(days, settled_through)]


def _addresses(days: Iterable[MeasuredDay], settled_through: date) -> list[Saving]:
    by_place = _recent([each for each in days if _ADDRESS.match(each.sku)], settled_through)
    found = []
    for (project_id, region_id), rows in sorted(by_place.items()):
        usd = _a_month(rows)
        if usd < LEAST_USD_PER_MONTH:
            continue
        newest = max(row.day for row in rows)
        hours = [row.quantity / 3600 for row in rows if row.unit == "seconds" and row.day == newest]
        number = max(1, round(sum(hours) / 24))
        several = f"{number} static addresses" if hours and number > 1 else "a static address"
        advice = (
            f"{project_id} pays about {dollars(usd)} a month for {several} in {region_id or 'all regions'} "
            "that nothing uses: only unused ones have this SKU. Release those that are not needed; "
            "`gcloud compute addresses list --filter=status=RESERVED` lists them."
        )
        evidence = {"addresses": float(number)} if hours else {}
        found.append(
            Saving(
                project_id, region_id, "address", "", UNUSED_ADDRESS, advice, usd, "remove", evidence
            )
        )  # fmt: skip
    return found


def _disks(days: Sequence[MeasuredDay], settled_through: date) -> list[Saving]:
    with_machines = {
        (row.project_id, row.region_id)
        for row in days
        if row.service_id == COMPUTE and _MACHINE.search(row.sku) and not _DISK.search(row.sku)
    }
    # Nodes that Kubernetes Engine bills by the pod have disks without a machine on the bill.
    clusters = {row.project_id for row in days if row.service_id == KUBERNETES}
    by_place = _recent([row for row in days if _DISK.search(row.sku)], settled_through)
    found = []
    for place, rows in sorted(by_place.items()):
        project_id, region_id = place
        usd = _a_month(rows)
        oldest = min(row.day for row in days if row.project_id == project_id)
        long_known = settled_through - oldest >= MACHINES_GONE - timedelta(days=1)
        if place in with_machines or project_id in clusters or not long_known or usd < LEAST_USD_PER_MONTH:
            continue
        advice = (
            f"{project_id} pays about {dollars(usd)} a month for disks in {region_id or 'no region'}, where "
            f"the bill has no machine for {MACHINES_GONE.days} days: they are not attached, or attached to "
            "stopped machines. Take a snapshot, which costs less, and delete them."
        )
        found.append(
            Saving(project_id, region_id, "disk", "", UNATTACHED_DISK, advice, usd, "remove")
        )  # fmt: skip
    return found


def _recent(rows: Iterable[MeasuredDay], settled_through: date) -> dict[_Place, list[MeasuredDay]]:
    """Rows of the last days, of places that still have such cost: nothing can be saved where it has ended."""
    found: dict[_Place, list[MeasuredDay]] = defaultdict(list)
    for row in rows:
        if row.day > settled_through - MEAN_OVER:
            found[row.project_id, row.region_id].append(row)
    return {
        place: rows for place, rows in found.items() if max(row.day for row in rows) == settled_through
    }  # fmt: skip


def _a_month(rows: Sequence[MeasuredDay]) -> float:
    days = {row.day for row in rows}
    return sum(row.usd for row in rows) / len(days) * MONTH_DAYS
