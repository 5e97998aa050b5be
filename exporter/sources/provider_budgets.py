"""Budgets that are kept at a provider, as its source last read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class ProviderBudget:
    """A budget as its provider keeps it."""

    provider: str
    """Label value of `provider`."""
    budget_id: str
    name: str
    period: Literal["month", "quarter", "year", "custom"]
    limit: Decimal | None
    """None: what the period before was billed."""
    currency: str = "USD"
    """Of the limit."""
    billing_accounts: tuple[str, ...] = ()
    """Whose cost counts; empty stands for all, here and below."""
    projects: tuple[str, ...] = ()
    """Ids."""
    services: tuple[str, ...] = ()
    """Ids."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    with_credits: bool = True
    thresholds: tuple[tuple[Literal["actual", "forecast"], float], ...] | None = ()
    """Basis and share of the limit; None for those that a budget has by default."""
    custom_period: tuple[datetime, datetime] | None = None
    """Start and end (excluded) of the period `custom`."""
