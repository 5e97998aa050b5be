"""How the billing export in BigQuery is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.config.gcp import BigQueryExport, Gcp
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.bigquery.tables import BigQueryTables
from exporter.sources.google.billing import BILLS
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> BigQuerySource | BigQueryTables | None:
    gcp = wanted.config.google
    if gcp is None or (gcp.billing_export is not None and gcp.billing_export.bigquery is None):
        return None
    exports = gcp.billing_export.bigquery if gcp.billing_export else None
    readers = [_reader(gcp, export, wanted) for export in exports or [None]]
    if len(readers) == 1:
        return readers[0]
    for reader in readers:
        # Each table is of an account of its own.
        reader.billing_account_id = None
    return BigQueryTables(readers)


def _reader(gcp: Gcp, export: BigQueryExport | None, wanted: Wanted) -> BigQuerySource:
    source = BigQuerySource(
        billing_account_id=gcp.billing_account_id,
        project_ids=gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.update_interval_minutes),
        kept_tags=wanted.kept_tags,
        request_seconds=wanted.config.timeouts.request_seconds,
    )
    if export is not None:
        source.table = export.table
        source.max_bytes_billed = export.max_bytes_billed
        source.recent = timedelta(days=export.lookback_days)
        source.job_project = export.job_project
        source.replaces = export.replaces
    return source


REGISTRATION = Registration(
    name="bigquery",
    section="gcp.billing_export.bigquery",
    page="google-cloud.md",
    make=_make,
    bills=BILLS,
    bills_by_hour=True,
)
