"""From the configuration to the sources it asks for: one line of registration each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from exporter.analysis.unit_cost.rates import RateCard
from exporter.config.gcp import Gcp
from exporter.config.llm import AdminApi
from exporter.config.model import Config
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.core.secrets import secret_reader
from exporter.metrics.collect import FigureSettings
from exporter.refresh.intake import AnySource
from exporter.sources.base import Source, UsageSource
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.google.recommender.source import RecommenderSource
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.prometheus_units import BusinessUnits
from exporter.sources.usage_logs.source import UsageLogsSource
from exporter.wiring.attribution import ConfiguredAttribution, configured_attribution
from exporter.wiring.budgets import alert_thresholds, budget_rules, kept_tags

GCP_TIMEZONE = "America/Los_Angeles"


def configured_sources(config: Config, environment: Mapping[str, str]) -> list[AnySource]:
    """Return the sources that the configuration enables. Nothing is read or connected yet.

    `environment` is where keys given by the name of a variable are.
    """
    wanted = _Wanted(config, environment, kept_tags(config))
    made = (make(wanted) for make in _REGISTERED)
    return [source for source in made if source is not None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    config: Config
    environment: Mapping[str, str] = field(repr=False)
    kept_tags: tuple[str, ...]
    """Labels and tags that sources of bills keep with charges."""


def attribution_of(config: Config) -> ConfiguredAttribution:
    """Return what the configuration says of who pays for what."""
    of_gcp = config.gcp.cost_attribution if config.gcp else None
    return configured_attribution(of_gcp, config.cost_attribution, config.label_costs, config.unit_costs)


def business_units(config: Config) -> BusinessUnits | None:
    """Return how the user's own units are counted; None without any.

    Days are those of Google's bill where there is one, as most of the cost is its.
    """
    queries = attribution_of(config).unit_queries
    zone = GCP_TIMEZONE if _gcp(config) else "UTC"
    return BusinessUnits(queries, zone) if queries else None


def figure_settings(config: Config) -> FigureSettings:
    """Return what the configuration says of the figures beside the bill."""
    gcp = _gcp(config)
    card = gcp.cloud_run.rate_card if gcp else None
    attribution = attribution_of(config)
    return FigureSettings(
        attribution=attribution.attribution if attribution.attribution.rules else None,
        label_costs=attribution.label_costs,
        units=attribution.units,
        llm_service_ids=config.llm.gcp_service_ids if config.llm else GCP_LLM_SERVICE_IDS,
        rate_card=RateCard(**card.model_dump()) if card else None,
        budgets=budget_rules(config),
        alert_thresholds=alert_thresholds(config),
    )


def _files(wanted: _Wanted) -> Source | None:
    gcp = _gcp(wanted.config)
    if gcp is None or gcp.billing_export is None or gcp.billing_export.files is None:
        return None
    return FilesSource(gcp.billing_export.files, kept_tags=wanted.kept_tags)


def _bigquery(wanted: _Wanted) -> Source | None:
    gcp = _gcp(wanted.config)
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


def _cloud_monitoring(wanted: _Wanted) -> UsageSource | None:
    gcp = _gcp(wanted.config)
    if gcp is None or not gcp.cloud_run.enabled or not gcp.project_ids:
        return None
    return CloudMonitoringSource(
        gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        by_revision=gcp.cloud_run.by_revision,
        update_interval=timedelta(minutes=gcp.cloud_run.update_interval_minutes),
    )


def _openai(wanted: _Wanted) -> Source | None:
    return _admin_api(wanted, OpenAISource, "openai")


def _anthropic(wanted: _Wanted) -> Source | None:
    return _admin_api(wanted, AnthropicSource, "anthropic")


def _admin_api(
    wanted: _Wanted, make: type[OpenAISource] | type[AnthropicSource], name: Literal["openai", "anthropic"]
) -> Source | None:
    section: AdminApi | None = getattr(wanted.config.llm, name, None)
    if section is None:
        return None
    place = f"llm.{name}.{'admin_key_env' if section.admin_key_env else 'admin_key_file'}"
    source = make(
        secret_reader(place, section.admin_key_file, section.admin_key_env, wanted.environment),
        update_interval=timedelta(minutes=section.update_interval_minutes),
        history_days=section.history_days,
        config_key=place,
    )
    if section.base_url:
        source.base_url = section.base_url
    return source


def _litellm(wanted: _Wanted) -> UsageSource | None:
    section = wanted.config.llm.litellm if wanted.config.llm else None
    if section is None:
        return None
    place = f"llm.litellm.{'key_env' if section.key_env else 'key_file'}"
    given = section.key_file or section.key_env
    key = secret_reader(place, section.key_file, section.key_env, wanted.environment) if given else None
    interval = timedelta(minutes=section.update_interval_minutes)
    return LiteLLMSource(section.url, key, update_interval=interval, config_key=place)


def _usage_logs(wanted: _Wanted) -> UsageSource | None:
    patterns = wanted.config.llm.usage_logs if wanted.config.llm else None
    return UsageLogsSource(patterns) if patterns else None


def _focus(wanted: _Wanted) -> Source | None:
    section = wanted.config.focus
    if section is None:
        return None
    others = (make(wanted) for make in (_files, _bigquery, _openai, _anthropic))
    return FocusSource(
        section.files,
        update_interval=timedelta(minutes=section.update_interval_minutes),
        cost=section.cost,
        usd_per={currency: Decimal(str(usd)) for currency, usd in section.usd_per.items()},
        owned_by_others=frozenset(source.provider for source in others if source is not None),
        kept_tags=wanted.kept_tags,
    )


def _recommender(wanted: _Wanted) -> UsageSource | None:
    gcp = _gcp(wanted.config)
    if gcp is None or not gcp.recommendations.enabled or not gcp.project_ids:
        return None
    return RecommenderSource(
        gcp.project_ids,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        update_interval=timedelta(minutes=gcp.recommendations.update_interval_minutes),
    )


def _billing_budgets(wanted: _Wanted) -> UsageSource | None:
    gcp = _gcp(wanted.config)
    if gcp is None or not gcp.budgets.enabled or gcp.billing_account_id is None:
        return None
    return BillingBudgetsSource(
        gcp.billing_account_id,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        kept_tags=wanted.kept_tags,
    )


def _gcp(config: Config) -> Gcp | None:
    return config.gcp if config.gcp is not None and config.gcp.enabled else None


_REGISTERED: tuple[Callable[[_Wanted], AnySource | None], ...] = (
    _files,
    _bigquery,
    _cloud_monitoring,
    _openai,
    _anthropic,
    _litellm,
    _usage_logs,
    _focus,
    _recommender,
    _billing_budgets,
)
"""Every source of the product: a function that makes it, or returns None where it is not asked for."""
