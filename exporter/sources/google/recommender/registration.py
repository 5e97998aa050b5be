"""How Google's Recommender is configured and made."""

from __future__ import annotations

from datetime import timedelta

from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> RecommenderSource | None:
    gcp = wanted.config.google
    if gcp is None or not gcp.recommendations.enabled or not gcp.project_ids:
        return None
    return RecommenderSource(
        gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.recommendations.update_interval_minutes),
        attempt_seconds=wanted.config.timeouts.request_seconds,
    )


REGISTRATION = Registration(
    name="recommender",
    section="gcp.recommendations",
    page="savings.md",
    make=_make,
    advises=("gcp",),
)
