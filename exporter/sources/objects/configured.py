"""From the configuration to what reads the buckets of one source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from exporter.config.model import Config
from exporter.core.object_addresses import is_address
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.objects.copies import Copies
from exporter.sources.objects.mirror import ObjectMirror
from exporter.sources.objects.stores import store_of


def mirror_for(
    config: Config, source: str, patterns: Sequence[str], is_index: Callable[[Path], bool]
) -> ObjectMirror | None:
    """Return what reads the buckets among the patterns of a source; None where there are none.

    `is_index` is that of ObjectMirror.
    """
    if not any(map(is_address, patterns)):
        return None
    settings = config.object_storage
    folder = settings.cache_directory(config.ledger).absolute().resolve() / source
    copies = Copies(folder, settings.cache.max_size, timedelta(days=settings.cache.keep_days))
    # Google's buckets are read as the account that reads Google's bill, unless they have one of their own.
    gcp = config.gcp
    google = CredentialsSettings(
        settings.gcs.credentials_path or (gcp.credentials_path if gcp else None),
        gcp.impersonate_service_account if gcp else None,
    )
    return ObjectMirror(copies, lambda bucket: store_of(bucket, settings, google), is_index)
