"""Compute Engine: machine types are not reported, so prices follow the project's mix in the region."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import GIBIBYTE, ShownUnit, Skus, UsageMeter

COMPUTE: Final = "6F81-5844-456A"

COMPUTE_ENGINE: Final[tuple[UsageMeter, ...]] = (
    UsageMeter(
        "compute_core_seconds",
        COMPUTE,
        "compute.googleapis.com/instance/cpu/reserved_cores",
        "gce_instance",
        "level",
        "seconds",
        region="resource.label.zone",
        period_seconds=300,
        skus=Skus("cpu", pattern=r"^(?!Commitment).*Instance Core ", sustained_use=True),
        people_unit=ShownUnit("core hour", 3600.0),
    ),
    UsageMeter(
        "compute_memory_byte_seconds",
        COMPUTE,
        # Reported for E2 machines only.
        "compute.googleapis.com/instance/memory/balloon/ram_size",
        "gce_instance",
        "level",
        "byte-seconds",
        region="resource.label.zone",
        period_seconds=300,
        skus=Skus("memory", pattern=r"^(?!Commitment).*E2 Instance Ram "),
        people_unit=ShownUnit("GiB hour", GIBIBYTE * 3600.0),
    ),
    UsageMeter(
        "compute_utilization_seconds",
        COMPUTE,
        "compute.googleapis.com/instance/cpu/utilization",
        "gce_instance",
        "level",
        "seconds",
        region="resource.label.zone",
        resource="resource.label.instance_id",
        dimension="metric.label.instance_name",
        # Idleness is a matter of days, and this one grows with instances.
        period_seconds=3600,
    ),
    UsageMeter(
        # Gives an idle instance its share of the cost, by its cores. It prices nothing itself: all
        # instances together do.
        "compute_instance_core_seconds",
        COMPUTE,
        "compute.googleapis.com/instance/cpu/reserved_cores",
        "gce_instance",
        "level",
        "seconds",
        region="resource.label.zone",
        resource="resource.label.instance_id",
        dimension="metric.label.instance_name",
        period_seconds=3600,
    ),
)
