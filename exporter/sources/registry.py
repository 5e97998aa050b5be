"""Every source of the product, one line each. The order is the order of the documentation's tables."""

from __future__ import annotations

from typing import Final

from exporter.core.ownership import Ownership, ownership_of
from exporter.sources.files.registration import REGISTRATION as FILES
from exporter.sources.focus.bigquery.registration import REGISTRATION as FOCUS_BIGQUERY
from exporter.sources.focus.registration import REGISTRATION as FOCUS
from exporter.sources.google.bigquery.registration import REGISTRATION as BIGQUERY
from exporter.sources.google.billing_budgets.registration import REGISTRATION as BILLING_BUDGETS
from exporter.sources.google.monitoring.registration import REGISTRATION as CLOUD_MONITORING
from exporter.sources.google.recommender.registration import REGISTRATION as RECOMMENDER
from exporter.sources.litellm.registration import REGISTRATION as LITELLM
from exporter.sources.llm.registration import ANTHROPIC, OPENAI
from exporter.sources.registration import Registration
from exporter.sources.usage_logs.registration import REGISTRATION as USAGE_LOGS

REGISTRY: Final[tuple[Registration, ...]] = (
    FILES,
    BIGQUERY,
    CLOUD_MONITORING,
    OPENAI,
    ANTHROPIC,
    USAGE_LOGS,
    LITELLM,
    FOCUS,
    FOCUS_BIGQUERY,
    RECOMMENDER,
    BILLING_BUDGETS,
)


def registered_ownership(registrations: tuple[Registration, ...]) -> Ownership:
    """Return whose money counts for each provider, as the registrations claim."""
    hourly = {provider for entry in registrations if entry.bills_by_hour for provider in entry.bills}
    return ownership_of(registrations, hourly)


OWNERSHIP: Final = registered_ownership(REGISTRY)

HOURLY_BILLS: Final = OWNERSHIP.hourly_bills
