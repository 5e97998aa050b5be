"""How Google's Recommender is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.config.gcp import Gcp
from exporter.core.source_names import source_name
from exporter.sources.google.organizations import Organization, organizations
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> list[RecommenderSource]:
    gcp = wanted.config.google
    if gcp is None or not gcp.recommendations.enabled:
        return []
    return [_source(wanted, gcp, each) for each in organizations(gcp) if each.project_ids]


def _source(wanted: Wanted, gcp: Gcp, each: Organization) -> RecommenderSource:
    source = RecommenderSource(
        each.project_ids,
        credentials_path=each.credentials_path,
        impersonate_service_account=each.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.recommendations.update_interval_minutes),
        attempt_seconds=wanted.config.timeouts.request_seconds,
    )
    source.name = source_name("recommender", each.entry)
    source.own_keys = each.own_keys
    return source


REGISTRATION = Registration(
    name="recommender",
    section="gcp.recommendations",
    page="savings.md",
    make=_make,
    advises=("gcp",),
)
