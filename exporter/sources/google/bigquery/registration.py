"""How the billing export in BigQuery is configured and made: a source for each table that is listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from exporter.config.gcp import BigQueryExport, Gcp, entry_of_table
from exporter.core.source_names import source_name
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.billing import BILLS
from exporter.sources.registration import Registration, Wanted

_SECTION: Final = "gcp.billing_export.bigquery"


def _make(wanted: Wanted) -> list[BigQuerySource]:
    gcp = wanted.config.google
    if gcp is None or (gcp.billing_export is not None and gcp.billing_export.bigquery is None):
        return []
    exports = gcp.billing_export.bigquery if gcp.billing_export else None
    if not exports:
        return [_reader(gcp, wanted)]
    several = len(exports) > 1
    return [
        _of_export(_reader(gcp, wanted), export, f"{_SECTION}[{number}]" if several else _SECTION, several)
        for number, export in enumerate(exports)
    ]


def _reader(gcp: Gcp, wanted: Wanted) -> BigQuerySource:
    return BigQuerySource(
        billing_account_id=gcp.billing_account_id,
        project_ids=gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.update_interval_minutes),
        kept_tags=wanted.kept_tags,
        request_seconds=wanted.config.timeouts.request_seconds,
    )


def _of_export(source: BigQuerySource, export: BigQueryExport, place: str, several: bool) -> BigQuerySource:
    """Set what an entry says; what it leaves out stays as `gcp` has it."""
    source.table = export.table
    source.max_bytes_billed = export.max_bytes_billed
    source.recent = timedelta(days=export.lookback_days)
    source.job_project = export.job_project
    source.replaces = export.replaces
    entry = export.name
    if several:
        entry = entry or entry_of_table(export.table)
        # Each table is of an account of its own.
        source.billing_account_id = None
    source.name = source_name(REGISTRATION.name, entry)
    own = {}
    if export.credentials_path is not None:
        source.credentials_path = export.credentials_path
        # An account that may act as another one belongs to the credentials beside it.
        source.impersonate_service_account = export.impersonate_service_account
        own["gcp.credentials_path"] = f"{place}.credentials_path"
    if export.impersonate_service_account is not None:
        source.impersonate_service_account = export.impersonate_service_account
    if export.credentials_path is not None or export.impersonate_service_account is not None:
        own["gcp.impersonate_service_account"] = f"{place}.impersonate_service_account"
    if place != _SECTION:
        own[f"{_SECTION}."] = f"{place}."
    source.own_keys = own
    return source


REGISTRATION = Registration(
    name="bigquery",
    section=_SECTION,
    page="google-cloud.md",
    make=_make,
    bills=BILLS,
    bills_by_hour=True,
)
