"""How logs of calls to language models are configured and made."""

from __future__ import annotations

from exporter.core.ownership import ANY_OTHER
from exporter.sources.files.layouts import is_manifest
from exporter.sources.objects.configured import mirror_for
from exporter.sources.registration import Registration, Wanted
from exporter.sources.usage_logs.source import UsageLogsSource


def _make(wanted: Wanted) -> UsageLogsSource | None:
    patterns = wanted.config.llm.usage_logs if wanted.config.llm else None
    if not patterns:
        return None
    return UsageLogsSource(patterns, objects=mirror_for(wanted.config, "usage_logs", patterns, is_manifest))


REGISTRATION = Registration(
    name="usage_logs",
    section="llm.usage_logs",
    page="llm.md",
    make=_make,
    estimates=("openai", "anthropic", ANY_OTHER),
    attributes=(ANY_OTHER,),
)
