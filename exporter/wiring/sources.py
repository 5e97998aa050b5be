"""From the configuration to its sources, and to the settings of the figures computed next to the bill."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.config.model import Config
from exporter.config.problems import ConfigError, Problem
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.core.meters import USAGE_TABLE, UsageMeter, check_meters
from exporter.ledger.charges.daily_parts import Division
from exporter.metrics.daily_parts import divisions
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.model_names import ModelNames
from exporter.sources.base import Source
from exporter.sources.google.billing import TIMEZONE
from exporter.sources.prometheus_units import UnitCounts
from exporter.sources.registration import Registration, make_sources
from exporter.sources.registry import REGISTRY
from exporter.wiring.attribution import ConfiguredAttribution, configured_attribution
from exporter.wiring.budgets import alert_thresholds, budget_rules, kept_tags


def configured_sources(
    config: Config,
    environment: Mapping[str, str],
    registry: tuple[Registration, ...] = REGISTRY,
    meters: tuple[UsageMeter, ...] = USAGE_TABLE,
) -> list[Source]:
    """Return the configured sources. Nothing is read or connected yet.

    `environment` has the variables that hold keys. Raises ConfigError where there is no source, or
    where two bill the same provider; MeterTableError where two of the usage meters claim the same SKU.
    """
    check_meters(meters)
    sources = make_sources(registry, config, environment, kept_tags(config))
    if not sources:
        raise ConfigError(config.place, [_no_source(config, registry)])
    return sources


def _no_source(config: Config, registry: tuple[Registration, ...]) -> Problem:
    if config.gcp is not None and not config.gcp.enabled:
        text = "no source is enabled, so there is nothing to show; for example enabled: true"
        return Problem("gcp.enabled", None, text)
    sections = ", ".join(entry.section for entry in registry)
    example = "gcp: {billing_export: {files: [exports/*.parquet]}}"
    text = f"no source is given, so there is nothing to show; set one of {sections}, for example {example}"
    return Problem("", None, text)


def attribution_of(config: Config) -> ConfiguredAttribution:
    """Return the settings of cost attribution."""
    of_gcp = config.gcp.cost_attribution if config.gcp else None
    return configured_attribution(of_gcp, config.cost_attribution, config.label_costs, config.unit_costs)


def business_units(config: Config) -> UnitCounts | None:
    """Return how the user's own units are counted; None without any.

    Days are those of Google's bill if it is read, because it has most of the cost.
    """
    queries = attribution_of(config).unit_queries
    zone = TIMEZONE if config.google else "UTC"
    return UnitCounts(queries, zone, config.timeouts.request_seconds) if queries else None


def history_divisions(config: Config) -> list[Division]:
    """Return the ways in which history divides the cost of days."""
    settings = figure_settings(config)
    models = ModelNames(settings.llm_service_ids)
    return divisions(settings.attribution, settings.label_costs, models)


def figure_settings(config: Config) -> FigureSettings:
    """Return the settings of the figures that are computed next to the bill."""
    card = config.google.live_usage.rate_card if config.google else None
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
