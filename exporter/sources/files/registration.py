"""How the billing export in files is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.sources.files.layouts import is_manifest
from exporter.sources.files.source import FilesSource
from exporter.sources.google.billing import BILLS
from exporter.sources.objects.configured import mirror_for
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> FilesSource | None:
    gcp = wanted.config.google
    if gcp is None or gcp.billing_export is None or gcp.billing_export.files is None:
        return None
    patterns = gcp.billing_export.files
    objects = mirror_for(wanted.config, "files", patterns, is_manifest)
    every = timedelta(minutes=gcp.update_interval_minutes)
    return FilesSource(patterns, objects=objects, kept_tags=wanted.kept_tags, looks_every=every)


REGISTRATION = Registration(
    name="files",
    section="gcp.billing_export.files",
    page="google-cloud.md",
    make=_make,
    bills=BILLS,
    bills_by_hour=True,
)
