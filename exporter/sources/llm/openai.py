"""Source `openai`: what OpenAI billed an organization by the day, and what it used by the hour.

It needs an admin key; the requests cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.config.budgets import OPENAI_LIMIT_NAME
from exporter.core import llm_meters
from exporter.core.errors import SourceError
from exporter.sources.base import Change, Finding, Rejected, Unreadable, UsageChange
from exporter.sources.llm.admin_source import AdminApi, LlmAdminSource
from exporter.sources.llm.costs import Biller
from exporter.sources.llm.openai_reports import (
    cost_line,
    cost_report,
    organization,
    spend_limit_usd,
    usage_reports,
)
from exporter.sources.provider_budgets import ProviderBudget

if TYPE_CHECKING:
    from exporter.sources.http.json_api import JsonApi

_OPENAI: Final = AdminApi(
    biller=Biller("openai", *llm_meters.OPENAI_SERVICE),
    name="OpenAI",
    key_prefix="sk-admin-",
    other_key="a project key",
    key_page="https://platform.openai.com/settings/organization/admin-keys",
    headers=lambda key: {"Authorization": f"Bearer {key}"},
    organization=organization,
    cost_report=cost_report,
    cost_line=cost_line,
    usage_reports=usage_reports,
)


@dataclass(slots=True)
class OpenAISource(LlmAdminSource):
    """Costs, usage and the spend limit of one organization of OpenAI."""

    base_url: str = "https://api.openai.com"
    config_key: str = "llm.openai.admin_key_file"
    spend_limit_usd: Decimal | None = field(default=None, init=False)
    """The organization's limit for a month, as the last refresh read it; None where it has none."""

    @property
    def admin_api(self) -> AdminApi:
        """What differs from other providers."""
        return _OPENAI

    def read_more(self, api: JsonApi) -> Iterator[Change | UsageChange]:
        """Read the spend limit; the last one stays where it cannot be read for a moment."""
        try:
            self.spend_limit_usd = spend_limit_usd(api)
        except SourceError as error:
            yield Unreadable("spend_limit", Rejected(error.reason, 1, "spend_limit", str(error)))

    def provider_budgets(self) -> Sequence[ProviderBudget]:
        """Return the organization's spend limit, where it has one."""
        if self.spend_limit_usd is None:
            return ()
        # Of several organizations each has a limit, which holds for its own cost alone.
        name = OPENAI_LIMIT_NAME if self.entry is None else f"{OPENAI_LIMIT_NAME} ({self.entry})"
        budget = ProviderBudget(
            self.provider,
            name,
            name,
            "month",
            self.spend_limit_usd,
            billing_accounts=tuple(filter(None, [self._biller().billing_account_id])),
            thresholds=None,
        )
        return (budget,)

    def check_more(self, api: JsonApi) -> Iterator[Finding]:
        """Report the spend limit."""
        try:
            usd = spend_limit_usd(api)
        except SourceError as error:
            yield Finding(True, "spend limit", str(error), warning=True)
            return
        limit = "none is set, or the key may not read it" if usd is None else f"${usd:,.2f} a month"
        yield Finding(True, "spend limit", limit)
