"""How bills in FOCUS in BigQuery are configured and made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from exporter.config.focus import FocusBigQuery
from exporter.config.gcp import Gcp
from exporter.config.model import Config
from exporter.core.ownership import ANY_OTHER
from exporter.sources.focus.bigquery.entry import SECTION, FocusEntry
from exporter.sources.focus.bigquery.opening import Opening
from exporter.sources.focus.bigquery.source import FocusBigQuerySource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> FocusBigQuerySource | None:
    section = wanted.config.focus
    if section is None or not section.bigquery:
        return None
    several = len(section.bigquery) > 1
    entries = [
        _entry(each, f"{SECTION}[{number}]" if several else SECTION, wanted.config.gcp)
        for number, each in enumerate(section.bigquery)
    ]
    return FocusBigQuerySource(
        entries,
        cost=section.cost,
        usd_per={currency: Decimal(str(usd)) for currency, usd in section.usd_per.items()},
        owned_by_others=wanted.owned_by_others,
        kept_tags=wanted.kept_tags,
        update_interval=timedelta(minutes=section.update_interval_minutes),
        opening=Opening(request_seconds=wanted.config.timeouts.request_seconds),
    )


def _entry(section: FocusBigQuery, place: str, gcp: Gcp | None) -> FocusEntry:
    """Make an entry; without credentials of its own it is read as the account that reads Google's bill."""
    own = section.credentials_path is not None or section.impersonate_service_account is not None
    account: FocusBigQuery | Gcp = section if own or gcp is None else gcp
    return FocusEntry(
        section.entry,
        table=section.table,
        sql=section.sql,
        providers=frozenset(section.providers or ()),
        max_bytes_billed=section.max_bytes_billed,
        location=section.location,
        job_project=section.job_project,
        credentials_path=account.credentials_path,
        impersonate_service_account=account.impersonate_service_account,
        place=place,
        own_credentials=own or gcp is None,
    )


def _limited_to(config: Config) -> frozenset[str] | None:
    """The providers that all entries name; None where an entry takes any."""
    entries = config.focus.bigquery if config.focus else None
    if not entries or not all(entry.providers for entry in entries):
        return None
    return frozenset(provider for entry in entries for provider in entry.providers or ())


REGISTRATION = Registration(
    name="focus_bigquery",
    section=SECTION,
    page="focus.md",
    make=_make,
    bills={ANY_OTHER: "any other provider"},
    limited_to=_limited_to,
)
