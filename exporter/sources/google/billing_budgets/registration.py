"""How the budgets of Cloud Billing are configured and made."""

from __future__ import annotations

from exporter.core.source_names import source_name
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.google.organizations import Organization, organizations
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> list[BillingBudgetsSource]:
    gcp = wanted.config.google
    if gcp is None or not gcp.budgets.enabled:
        return []
    return [
        _source(wanted, each, account) for each in organizations(gcp) if (account := each.billing_account_id)
    ]


def _source(wanted: Wanted, each: Organization, billing_account_id: str) -> BillingBudgetsSource:
    source = BillingBudgetsSource(
        billing_account_id,
        credentials_path=each.credentials_path,
        impersonate_service_account=each.impersonate_service_account,
        kept_tags=wanted.kept_tags,
        request_seconds=wanted.config.timeouts.request_seconds,
    )
    source.name = source_name("billing_budgets", each.entry)
    source.own_keys = each.own_keys
    return source


REGISTRATION = Registration(
    name="billing_budgets",
    section="gcp.budgets",
    page="budgets.md",
    make=_make,
    advises=("gcp",),
)
