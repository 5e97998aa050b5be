"""One owner per dollar: which source's money counts for a provider, and what every other source then is.

The one table that totals, the documentation and `spend-exporter check` go by.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose money counts, and what the others say of the same money."""

    money: str
    providers: tuple[str, ...]
    """Label values of `provider`; empty stands for every other one."""
    billed_by: tuple[str, ...]
    """Sources that bill it; the first that is configured owns it, the others are left out."""
    estimated_by: tuple[str, ...]
    """Sources whose usage estimates what is not billed yet; the first that is configured."""
    attribution: tuple[str, ...]
    """Sources that tell who used it; never added."""


OWNERSHIP: Final = (
    Ownership(
        "Google Cloud, with Vertex AI and Gemini",
        ("gcp",),
        ("files", "bigquery", "focus"),
        ("cloud_monitoring",),
        ("usage_logs", "litellm"),
    ),
    Ownership(
        "OpenAI", ("openai",), ("openai", "focus"), ("openai", "usage_logs"), ("usage_logs", "litellm")
    ),
    Ownership(
        "Anthropic",
        ("anthropic",),
        ("anthropic", "focus"),
        ("anthropic", "usage_logs"),
        ("usage_logs", "litellm"),
    ),
    Ownership("any other provider", (), ("focus",), ("usage_logs",), ("usage_logs", "litellm")),
)
"""Every provider's row. A provider that nothing bills is told by the usage log alone, marked estimated."""

HOURLY_BILLS: Final = frozenset({"gcp"})
"""Providers whose bill says in which hour a cost arose and when it became known; others bill by the day."""


def ownership(provider: str) -> Ownership:
    """Return the row of a provider."""
    return next(row for row in OWNERSHIP if provider in row.providers or not row.providers)


def counted_usage(provider: str, told_by: Collection[str]) -> str | None:
    """Return which of the sources that tell a provider's LLM usage counts; a proxy's never does."""
    order = (*ownership(provider).estimated_by, "usage_logs")
    return next((name for name in order if name in told_by), None)
