"""The outlook of providers that bill by the day, and of those whose usage log stands in for a bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from exporter.analysis.bill.billing_calendar import hour_at, hours_at
from exporter.analysis.nowcast.daily_bills import LEARNT_DAYS, DailyCosts, daily_outlook
from exporter.core import llm_meters
from exporter.core.cost_cells import NANO
from exporter.core.ownership import Ownership
from exporter.core.source_names import kind_of
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import LlmView, daily_costs
from exporter.metrics.outlooks.outlook import Outlook

_LEARNT_FROM = timedelta(days=LEARNT_DAYS + 32)
_USED_FROM = timedelta(days=32)

SERVICE_NAMES: Mapping[str, str] = {
    "openai": llm_meters.OPENAI_SERVICE[1],
    "anthropic": llm_meters.ANTHROPIC_SERVICE[1],
}
"""Service of a provider's bill that its LLM usage is part of."""


def daily_outlooks(
    view: LedgerView,
    usage: LlmView | None,
    now: datetime,
    timezones: Mapping[str, str],
    ownership: Ownership,
) -> list[Outlook]:
    """Return the outlook of each provider that bills by the day, or whose usage only a log reports.

    `timezones` has the billing zone of each provider with a bill; a provider without one has UTC's days.
    `ownership` says whose usage counts.
    """
    logged = _LoggedUsage(usage, now, ownership)
    hourly = ownership.hourly_bills & timezones.keys()
    outlooks = []
    for provider in sorted({*timezones, *logged.providers} - hourly):
        billed = _billed(view, provider, now) if provider in timezones else None
        costs = _costs(logged, provider, billed)
        if costs.billed or costs.used:
            timezone = timezones.get(provider, "UTC")
            outlooks.append(Outlook(provider, *daily_outlook(costs, timezone, hour_at(now)), method="daily"))
    return outlooks


class _LoggedUsage:
    """Usage at list prices, by the sources that count for each provider."""

    def __init__(self, usage: LlmView | None, now: datetime, ownership: Ownership) -> None:
        self._ownership = ownership
        self._amounts = usage.hourly(llm_meters.LIST_USD, now - _USED_FROM) if usage else []
        self._through = usage.through(now) if usage else {}
        self.providers = {each.provider for each in self._amounts}

    def used(self, provider: str) -> tuple[dict[int, float], float]:
        """Return billionths of a US dollar by hour, and the hour through which they are known."""
        mine = [each for each in self._amounts if each.provider == provider]
        owner = self._ownership.counted_usage(provider, {each.source for each in mine})
        if owner is None:
            return {}, 0.0
        amounts: dict[int, float] = {}
        counted = [each for each in mine if kind_of(each.source) == owner]
        for each in counted:
            hour = hour_at(each.hour)
            amounts[hour] = amounts.get(hour, 0.0) + each.amount * NANO
        # Of several accounts the sum is known as far as that of each is.
        return amounts, hours_at(min(self._through[source] for source in {each.source for each in counted}))


def _billed(view: LedgerView, provider: str, now: datetime) -> dict[str, dict[int, int]]:
    costs: dict[str, dict[int, int]] = {}
    for name, day, usd in daily_costs(view, provider, now - _LEARNT_FROM):
        costs.setdefault(name, {})[day.toordinal()] = round(usd * NANO)
    return costs


def _costs(logged: _LoggedUsage, provider: str, billed: dict[str, dict[int, int]] | None) -> DailyCosts:
    """Join bill and usage; `billed` is None for a provider that nothing bills."""
    used, through = logged.used(provider)
    service = llm_meters.STAND_IN_SERVICE_NAME if billed is None else SERVICE_NAMES.get(provider)
    if service is None or (billed and service not in billed):
        # Usage of a service that the bill has by another name: it would count twice.
        used = {}
    return DailyCosts(billed or {}, {service: used} if service and used else {}, through)
