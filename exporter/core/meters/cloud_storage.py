"""Cloud Storage: bytes held, operations, and bytes sent."""

from __future__ import annotations

from typing import Final

from exporter.core.meters.meter import EGRESS, GIBIBYTE, ShownUnit, Skus, UsageMeter

STORAGE: Final = "95FF-2EF5-5EA1"

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


CLOUD_STORAGE: Final[tuple[UsageMeter, ...]] = (
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
        people_unit=ShownUnit("stored GiB month", GIBIBYTE * 2_629_800.0),
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
        people_unit=ShownUnit("1,000 operations", 1000.0),
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
        people_unit=ShownUnit("1,000 operations", 1000.0),
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
        skus=Skus("egress", pattern=EGRESS),
        people_unit=ShownUnit("GiB sent", GIBIBYTE),
    ),
)
