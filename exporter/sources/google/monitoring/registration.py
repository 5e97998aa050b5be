"""How live usage from Cloud Monitoring is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> CloudMonitoringSource | None:
    gcp = wanted.config.google
    if gcp is None or not gcp.live_usage.enabled or not gcp.project_ids:
        return None
    return CloudMonitoringSource(
        gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        by_revision=gcp.live_usage.by_revision,
        update_interval=timedelta(minutes=gcp.live_usage.update_interval_minutes),
        attempt_seconds=wanted.config.timeouts.request_seconds,
    )


REGISTRATION = Registration(
    name="cloud_monitoring",
    section="gcp.live_usage",
    page="google-cloud.md",
    make=_make,
    estimates=("gcp",),
)
