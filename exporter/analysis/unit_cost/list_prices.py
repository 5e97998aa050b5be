"""List prices of Cloud Run, for the time before a bill: by region and tier, with the monthly free allowance.

From Google's price catalogue, service 152E-C115-5142, effective 2026-08-01; regions by tier from Google's
pricing page of Cloud Run. The allowance is granted per billing account and month, for request-based billing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_GIBIBYTE: Final = float(2**30)

TIER_1_REGIONS: Final = frozenset(
    {
        "asia-east1", "asia-northeast1", "asia-northeast2", "asia-south1", "europe-north1",
        "europe-southwest1", "europe-west1", "europe-west4", "europe-west8", "europe-west9", "me-west1",
        "northamerica-south1", "us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1",
    }
)  # fmt: skip
"""All other regions are of tier 2."""


@dataclass(frozen=True, slots=True)
class ListPrice:
    """US dollars for one unit of a meter, and how many units are free each month."""

    tier_1_usd: float
    tier_2_usd: float
    free_per_month: float = 0.0

    def usd(self, region_id: str) -> float:
        """The price in a region after the free allowance."""
        return self.tier_1_usd if region_id in TIER_1_REGIONS else self.tier_2_usd

    def cost_usd(self, region_id: str, used_before: float, amount: float) -> float:
        """The cost of an amount, given the usage before it in the account's month."""
        free = min(amount, max(0.0, self.free_per_month - used_before))
        return (amount - free) * self.usd(region_id)


LIST_PRICES: Final[dict[str, ListPrice]] = {
    "cloud_run_requests": ListPrice(0.0000004, 0.0000004, 2_000_000.0),
    "cloud_run_cpu_seconds": ListPrice(0.000024, 0.0000336, 180_000.0),
    "cloud_run_memory_byte_seconds": ListPrice(
        0.0000025 / _GIBIBYTE, 0.0000035 / _GIBIBYTE, 360_000.0 * _GIBIBYTE
    ),
    "cloud_run_job_cpu_seconds": ListPrice(0.000018, 0.0000252),
    "cloud_run_job_memory_byte_seconds": ListPrice(0.000002 / _GIBIBYTE, 0.0000028 / _GIBIBYTE),
}
"""By name of the meter, in the meter's units; jobs, which have a price per region, by the nearer tier.
Minimum instances are left out: live usage does not distinguish them from instances that idle for free. The
network is left out too: its price depends on the destination."""

INSTANCE_LIST_PRICES: Final[dict[str, ListPrice]] = {
    "cloud_run_cpu_seconds": ListPrice(0.000018, 0.0000252),
    "cloud_run_memory_byte_seconds": ListPrice(0.000002 / _GIBIBYTE, 0.0000028 / _GIBIBYTE),
}
"""The same for instance-based billing of services, which costs what jobs cost."""
