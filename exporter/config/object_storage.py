"""The section `object_storage` of the configuration: how buckets are reached, and what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictStr

from exporter.config.problems import Section
from exporter.config.types import Bytes, ReadPath, WebAddress, WrittenPath

_Endpoint = Annotated[
    WebAddress | None,
    Field(description="a web address, http or https", examples=["https://minio.internal:9000"]),
]
_Anonymous = Annotated[bool, Field(strict=True, description="true or false", examples=[True])]


class S3Storage(Section):
    """Amazon S3, and stores that answer like it."""

    endpoint_url: _Endpoint = None
    region: Annotated[
        StrictStr | None,
        Field(pattern=r"^[a-z0-9-]{1,40}$", description="the name of a region", examples=["eu-central-1"]),
    ] = None
    profile: Annotated[
        StrictStr | None,
        Field(
            min_length=1, description="the name of a profile in AWS' own files", examples=["billing-reader"]
        ),
    ] = None
    anonymous: _Anonymous = False
    requester_pays: Annotated[bool, Field(strict=True, description="true or false", examples=[True])] = False


class GoogleStorage(Section):
    """Google Cloud Storage."""

    endpoint_url: _Endpoint = None
    credentials_path: Annotated[
        ReadPath | None,
        Field(description="the path of a credentials file", examples=["secrets/reader.json"]),
    ] = None
    anonymous: _Anonymous = False


class AzureStorage(Section):
    """Azure Blob Storage and Data Lake Storage."""

    account: Annotated[
        StrictStr | None,
        Field(pattern=r"^[a-z0-9]{3,24}$", description="a storage account", examples=["billingexports"]),
    ] = None
    anonymous: _Anonymous = False


class ObjectCache(Section):
    """Copies of objects on this machine's disk."""

    directory: Annotated[
        WrittenPath | None, Field(description="the path of a folder", examples=["/var/cache/spend-exporter"])
    ] = None
    max_size: Annotated[
        Bytes,
        Field(strict=True, ge=0, description="a size in bytes, or with a unit", examples=["1GiB"]),
    ] = 2**30
    keep_days: Annotated[
        int, Field(strict=True, ge=1, le=3660, description="a whole number of days, 1 to 3660", examples=[35])
    ] = 35


class ObjectStorage(Section):
    """How buckets are reached. Credentials come from each cloud's own files, roles and variables."""

    s3: Annotated[
        S3Storage, Field(description="a section", examples=[{"endpoint_url": "https://minio.internal:9000"}])
    ] = S3Storage()
    gcs: Annotated[
        GoogleStorage, Field(description="a section", examples=[{"credentials_path": "secrets/reader.json"}])
    ] = GoogleStorage()
    azure: Annotated[
        AzureStorage, Field(description="a section", examples=[{"account": "billingexports"}])
    ] = AzureStorage()
    cache: Annotated[ObjectCache, Field(description="a section", examples=[{"max_size": "1GiB"}])] = (
        ObjectCache()
    )

    def cache_directory(self, ledger: Path) -> Path:
        """Return where copies are kept: next to the ledger, where there is space, unless it is set."""
        return self.cache.directory or ledger.with_name(f"{ledger.name}.objects")
