"""Which metric reports which SKU in the demo world, and with which labels: the table behind its live usage.

Names, kinds and labels are Google's; one more row makes one more SKU visible live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ValueType = Literal["int", "double", "distribution"]
_GIB: Final = float(2**30)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's descriptor, as far as readers need it."""

    type: str
    kind: Literal["DELTA", "GAUGE"]
    value: ValueType
    unit: str
    sample_seconds: int = 60
    ingest_delay_seconds: int = 120


@dataclass(frozen=True, slots=True)
class Emission:
    """What of a line's use shows up in a metric."""

    skus: tuple[str, ...]
    """Keys of catalogue.SKUS."""
    metric: Metric
    resource_type: str
    labels: tuple[tuple[str, str], ...]
    """Resource labels, where {project}, {number}, {location} and {name} stand for the line's own."""
    factor: float = 1.0
    """Of a DELTA: metric units in one pricing unit. Of a GAUGE: level at one pricing unit an hour."""
    metric_labels: tuple[tuple[str, str], ...] = ()
    """With {name} in their values as in `labels`."""
    split: tuple[str, tuple[tuple[str, float], ...]] | None = None
    """A metric label and the share of each of its values."""
    by_revision: bool = False
    per_vcpu: bool = False
    """Instances rather than vCPUs: divided by the vCPUs of one instance of the service."""
    storms: bool = False
    """Starts of instances: a small share of requests, with bursts at deployments and in storms."""


_RUN: Final = "run.googleapis.com/"
_SERVICE: Final = (
    ("project_id", "{project}"),
    ("location", "{location}"),
    ("service_name", "{name}"),
    ("configuration_name", "{name}"),
)
_JOB: Final = (("project_id", "{project}"), ("location", "{location}"), ("job_name", "{name}"))
_DATABASE: Final = (
    ("project_id", "{project}"),
    ("region", "{location}"),
    ("database_id", "{project}:{name}"),
)
_BUCKET: Final = (("project_id", "{project}"), ("location", "{location}"), ("bucket_name", "{name}"))
_MACHINE: Final = (("project_id", "{project}"), ("zone", "{location}"), ("instance_id", "{name}"))
_MACHINE_NAME: Final = (("instance_name", "{name}"),)
_POOL: Final = (("resource_container", "{project}"), ("location", "{location}"))
_MODEL: Final = (
    ("resource_container", "{number}"),
    ("location", "{location}"),
    ("publisher", "google"),
    ("model_user_id", "{name}"),
    ("model_version_id", "default"),
)

_REQUESTS: Final = Metric(_RUN + "request_count", "DELTA", "int", "1", 60, 180)
_RUN_CPU: Final = Metric(_RUN + "container/cpu/allocation_time", "DELTA", "double", "s{CPU}")
_RUN_MEMORY: Final = Metric(_RUN + "container/memory/allocation_time", "DELTA", "double", "GiBy.s")
_BILLABLE: Final = Metric(_RUN + "container/billable_instance_time", "DELTA", "double", "s")
_INSTANCES: Final = Metric(_RUN + "container/instance_count", "GAUGE", "int", "1")
_STARTS: Final = Metric(_RUN + "container/startup_latencies", "DELTA", "distribution", "ms")
_SENT: Final = Metric(_RUN + "container/network/sent_bytes_count", "DELTA", "int", "By")
_EXECUTIONS: Final = Metric(_RUN + "job/completed_execution_count", "DELTA", "int", "1", 60, 180)
_SQL_CPU: Final = Metric(
    "cloudsql.googleapis.com/database/cpu/reserved_cores", "GAUGE", "double", "1", 60, 210
)
_SQL_MEMORY: Final = Metric("cloudsql.googleapis.com/database/memory/quota", "GAUGE", "int", "By", 60, 210)
_SQL_DISK: Final = Metric("cloudsql.googleapis.com/database/disk/quota", "GAUGE", "int", "By", 60, 210)
_STORED: Final = Metric("storage.googleapis.com/storage/v2/total_bytes", "GAUGE", "double", "By", 300, 600)
_OPERATIONS: Final = Metric("storage.googleapis.com/api/request_count", "DELTA", "int", "1", 60, 180)
_DOWNLOADED: Final = Metric("storage.googleapis.com/network/sent_bytes_count", "DELTA", "int", "By", 60, 180)
_BUILD_CPUS: Final = Metric(
    "cloudbuild.googleapis.com/quota/concurrent_public_pool_build_cpus/usage",
    "GAUGE",
    "int",
    "1{CPU}",
    60,
    150,
)
_CORES: Final = Metric("compute.googleapis.com/instance/cpu/reserved_cores", "GAUGE", "double", "1", 60, 240)
_RAM: Final = Metric("compute.googleapis.com/instance/memory/balloon/ram_size", "GAUGE", "int", "By", 60, 240)
UTILIZATION: Final = Metric(
    "compute.googleapis.com/instance/cpu/utilization", "GAUGE", "double", "10^2.%", 60, 240
)
_TOKENS: Final = Metric(
    "aiplatform.googleapis.com/publisher/online_serving/token_count", "DELTA", "int", "1", 60, 180
)

_CPU_SKUS: Final = ("run-cpu", "run-cpu-2", "run-cpu-instance")
_RAM_SKUS: Final = ("run-ram", "run-ram-2", "run-ram-instance")
_CORE_SKUS: Final = ("n2-core", "e2-core", "n1-core", "e2-core-spot", "n2-core-be")
_CLASSES: Final = ("response_code_class", (("2xx", 0.972), ("4xx", 0.022), ("5xx", 0.006)))
_DATABASES: Final = "cloudsql_database"
_SHARED: Final = ("request_type", "shared")


def _instances(skus: tuple[str, ...], state: str, *, share: float = 1.0) -> Emission:
    """Instances of Cloud Run services; `share` of the SKUs' time is in that state."""
    return Emission(
        skus,
        _INSTANCES,
        "cloud_run_revision",
        _SERVICE,
        factor=share / 3600,
        metric_labels=(("state", state),),
        by_revision=True,
        per_vcpu=True,
    )


EMISSIONS: Final[tuple[Emission, ...]] = (
    Emission(
        ("run-requests",), _REQUESTS, "cloud_run_revision", _SERVICE, split=_CLASSES, by_revision=True
    ),
    Emission(_CPU_SKUS, _RUN_CPU, "cloud_run_revision", _SERVICE, by_revision=True),
    Emission(_RAM_SKUS, _RUN_MEMORY, "cloud_run_revision", _SERVICE, by_revision=True),
    Emission(_CPU_SKUS, _BILLABLE, "cloud_run_revision", _SERVICE, by_revision=True, per_vcpu=True),
    _instances(("run-cpu", "run-cpu-2"), "active"),
    # Billed by instance: for their whole life, of which they serve a part.
    _instances(("run-cpu-instance",), "active", share=0.6),
    _instances(("run-cpu-instance",), "idle", share=0.4),
    _instances(("run-min-cpu",), "idle"),
    Emission(("run-requests",), _STARTS, "cloud_run_revision", _SERVICE, by_revision=True, storms=True),
    Emission(
        ("run-egress",),
        _SENT,
        "cloud_run_revision",
        _SERVICE,
        factor=_GIB,
        metric_labels=(("kind", "internet"),),
        by_revision=True,
    ),
    Emission(("run-jobs-cpu",), _RUN_CPU, "cloud_run_job", _JOB),
    Emission(("run-jobs-cpu",), _EXECUTIONS, "cloud_run_job", _JOB, factor=1 / 900),
    Emission(("pg-ha-cpu", "pg-cpu", "pg-cpu-uk"), _SQL_CPU, _DATABASES, _DATABASE),
    Emission(("pg-ha-ram", "pg-ram", "pg-ram-uk"), _SQL_MEMORY, _DATABASES, _DATABASE, factor=_GIB),
    Emission(("pg-ha-ssd", "pg-ssd-uk"), _SQL_DISK, _DATABASES, _DATABASE, factor=_GIB),
    Emission(
        ("gcs-us", "gcs-us-multi", "gcs-uk"),
        _STORED,
        "gcs_bucket",
        _BUCKET,
        factor=_GIB,
        metric_labels=(("storage_class", "REGIONAL"), ("type", "live-object")),
    ),
    Emission(
        ("gcs-nearline",),
        _STORED,
        "gcs_bucket",
        _BUCKET,
        factor=_GIB,
        metric_labels=(("storage_class", "NEARLINE"), ("type", "live-object")),
    ),
    Emission(
        ("gcs-class-a",),
        _OPERATIONS,
        "gcs_bucket",
        _BUCKET,
        split=("method", (("WriteObject", 0.7), ("ListObjects", 0.3))),
    ),
    Emission(
        ("gcs-class-b",),
        _OPERATIONS,
        "gcs_bucket",
        _BUCKET,
        split=("method", (("ReadObject", 0.9), ("GetObjectMetadata", 0.1))),
    ),
    Emission(
        ("gcs-download",),
        _DOWNLOADED,
        "gcs_bucket",
        _BUCKET,
        factor=_GIB,
        metric_labels=(("method", "ReadObject"),),
    ),
    Emission(("build",), _BUILD_CPUS, "cloudbuild.googleapis.com/Location", _POOL, factor=2 / 3600),
    Emission(
        ("build-highcpu",), _BUILD_CPUS, "cloudbuild.googleapis.com/Location", _POOL, factor=32 / 3600
    ),
    Emission(_CORE_SKUS, _CORES, "gce_instance", _MACHINE, metric_labels=_MACHINE_NAME),
    Emission(("e2-ram", "e2-ram-spot"), _RAM, "gce_instance", _MACHINE, factor=_GIB),
    Emission(
        ("flash-in", "pro-in"), _TOKENS, "aiplatform.googleapis.com/PublisherModel", _MODEL,
        metric_labels=(("type", "input"), _SHARED),
    ),
    Emission(
        ("flash-out", "pro-out"), _TOKENS, "aiplatform.googleapis.com/PublisherModel", _MODEL,
        metric_labels=(("type", "output"), _SHARED),
    ),
    Emission(_CORE_SKUS, UTILIZATION, "gce_instance", _MACHINE, metric_labels=_MACHINE_NAME),
)  # fmt: skip

METRICS: Final[dict[str, Metric]] = {emission.metric.type: emission.metric for emission in EMISSIONS}

MODELS: Final = {"flash": "gemini-2.5-flash", "pro": "gemini-3.0-pro"}
"""Model names by the first word of the SKU's key."""

VCPUS: Final = {"storefront-api": 2.0, "checkout": 1.0, "image-resizer": 4.0, "support-agent": 2.0}
"""Of one instance of a service; 1 where it is not given."""

IDLE_MACHINES: Final = frozenset({"legacy-search-1"})
"""Machines that run and do next to nothing."""
