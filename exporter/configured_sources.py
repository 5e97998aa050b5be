"""From the configuration to the sources it asks for: one line of registration each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from exporter.analysis.rates import RateCard
from exporter.config import Config
from exporter.config_gcp import Gcp
from exporter.config_llm import GCP_LLM_SERVICE_IDS
from exporter.configured_budgets import alert_thresholds, budget_rules, kept_tags
from exporter.figures import FigureSettings
from exporter.intake import AnySource
from exporter.sources.base import Source, UsageSource
from exporter.sources.bigquery import BigQuerySource
from exporter.sources.billing_budgets import BillingBudgetsSource
from exporter.sources.cloud_monitoring import CloudMonitoringSource
from exporter.sources.files import FilesSource


def configured_sources(config: Config) -> list[AnySource]:
    """Return the sources that the configuration enables. Nothing is read or connected yet."""
    made = (make(config) for make in _REGISTERED)
    return [source for source in made if source is not None]


def figure_settings(config: Config) -> FigureSettings:
    """Return what the configuration says of the figures beside the bill."""
    gcp = _gcp(config)
    card = gcp.cloud_run.rate_card if gcp else None
    return FigureSettings(
        llm_service_ids=config.llm.gcp_service_ids if config.llm else GCP_LLM_SERVICE_IDS,
        rate_card=RateCard(**card.model_dump()) if card else None,
        budgets=budget_rules(config),
        alert_thresholds=alert_thresholds(config),
    )


def _files(config: Config) -> Source | None:
    gcp = _gcp(config)
    if gcp is None or gcp.billing_export is None or gcp.billing_export.files is None:
        return None
    return FilesSource(gcp.billing_export.files, kept_tags=kept_tags(config))


def _bigquery(config: Config) -> Source | None:
    gcp = _gcp(config)
    if gcp is None or (gcp.billing_export is not None and gcp.billing_export.bigquery is None):
        return None
    source = BigQuerySource(
        billing_account_id=gcp.billing_account_id,
        project_ids=gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.update_interval_minutes),
        kept_tags=kept_tags(config),
    )
    export = gcp.billing_export.bigquery if gcp.billing_export else None
    if export is not None:
        source.table = export.table
        source.max_bytes_billed = export.max_bytes_billed
        source.recent = timedelta(days=export.lookback_days)
    return source


def _cloud_monitoring(config: Config) -> UsageSource | None:
    gcp = _gcp(config)
    if gcp is None or not gcp.cloud_run.enabled or not gcp.project_ids:
        return None
    return CloudMonitoringSource(
        gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        by_revision=gcp.cloud_run.by_revision,
        update_interval=timedelta(minutes=gcp.cloud_run.update_interval_minutes),
    )


def _billing_budgets(config: Config) -> UsageSource | None:
    gcp = _gcp(config)
    if gcp is None or not gcp.budgets.enabled or gcp.billing_account_id is None:
        return None
    return BillingBudgetsSource(
        gcp.billing_account_id,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        kept_tags=kept_tags(config),
    )


def _gcp(config: Config) -> Gcp | None:
    return config.gcp if config.gcp is not None and config.gcp.enabled else None


_REGISTERED: tuple[Callable[[Config], AnySource | None], ...] = (
    _files,
    _bigquery,
    _cloud_monitoring,
    _billing_budgets,
)
"""Every source of the product: a function that makes it, or returns None where it is not asked for."""
