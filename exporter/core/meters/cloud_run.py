"""Cloud Run: services and jobs."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import EGRESS, GIBIBYTE, ShownUnit, Skus, UsageMeter

RUN: Final = "152E-C115-5142"

_RUN: Final = "run.googleapis.com/"
_SERVICE: Final = "resource.label.service_name"
_REVISION: Final = "resource.label.revision_name"
_JOB: Final = "resource.label.job_name"
_INSTANCE_BASED: Final = r"\(Instance-based billing\)"
_CPU: Final = Skus(
    "cpu",
    frozenset({"4856-B847-F1EB", "085C-A237-027A", "3DFE-FD5E-A6D0"}),
    r"^Services CPU( Tier \d)? \((Request|Instance)-based billing\)",
    instance_based=_INSTANCE_BASED,
)
_MEMORY: Final = Skus(
    "memory",
    frozenset({"02A2-9231-36A6", "600C-3782-6708"}),
    r"^Services Memory( Tier \d)? \((Request|Instance)-based billing\)",
    instance_based=_INSTANCE_BASED,
)
_MIN_INSTANCE: Final = Skus(
    "min_instance",
    frozenset({"7EBB-8579-2C98", "4350-71E4-3051"}),
    r"^Services Min Instance ",
    rate_per="live_unit",
    may_be_free=True,
    request_based_only=True,
)

CLOUD_RUN: Final[tuple[UsageMeter, ...]] = (
    # Services
    UsageMeter(
        "cloud_run_requests",
        RUN,
        _RUN + "request_count",
        "cloud_run_revision",
        "delta",
        "requests",
        resource=_SERVICE,
        revision=_REVISION,
        dimension="metric.label.response_code_class",
        skus=Skus("requests", frozenset({"2DA5-55D3-E679"}), request_based_only=True),
        people_unit=ShownUnit("request", 1.0),
    ),
    UsageMeter(
        "cloud_run_cpu_seconds",
        RUN,
        _RUN + "container/cpu/allocation_time",
        "cloud_run_revision",
        "delta",
        "seconds",
        resource=_SERVICE,
        revision=_REVISION,
        skus=_CPU,
        people_unit=ShownUnit("vCPU hour", 3600.0),
    ),
    UsageMeter(
        "cloud_run_memory_byte_seconds",
        RUN,
        _RUN + "container/memory/allocation_time",
        "cloud_run_revision",
        "delta",
        "byte-seconds",
        factor=GIBIBYTE,
        resource=_SERVICE,
        revision=_REVISION,
        skus=_MEMORY,
        people_unit=ShownUnit("GiB hour", GIBIBYTE * 3600.0),
    ),
    UsageMeter(
        "cloud_run_billable_instance_seconds",
        RUN,
        _RUN + "container/billable_instance_time",
        "cloud_run_revision",
        "delta",
        "seconds",
        resource=_SERVICE,
    ),
    UsageMeter(
        "cloud_run_egress_bytes",
        RUN,
        _RUN + "container/network/sent_bytes_count",
        "cloud_run_revision",
        "delta",
        "bytes",
        resource=_SERVICE,
        where='metric.label.kind = "internet"',
        skus=Skus("egress", pattern=EGRESS),
        people_unit=ShownUnit("GiB sent", GIBIBYTE),
    ),
    UsageMeter(
        "cloud_run_idle_instance_seconds",
        RUN,
        _RUN + "container/instance_count",
        "cloud_run_revision",
        "level",
        "instance-seconds",
        resource=_SERVICE,
        where='metric.label.state = "idle"',
        skus=_MIN_INSTANCE,
        people_unit=ShownUnit("idle instance hour", 3600.0),
    ),
    UsageMeter(
        "cloud_run_active_instance_seconds",
        RUN,
        _RUN + "container/instance_count",
        "cloud_run_revision",
        "level",
        "instance-seconds",
        resource=_SERVICE,
        where='metric.label.state = "active"',
    ),
    UsageMeter(
        "cloud_run_cold_starts",
        RUN,
        _RUN + "container/startup_latencies",
        "cloud_run_revision",
        "distribution_count",
        "starts",
        resource=_SERVICE,
    ),
    # Jobs
    UsageMeter(
        "cloud_run_job_cpu_seconds",
        RUN,
        _RUN + "container/cpu/allocation_time",
        "cloud_run_job",
        "delta",
        "seconds",
        resource=_JOB,
        skus=Skus("cpu", frozenset({"900B-EA7D-0386"}), r"^Jobs CPU"),
        people_unit=ShownUnit("vCPU hour", 3600.0),
    ),
    UsageMeter(
        "cloud_run_job_memory_byte_seconds",
        RUN,
        _RUN + "container/memory/allocation_time",
        "cloud_run_job",
        "delta",
        "byte-seconds",
        factor=GIBIBYTE,
        resource=_JOB,
        skus=Skus("memory", pattern=r"^Jobs Memory"),
        people_unit=ShownUnit("GiB hour", GIBIBYTE * 3600.0),
    ),
    UsageMeter(
        "cloud_run_job_executions",
        RUN,
        _RUN + "job/completed_execution_count",
        "cloud_run_job",
        "delta",
        "executions",
        resource=_JOB,
        people_unit=ShownUnit("execution", 1.0),
    ),
)
