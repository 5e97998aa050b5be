"""How the billing export in BigQuery is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.billing import BILLS
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> BigQuerySource | None:
    gcp = wanted.config.google
    if gcp is None or (gcp.billing_export is not None and gcp.billing_export.bigquery is None):
        return None
    source = BigQuerySource(
        billing_account_id=gcp.billing_account_id,
        project_ids=gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.update_interval_minutes),
        kept_tags=wanted.kept_tags,
    )
    export = gcp.billing_export.bigquery if gcp.billing_export else None
    if export is not None:
        source.table = export.table
        source.max_bytes_billed = export.max_bytes_billed
        source.recent = timedelta(days=export.lookback_days)
    return source


REGISTRATION = Registration(
    name="bigquery",
    section="gcp.billing_export.bigquery",
    page="google-cloud.md",
    make=_make,
    bills=BILLS,
    bills_by_hour=True,
)
