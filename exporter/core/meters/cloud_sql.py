"""Cloud SQL: what is reserved is what is billed."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import GIBIBYTE, ShownUnit, Skus, UsageMeter

SQL: Final = "9662-B51E-5089"

CLOUD_SQL: Final[tuple[UsageMeter, ...]] = (
    UsageMeter(
        "cloud_sql_cpu_seconds",
        SQL,
        "cloudsql.googleapis.com/database/cpu/reserved_cores",
        "cloudsql_database",
        "level",
        "seconds",
        steady=True,
        region="resource.label.region",
        resource="resource.label.database_id",
        period_seconds=300,
        skus=Skus("cpu", pattern=r" - vCPU "),
        people_unit=ShownUnit("database vCPU hour", 3600.0),
    ),
    UsageMeter(
        "cloud_sql_memory_byte_seconds",
        SQL,
        "cloudsql.googleapis.com/database/memory/quota",
        "cloudsql_database",
        "level",
        "byte-seconds",
        steady=True,
        region="resource.label.region",
        resource="resource.label.database_id",
        period_seconds=300,
        skus=Skus("memory", pattern=r" - RAM "),
        people_unit=ShownUnit("database GiB hour", GIBIBYTE * 3600.0),
    ),
    UsageMeter(
        "cloud_sql_storage_byte_seconds",
        SQL,
        "cloudsql.googleapis.com/database/disk/quota",
        "cloudsql_database",
        "level",
        "byte-seconds",
        steady=True,
        region="resource.label.region",
        resource="resource.label.database_id",
        period_seconds=300,
        skus=Skus("storage", pattern=r" - (Standard|Low cost) storage "),
        people_unit=ShownUnit("stored GiB month", GIBIBYTE * 2_629_800.0),
    ),
)
