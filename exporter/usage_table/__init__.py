"""Which Cloud Monitoring metric explains which SKUs: one row for each thing that can be metered live.

Another service is another file of rows. Sources read the left half of a row, analysis the right half.
"""

from __future__ import annotations

from typing import Final

from exporter.usage_table.cloud_build import BUILD, CLOUD_BUILD
from exporter.usage_table.cloud_run import CLOUD_RUN, RUN
from exporter.usage_table.cloud_sql import CLOUD_SQL
from exporter.usage_table.cloud_storage import CLOUD_STORAGE
from exporter.usage_table.compute_engine import COMPUTE_ENGINE
from exporter.usage_table.metering import GIBIBYTE, UsageMeter, describes
from exporter.usage_table.vertex_ai import VERTEX_AI

__all__ = ["GIBIBYTE", "RUN", "SERVICE_NAMES", "USAGE_TABLE", "UsageMeter", "describes", "meters_by_name"]

SERVICE_NAMES: Final = {BUILD: "Cloud Build"}
"""Service names of the bill, for rows whose service_id is no id of the bill."""

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
