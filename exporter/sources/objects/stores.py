"""Which extra opens which store, and what to install where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.config.object_storage import ObjectStorage
from exporter.core.errors import SourceError
from exporter.core.object_addresses import Bucket
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.objects import azure, gcs, s3
from exporter.sources.objects.store import Connection, Store

_EXTRAS: Final = {"s3": "s3", "gs": "gcs", "az": "azure"}
"""Store -> the extra of the package that has its client."""


def store_of(bucket: Bucket, settings: ObjectStorage, google: CredentialsSettings) -> Store:
    """Return how a bucket is read; `google` are the credentials for Google's. Nothing is connected yet."""
    return Store(bucket, lambda: _connected(bucket, settings, google))


def _connected(bucket: Bucket, settings: ObjectStorage, google: CredentialsSettings) -> Connection:
    openers: dict[str, Callable[[], Connection]] = {
        "s3": lambda: s3.connection(settings.s3),
        "gs": lambda: gcs.connection(settings.gcs, google),
        "az": lambda: azure.connection(bucket, settings.azure),
    }
    try:
        return openers[bucket.store]()
    except ImportError as error:
        extra = _EXTRAS[bucket.store]
        raise SourceError(
            "not_installed",
            f"{bucket}: the client of this store is not installed ({error.name} is missing); run "
            f"pip install 'spend-exporter[{extra}]' and start again",
        ) from None
