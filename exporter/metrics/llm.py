"""From LLM usage and LLM charges to metric families: tokens, requests, cost by model, and a proxy's view.

The table of ownership decides which source's usage counts for a provider; no token counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from exporter.analysis.bill.windows import billing_windows
from exporter.analysis.llm.capture_ratio import KnownDays, capture_ratios
from exporter.core import llm_meters
from exporter.core.source_names import kind_of, of_kind
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import LlmView, UsageCounter, daily_sku_costs, service_sku_costs, sku_costs
from exporter.metrics import families as metrics
from exporter.metrics.counters import summed
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.model_names import ModelNames
from exporter.sources.registry import OWNERSHIP

SHOWN_FOR = timedelta(days=32)
"""Counters of a model that is unused for so long vanish; they continue if it is used again."""

COMPARED = timedelta(days=32)
"""The capture ratio is computed over this many days."""

_DAY = timedelta(days=1)

SETTLING = timedelta(days=3)
"""More recent days of the bill are not compared: part of their cost is still to arrive."""

SHARED_OVER = timedelta(days=14)
"""The share of language models in a service is measured over this many days of the bill."""

USAGE_METERS = (
    llm_meters.TOKENS,
    llm_meters.REQUESTS,
    llm_meters.LIST_USD,
    llm_meters.UNPRICED_TOKENS,
    llm_meters.VERTEX_TOKENS,
    *llm_meters.FEES,
)
_PROXY_METERS = (llm_meters.PROXY_USD, llm_meters.PROXY_TOKENS, llm_meters.PROXY_REQUESTS)


def token_families(view: LlmView, now: datetime, awaited: Collection[str] = ()) -> list[FamilySamples]:
    """Return the counters of tokens, requests, dollars at list prices and unpriced fees, by model.

    Nothing of a provider whose usage counts from an `awaited` source as soon as that has been read: its
    counters would leap from one source's count to another's.
    """
    counters = view.counters(USAGE_METERS, now - SHOWN_FOR)
    reported_by: dict[str, set[str]] = {}
    for each in counters:
        if not each.left:
            reported_by.setdefault(each.provider, set()).add(each.source)
    owner = usage_owners(reported_by, awaited)
    counted = [
        each
        for each in counters
        if each.provider in owner and (each.left or kind_of(each.source) == owner[each.provider])
    ]
    return [
        _summed(
            metrics.SPEND_LLM_TOKENS_TOTAL,
            counted,
            (llm_meters.TOKENS, llm_meters.VERTEX_TOKENS),
            lambda one: (one.provider, one.model, one.dimension),
        ),
        *(
            _summed(family, counted, (meter,), lambda one: (one.provider, one.model))
            for family, meter in (
                (metrics.SPEND_LLM_REQUESTS_TOTAL, llm_meters.REQUESTS),
                (metrics.SPEND_LLM_ESTIMATED_USD_TOTAL, llm_meters.LIST_USD),
                (metrics.SPEND_LLM_UNPRICED_TOKENS_TOTAL, llm_meters.UNPRICED_TOKENS),
            )
        ),
        _summed(
            metrics.SPEND_LLM_UNPRICED_FEES_TOTAL,
            counted,
            tuple(llm_meters.FEES),
            lambda one: (one.provider, one.model, one.meter.removeprefix("llm_")),
        ),
    ]


def usage_owners(reported_by: Mapping[str, set[str]], awaited: Collection[str]) -> dict[str, str]:
    """Return the kind of source whose usage counts, by provider; nothing of a provider that waits for it.

    Where one of several accounts is read for the first time, the others count already.
    """
    owners = {
        provider: OWNERSHIP.counted_usage(provider, sources.union(awaited))
        for provider, sources in reported_by.items()
    }
    return {
        provider: kind
        for provider, kind in owners.items()
        if kind is not None and (of_kind(kind, reported_by[provider]) or not of_kind(kind, awaited))
    }


def proxy_families(view: LlmView, now: datetime) -> list[FamilySamples]:
    """Return what a proxy reports of who used what."""
    counters = view.counters(_PROXY_METERS, now - SHOWN_FOR, by_key=True)

    def who(one: UsageCounter) -> tuple[str, ...]:
        return one.provider, one.project_id, one.key, one.model

    return [
        _summed(metrics.SPEND_LLM_PROXY_USD_TOTAL, counters, (llm_meters.PROXY_USD,), who),
        _summed(
            metrics.SPEND_LLM_PROXY_TOKENS_TOTAL,
            counters,
            (llm_meters.PROXY_TOKENS,),
            lambda one: (*who(one), one.dimension),
        ),
        _summed(metrics.SPEND_LLM_PROXY_REQUESTS_TOTAL, counters, (llm_meters.PROXY_REQUESTS,), who),
    ]


def billed_model_families(
    view: LedgerView, now: datetime, timezones: Mapping[str, str], names: ModelNames
) -> list[FamilySamples]:
    """Return billed LLM cost by model: a part of each provider's bill, shown again by model."""
    sums: dict[Family, dict[tuple[str, ...], Decimal]] = {
        metrics.SPEND_LLM_TODAY_USD: {},
        metrics.SPEND_LLM_MONTH_TO_DATE_USD: {},
    }
    for provider, timezone in timezones.items():
        skus = names.skus(view, provider)
        windows = billing_windows(now, timezone)
        costs = sku_costs(view, provider, (windows["today"], windows["month_to_date"]), skus) if skus else []
        for cost in costs:
            model = names.model(provider, cost.service_id, cost.sku_id, cost.sku) or ""
            for samples, usd in zip(sums.values(), cost.usd, strict=True):
                if usd is not None:
                    key = (provider, cost.project_id, model)
                    samples[key] = samples.get(key, Decimal(0)) + usd
    return [
        FamilySamples(family, [(labels, float(usd)) for labels, usd in sorted(samples.items())])
        for family, samples in sums.items()
    ]


def llm_shares(
    view: LedgerView, now: datetime, providers: Iterable[str], names: ModelNames
) -> dict[tuple[str, str], float]:
    """Return the share of language models in the cost of each service that sells any, by provider and name.

    Measured over the last weeks of the bill, because estimates know services and no SKUs.
    """
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for provider in providers:
        services = {service_id for service_id, _ in names.skus(view, provider)}
        costs = service_sku_costs(view, provider, now - SHARED_OVER, services) if services else []
        for service_id, service, sku_id, sku, usd in costs:
            models, whole = sums.get((provider, service), (Decimal(0), Decimal(0)))
            is_model = names.model(provider, service_id, sku_id, sku) is not None
            sums[provider, service] = (models + usd if is_model else models, whole + usd)
    return {
        service: min(1.0, max(0.0, float(models / whole)))
        for service, (models, whole) in sums.items()
        if whole > 0
    }


def capture_family(
    view: LedgerView, usage: LlmView, now: datetime, providers: Iterable[str], names: ModelNames
) -> FamilySamples:
    """Return the share of each provider's bill that a proxy saw, over settled days that both know."""
    since = now - COMPARED
    proxy: dict[tuple[str, date], float] = {}
    for each in usage.hourly(llm_meters.PROXY_USD, since):
        key = (each.provider, each.hour.date())
        proxy[key] = proxy.get(key, 0.0) + each.amount
    if not proxy:
        return FamilySamples(metrics.SPEND_LLM_CAPTURE_RATIO, [])
    # On the first day, counting may have begun at any time within it.
    first, yesterday = min(day for _, day in proxy) + _DAY, now.astimezone(UTC).date() - _DAY
    settled = (now - SETTLING).astimezone(UTC).date()
    billed: dict[tuple[str, date], float] = {}
    knows: dict[str, KnownDays] = {}
    for provider in providers:
        costs = daily_sku_costs(view, provider, since, names.skus(view, provider))
        billed |= {(provider, day): float(usd) for day, usd in costs}
        if costs:
            knows[provider] = KnownDays(min(day for day, _ in costs), settled)
    found = capture_ratios(proxy, billed, KnownDays(first, yesterday), knows)
    return FamilySamples(metrics.SPEND_LLM_CAPTURE_RATIO, [((each.provider,), each.ratio) for each in found])


def llm_families(
    view: LedgerView,
    usage: LlmView | None,
    now: datetime,
    timezones: Mapping[str, str],
    names: ModelNames,
    *,
    awaited: Collection[str] = (),
) -> list[FamilySamples]:
    """Return everything about language models; as of a past hour (no `usage`) only what was billed.

    `awaited` are the sources whose first read is under way.
    """
    families = billed_model_families(view, now, timezones, names)
    if usage is not None:
        families += [*token_families(usage, now, awaited), *proxy_families(usage, now)]
        families.append(capture_family(view, usage, now, timezones, names))
    return families


def _summed(
    family: Family,
    counters: Sequence[UsageCounter],
    meters: Sequence[str],
    labels: Callable[[UsageCounter], tuple[str, ...]],
) -> FamilySamples:
    return summed(
        family,
        [
            (labels(each), each.total, each.counted_from, each.unseen)
            for each in counters
            if each.meter in meters
        ],
    )
