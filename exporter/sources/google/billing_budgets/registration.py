"""How the budgets of Cloud Billing are configured and made."""

from __future__ import annotations

from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.registration import Registration, Wanted


def _make(wanted: Wanted) -> BillingBudgetsSource | None:
    gcp = wanted.config.google
    if gcp is None or not gcp.budgets.enabled or gcp.billing_account_id is None:
        return None
    return BillingBudgetsSource(
        gcp.billing_account_id,
        credentials_path=gcp.credentials_path,
        impersonate_service_account=gcp.impersonate_service_account,
        kept_tags=wanted.kept_tags,
        request_seconds=wanted.config.timeouts.request_seconds,
    )


REGISTRATION = Registration(
    name="billing_budgets",
    section="gcp.budgets",
    page="budgets.md",
    make=_make,
    advises=("gcp",),
)
