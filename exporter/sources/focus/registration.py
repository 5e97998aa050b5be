"""How FOCUS files are configured and made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from exporter.core.ownership import ANY_OTHER
from exporter.sources.files.layouts import is_manifest
from exporter.sources.focus.source import FocusSource
from exporter.sources.objects.configured import mirror_for
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> FocusSource | None:
    section = wanted.config.focus
    if section is None or not section.files:
        return None
    return FocusSource(
        section.files,
        objects=mirror_for(wanted.config, "focus", section.files, is_manifest),
        update_interval=timedelta(minutes=section.update_interval_minutes),
        cost=section.cost,
        usd_per={currency: Decimal(str(usd)) for currency, usd in section.usd_per.items()},
        owned_by_others=wanted.owned_by_others,
        kept_tags=wanted.kept_tags,
    )


REGISTRATION = Registration(
    name="focus",
    section="focus",
    page="focus.md",
    make=_make,
    bills={ANY_OTHER: "any other provider"},
)
