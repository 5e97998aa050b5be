"""Source `anthropic`: what Anthropic billed an organization by the day, and what it used by the hour.

It needs an admin key, which only organizations can have; the requests cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.core import llm_meters
from exporter.sources.llm.admin_source import AdminApi, LlmAdminSource
from exporter.sources.llm.anthropic_reports import cost_line, cost_report, organization, usage_reports
from exporter.sources.llm.costs import Biller

API_VERSION: Final = "2023-06-01"
FAST_MODE_BETA: Final = "fast-mode-2026-02-01"
"""Without it the usage report cannot be grouped by speed."""

_ANTHROPIC: Final = AdminApi(
    biller=Biller("anthropic", *llm_meters.ANTHROPIC_SERVICE),
    name="Anthropic",
    key_prefix="sk-ant-admin",
    other_key="an API key of a workspace",
    key_page="https://platform.claude.com/settings/admin-keys",
    headers=lambda key: {
        "x-api-key": key,
        "anthropic-version": API_VERSION,
        "anthropic-beta": FAST_MODE_BETA,
    },
    organization=organization,
    cost_report=cost_report,
    cost_line=cost_line,
    usage_reports=usage_reports,
)


@dataclass(slots=True)
class AnthropicSource(LlmAdminSource):
    """Costs and usage of one organization: workspaces are projects, and the default one has no id."""

    base_url: str = "https://api.anthropic.com"
    config_key: str = "llm.anthropic.admin_key_file"

    @property
    def admin_api(self) -> AdminApi:
        """What differs from other providers."""
        return _ANTHROPIC
