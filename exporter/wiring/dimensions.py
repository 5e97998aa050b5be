"""From the configuration to the dimensions of cost, and to what explains a rise by them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from exporter.analysis.bill.attribution import Attribution
from exporter.config.model import Config
from exporter.metrics.model_names import ModelNames
from exporter.metrics.unusual_cost import Explain
from exporter.questions.dimensions import Dimensions
from exporter.questions.reasons import reasons
from exporter.sources.base import Source, billing_zones
from exporter.wiring.budgets import kept_tags
from exporter.wiring.sources import figure_settings


def configured_dimensions(config: Config) -> Dimensions:
    """Return the dimensions by which cost can be asked for."""
    settings = figure_settings(config)
    rules = settings.attribution.rules if settings.attribution else ()
    return Dimensions(
        kept_tags(config), Attribution(rules), ModelNames(settings.llm_service_ids), tuple(settings.units)
    )


def configured_reasons(config: Config, sources: Sequence[Source]) -> Explain:
    """Return what says why services rose."""
    return partial(reasons, dimensions=configured_dimensions(config), zones=billing_zones(sources))
