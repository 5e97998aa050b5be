"""Which Cloud Monitoring metric explains which SKUs: one row per meter.

Each service has a file of rows. Sources use the first half of a row, analysis the second half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exporter.core.meters.cloud_build import BUILD, CLOUD_BUILD
from exporter.core.meters.cloud_run import CLOUD_RUN, RUN
from exporter.core.meters.cloud_sql import CLOUD_SQL
from exporter.core.meters.cloud_storage import CLOUD_STORAGE
from exporter.core.meters.compute_engine import COMPUTE, COMPUTE_ENGINE
from exporter.core.meters.meter import (
    GIBIBYTE,
    BillingMode,
    UsageMeter,
    check_meters,
    claimants,
    describes,
)
from exporter.core.meters.vertex_ai import VERTEX_AI

__all__ = [
    "BILLED_ALONE",
    "COMPUTE",
    "GIBIBYTE",
    "RUN",
    "SERVICE_NAMES",
    "USAGE_TABLE",
    "BillingMode",
    "UsageMeter",
    "check_meters",
    "claimants",
    "describes",
    "explaining",
    "meters_by_name",
]

SERVICE_NAMES: Final = {BUILD: "Cloud Build"}
"""Service names of the bill, for rows whose service_id is not an id of the bill."""

BILLED_ALONE: Final = frozenset({"29E7-DA93-CA13"})
"""Services close to metered ones that have no meter: Cloud Functions (Cloud Run functions)."""

USAGE_TABLE: Final[tuple[UsageMeter, ...]] = (
    *CLOUD_RUN,
    *CLOUD_SQL,
    *CLOUD_STORAGE,
    *CLOUD_BUILD,
    *COMPUTE_ENGINE,
    *VERTEX_AI,
)


def explaining(
    service_id: str, service_name: str, sku_id: str, sku: str, meters: Sequence[UsageMeter] = USAGE_TABLE
) -> list[UsageMeter]:
    """The meters that explain a SKU of the bill. More than one is a fault of the table: then none counts."""
    named = [
        meter.service_id
        for meter in meters
        if SERVICE_NAMES.get(meter.service_id, meter.service_id) in (service_id, service_name)
    ]
    return claimants(meters, named, sku_id, sku)


def meters_by_name(meters: tuple[UsageMeter, ...] = USAGE_TABLE) -> dict[str, UsageMeter]:
    """The rows by their names."""
    return {meter.name: meter for meter in meters}
