"""How live usage from Cloud Monitoring is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.config.gcp import Gcp
from exporter.core.source_names import source_name
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.google.organizations import Organization, organizations
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> list[CloudMonitoringSource]:
    gcp = wanted.config.google
    if gcp is None or not gcp.live_usage.enabled:
        return []
    return [_source(wanted, gcp, each) for each in organizations(gcp) if each.project_ids]


def _source(wanted: Wanted, gcp: Gcp, each: Organization) -> CloudMonitoringSource:
    source = CloudMonitoringSource(
        each.project_ids,
        credentials_path=each.credentials_path,
        impersonate_service_account=each.impersonate_service_account,
        by_revision=gcp.live_usage.by_revision,
        update_interval=timedelta(minutes=gcp.live_usage.update_interval_minutes),
        attempt_seconds=wanted.config.timeouts.request_seconds,
    )
    source.name = source_name("cloud_monitoring", each.entry)
    source.own_keys = each.own_keys
    return source


REGISTRATION = Registration(
    name="cloud_monitoring",
    section="gcp.live_usage",
    page="google-cloud.md",
    make=_make,
    estimates=("gcp",),
)
