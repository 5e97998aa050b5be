"""What a view of the ledger returns: a row of each kind, typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

Labels = tuple[str, ...]
"""Values of the label columns, in their order."""


@dataclass(frozen=True, slots=True)
class SeriesTotals:
    """The counters of one series of charges since the ledger began."""

    series_id: int
    labels: Labels
    billed_usd: Decimal
    credit_usd: Decimal
    published: str | None
    """`own`, `folded`, or None for a series that was never exposed."""
    billed_base_usd: Decimal
    """Part of billed_usd that was counted in `other` before the series got its own place."""
    credit_base_usd: Decimal
    counted_from: float | None = None
    """When the counters were zero, in seconds since 1970; None where an older version did not keep it."""
    unseen: bool = False
    """Whether it began after its source had been read to its end, and was never exposed."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the bill of one service reaches."""

    provider: str
    billing_account_id: str
    service_name: str
    billed_through: datetime | None
    """None where everything was billed ahead of its usage."""
    last_export: datetime


@dataclass(frozen=True, slots=True)
class InvoiceCost:
    """Cost of one invoice month in the billing currency, by category."""

    billing_account_id: str
    invoice_month: str
    currency: str
    charge_category: str
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Arrival:
    """Cost that became known a number of whole hours after its hour of usage began."""

    provider: str
    billing_account_id: str
    age_hours: int
    usd: float
    usage_hours: int
    """Number of distinct usage hours of the account in the given range."""


@dataclass(frozen=True, slots=True)
class KnownLater:
    """Charges that a view as of a past time leaves out, although their usage is from before it."""

    source: str
    charges: int
    usd: Decimal
    first_known: datetime
