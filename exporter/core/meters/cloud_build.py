"""Cloud Build reports busy CPUs but bills build time by machine: the rate is learnt per busy CPU."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import ShownUnit, Skus, UsageMeter

BUILD: Final = "cloud-build"
"""Cloud Build's public service id is not known here: the bill's service name is matched instead."""

CLOUD_BUILD: Final[tuple[UsageMeter, ...]] = (
    UsageMeter(
        "cloud_build_cpu_seconds",
        BUILD,
        "cloudbuild.googleapis.com/quota/concurrent_public_pool_build_cpus/usage",
        "cloudbuild.googleapis.com/Location",
        "level",
        "cpu-seconds",
        project_label="",
        period_seconds=300,
        skus=Skus("build", pattern=r"Build time", rate_per="live_unit"),
        people_unit=ShownUnit("build minute", 60.0),
    ),
)
