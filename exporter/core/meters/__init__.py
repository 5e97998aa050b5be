"""Which Cloud Monitoring metric explains which SKUs: one row per meter.

Each service has a file of rows. Sources use the first half of a row, analysis the second half.
"""

from __future__ import annotations

from typing import Final

from exporter.core.meters.cloud_build import BUILD, CLOUD_BUILD
from exporter.core.meters.cloud_run import CLOUD_RUN, RUN
from exporter.core.meters.cloud_sql import CLOUD_SQL
from exporter.core.meters.cloud_storage import CLOUD_STORAGE
from exporter.core.meters.compute_engine import COMPUTE, COMPUTE_ENGINE
from exporter.core.meters.meter import GIBIBYTE, UsageMeter, check_meters, describes
from exporter.core.meters.vertex_ai import VERTEX_AI

__all__ = [
    "COMPUTE",
    "GIBIBYTE",
    "RUN",
    "SERVICE_NAMES",
    "USAGE_TABLE",
    "UsageMeter",
    "check_meters",
    "describes",
    "meters_by_name",
]

SERVICE_NAMES: Final = {BUILD: "Cloud Build"}
"""Service names of the bill, for rows whose service_id is not an id of the bill."""

USAGE_TABLE: Final[tuple[UsageMeter, ...]] = (
    *CLOUD_RUN,
    *CLOUD_SQL,
    *CLOUD_STORAGE,
    *CLOUD_BUILD,
    *COMPUTE_ENGINE,
    *VERTEX_AI,
)


def meters_by_name(meters: tuple[UsageMeter, ...] = USAGE_TABLE) -> dict[str, UsageMeter]:
    """The rows by their names."""
    return {meter.name: meter for meter in meters}
