"""Which Cloud Monitoring metric explains which SKUs: one row for each thing that can be metered live.

Another service is another row; sources read the left half of a row, analysis the right half.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

GIBIBYTE: Final = float(2**30)

Kind = Literal["delta", "distribution_count", "level"]
"""How points become amounts: as they are; the number of values in a distribution; level times seconds."""


@dataclass(frozen=True, slots=True)
class PeopleUnit:
    """The unit that people count in: `size` units of the bill make one."""

    name: str
    size: float


@dataclass(frozen=True, slots=True)
class Skus:
    """The SKUs of a service that a meter explains: by id, or by description where ids differ by region."""

    component: str
    """What part of the cost it is: `requests`, `cpu`, `memory`, `storage`, …"""
    ids: frozenset[str] = frozenset()
    pattern: str = ""
    """A regular expression that the description must contain, blanks made single and case ignored."""
    by_resource: bool = False
    """The description must also hold every word of the usage's resource and dimension: one SKU per model."""
    by_dimension: tuple[tuple[str, str], ...] = ()
    """Pattern of the description for each value of the usage's dimension; "" is for all other values."""
    rate_per: Literal["billed_unit", "live_unit"] = "billed_unit"
    """`billed_unit`: meter and bill count the same, so cost / billed quantity is the rate.
    `live_unit`: they count differently, so the rate is cost / usage seen live in the same hours."""

    may_be_free: bool = False
    """Whether usage without a SKU on the bill is free, rather than of unknown price."""

    def matches(self, sku_id: str, description: str) -> bool:
        """Whether a SKU of the meter's service is one of them, models aside."""
        if sku_id in self.ids:
            return True
        return bool(self.pattern) and _holds(self.pattern, description)

    def prices(self, description: str, resource: str, dimension: str) -> bool:
        """Whether one of the matching SKUs is the one for a resource and dimension."""
        if self.by_resource:
            return describes(description, resource, dimension)
        patterns = dict(self.by_dimension)
        return not patterns or _holds(patterns.get(dimension, patterns.get("", "")), description)


@dataclass(frozen=True, slots=True)
class UsageMeter:
    """One metric as it is read, and what of the bill it stands for."""

    name: str
    service_id: str
    """As in the bill."""
    metric_type: str
    resource_type: str
    kind: Kind
    unit: str
    """Of the amounts, as the bill counts usage."""
    factor: float = 1.0
    """Units of the bill in one unit of the metric (times one second, for a level)."""
    region: str = "resource.label.location"
    """Group-by field that names region or zone."""
    resource: str = ""
    """Group-by field that names the resource; empty: the project's resources are summed by region."""
    revision: str = ""
    """Group-by field that is left out where usage is not wanted by revision."""
    dimension: str = ""
    where: str = ""
    """Further condition of the filter."""
    project_label: str = "resource.label.project_id"
    """Label that names the project, to leave out projects that it watches. Empty where there is none."""
    steady: bool = False
    """Sampled as long as the resource exists, so that a hole in it is a loss and no quiet time."""
    reducer: Literal["REDUCE_SUM", "REDUCE_MEAN"] = "REDUCE_SUM"
    period_seconds: int = 60
    """Shortest interval worth reading; a metric that is sampled less often is read less often."""
    skus: Skus | None = None
    """None: it costs nothing by itself."""
    people_unit: PeopleUnit | None = None


RUN: Final = "152E-C115-5142"
SQL: Final = "9662-B51E-5089"
STORAGE: Final = "95FF-2EF5-5EA1"
COMPUTE: Final = "6F81-5844-456A"
VERTEX: Final = "C7E2-9256-1C43"
BUILD: Final = "cloud-build"
"""Cloud Build's public service id is not known here: it is matched by the bill's service name instead."""

SERVICE_NAMES: Final = {BUILD: "Cloud Build"}
"""Service names of the bill, for rows whose service_id is no id of the bill."""

_RUN: Final = "run.googleapis.com/"
_SERVICE: Final = "resource.label.service_name"
_REVISION: Final = "resource.label.revision_name"
_JOB: Final = "resource.label.job_name"
_CPU: Final = Skus(
    "cpu",
    frozenset({"4856-B847-F1EB", "085C-A237-027A", "3DFE-FD5E-A6D0"}),
    r"^Services CPU( Tier \d)? \((Request|Instance)-based billing\)",
)
_MEMORY: Final = Skus(
    "memory",
    frozenset({"02A2-9231-36A6", "600C-3782-6708"}),
    r"^Services Memory( Tier \d)? \((Request|Instance)-based billing\)",
)
_MIN_INSTANCE: Final = Skus(
    "min_instance",
    frozenset({"7EBB-8579-2C98", "4350-71E4-3051"}),
    r"^Services Min Instance ",
    rate_per="live_unit",
    may_be_free=True,
)
_EGRESS: Final = r"(Data Transfer Out|Egress|Download)"
_CLASS_A: Final = (
    "WriteObject",
    "ListObjects",
    "ListBuckets",
    "ComposeObject",
    "CopyObject",
    "RewriteObject",
)
_CLASS_B: Final = ("ReadObject", "GetObjectMetadata", "GetBucketMetadata", "ListObjectAccessControls")


def _one_of(field: str, values: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{value}"' for value in values)
    return f"{field} = one_of({quoted})"


USAGE_TABLE: Final[tuple[UsageMeter, ...]] = (
    # Cloud Run services
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
        skus=Skus("requests", frozenset({"2DA5-55D3-E679"})),
        people_unit=PeopleUnit("request", 1.0),
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
        people_unit=PeopleUnit("vCPU hour", 3600.0),
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
        people_unit=PeopleUnit("GiB hour", GIBIBYTE * 3600.0),
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
        skus=Skus("egress", pattern=_EGRESS),
        people_unit=PeopleUnit("GiB sent", GIBIBYTE),
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
        people_unit=PeopleUnit("idle instance hour", 3600.0),
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
    # Cloud Run jobs
    UsageMeter(
        "cloud_run_job_cpu_seconds",
        RUN,
        _RUN + "container/cpu/allocation_time",
        "cloud_run_job",
        "delta",
        "seconds",
        resource=_JOB,
        skus=Skus("cpu", frozenset({"900B-EA7D-0386"}), r"^Jobs CPU"),
        people_unit=PeopleUnit("vCPU hour", 3600.0),
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
        people_unit=PeopleUnit("GiB hour", GIBIBYTE * 3600.0),
    ),
    UsageMeter(
        "cloud_run_job_executions",
        RUN,
        _RUN + "job/completed_execution_count",
        "cloud_run_job",
        "delta",
        "executions",
        resource=_JOB,
        people_unit=PeopleUnit("execution", 1.0),
    ),
    # Cloud SQL: what is reserved is what is billed
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
        people_unit=PeopleUnit("database vCPU hour", 3600.0),
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
        people_unit=PeopleUnit("database GiB hour", GIBIBYTE * 3600.0),
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
        people_unit=PeopleUnit("stored GiB month", GIBIBYTE * 2_629_800.0),
    ),
    # Cloud Storage
    UsageMeter(
        "cloud_storage_byte_seconds",
        STORAGE,
        "storage.googleapis.com/storage/v2/total_bytes",
        "gcs_bucket",
        "level",
        "byte-seconds",
        steady=True,
        resource="resource.label.bucket_name",
        dimension="metric.label.storage_class",
        period_seconds=300,
        skus=Skus(
            "storage",
            pattern=r"^(Standard|Nearline|Coldline|Archive) Storage",
            by_dimension=(
                ("NEARLINE", "^Nearline"),
                ("COLDLINE", "^Coldline"),
                ("ARCHIVE", "^Archive"),
                ("", "^Standard"),
            ),
        ),
        people_unit=PeopleUnit("stored GiB month", GIBIBYTE * 2_629_800.0),
    ),
    UsageMeter(
        "cloud_storage_class_a_operations",
        STORAGE,
        "storage.googleapis.com/api/request_count",
        "gcs_bucket",
        "delta",
        "requests",
        resource="resource.label.bucket_name",
        where=_one_of("metric.label.method", _CLASS_A),
        period_seconds=300,
        skus=Skus("class_a", pattern=r"Class A "),
        people_unit=PeopleUnit("1,000 operations", 1000.0),
    ),
    UsageMeter(
        "cloud_storage_class_b_operations",
        STORAGE,
        "storage.googleapis.com/api/request_count",
        "gcs_bucket",
        "delta",
        "requests",
        resource="resource.label.bucket_name",
        where=_one_of("metric.label.method", _CLASS_B),
        period_seconds=300,
        skus=Skus("class_b", pattern=r"Class B "),
        people_unit=PeopleUnit("1,000 operations", 1000.0),
    ),
    UsageMeter(
        "cloud_storage_egress_bytes",
        STORAGE,
        "storage.googleapis.com/network/sent_bytes_count",
        "gcs_bucket",
        "delta",
        "bytes",
        resource="resource.label.bucket_name",
        period_seconds=300,
        skus=Skus("egress", pattern=_EGRESS),
        people_unit=PeopleUnit("GiB sent", GIBIBYTE),
    ),
    # Cloud Build tells its busy CPUs, and bills build time by machine: the rate is learnt per busy CPU
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
        people_unit=PeopleUnit("build minute", 60.0),
    ),
    # Compute Engine: shapes are not told, so cores and memory are priced as the project's mix in the region
    UsageMeter(
        "compute_core_seconds",
        COMPUTE,
        "compute.googleapis.com/instance/cpu/reserved_cores",
        "gce_instance",
        "level",
        "seconds",
        region="resource.label.zone",
        period_seconds=300,
        skus=Skus("cpu", pattern=r"^(?!Commitment).*Instance Core "),
        people_unit=PeopleUnit("core hour", 3600.0),
    ),
    UsageMeter(
        "compute_memory_byte_seconds",
        COMPUTE,
        # Told for E2 machines only.
        "compute.googleapis.com/instance/memory/balloon/ram_size",
        "gce_instance",
        "level",
        "byte-seconds",
        region="resource.label.zone",
        period_seconds=300,
        skus=Skus("memory", pattern=r"^(?!Commitment).*E2 Instance Ram "),
        people_unit=PeopleUnit("GiB hour", GIBIBYTE * 3600.0),
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
        reducer="REDUCE_MEAN",
        # Idleness is a matter of days, and this one grows with instances.
        period_seconds=3600,
    ),
    # Vertex AI; anything but `shared` is prepaid throughput
    UsageMeter(
        "vertex_tokens",
        VERTEX,
        "aiplatform.googleapis.com/publisher/online_serving/token_count",
        "aiplatform.googleapis.com/PublisherModel",
        "delta",
        "requests",
        project_label="",
        resource="resource.label.model_user_id",
        dimension="metric.label.type",
        where='metric.label.request_type = "shared"',
        skus=Skus("tokens", pattern=r"(Predictions|token)", by_resource=True),
        people_unit=PeopleUnit("1,000 tokens", 1000.0),
    ),
)


def meters_by_name(meters: tuple[UsageMeter, ...] = USAGE_TABLE) -> dict[str, UsageMeter]:
    """The rows by their names."""
    return {meter.name: meter for meter in meters}


def describes(description: str, resource: str, dimension: str) -> bool:
    """Whether a SKU's description names a resource and a dimension: `gemini-2.5-flash` and `input`, say.

    A description with a variant word that the resource has not (`lite`, `cach`) is another SKU's.
    """
    found = set(_words(description))
    wanted = set(_words(f"{resource} {dimension}")) - _VERSION_WORDS
    return bool(wanted) and wanted <= found and not (_VARIANTS & found) - wanted


_VARIANTS: Final = frozenset({"lite", "caching", "cached", "batch", "image", "audio", "video", "tuning"})
_VERSION_WORDS: Final = frozenset({"001", "002", "preview", "latest", "ga"})


def _words(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)*|[a-z]+", text.lower())


def _holds(pattern: str, description: str) -> bool:
    return re.search(pattern, " ".join(description.split()), re.IGNORECASE) is not None
