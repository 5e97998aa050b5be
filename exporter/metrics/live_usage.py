"""From live usage and the rates of the bill to metric families: unit costs, counters, and their coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from exporter.analysis.unit_cost.agreement import agreements
from exporter.analysis.unit_cost.billing_modes import BillingModes
from exporter.analysis.unit_cost.rate_book import RateBook, RateCard
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.analysis.unit_cost.unit_cost import (
    COMPONENT_METERS,
    TRAILING_METERS,
    CloudRunHour,
    ServiceCost,
    cloud_run_costs,
    cloud_run_hour,
    meter_costs,
    unpriced,
)
from exporter.core.meters import GIBIBYTE, RUN, SERVICE_NAMES, USAGE_TABLE, BillingMode
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import DailyUsage, SkuDay, TrailingUsage, UsageTotal, UsageView, sku_days
from exporter.metrics import families as metrics
from exporter.metrics.counters import Counted, summed
from exporter.metrics.families import Family, FamilySamples

RATES_LEARNT_FROM = timedelta(days=35)
"""More than a month, so that rates include a whole month's free allowance and tiers."""

MODES_LEARNT_FROM = timedelta(days=18)
"""Enough for the settled days that tell a service's billing mode."""

SETTLING_DAYS = 3
"""Rates are not learnt from more recent days of the bill: part of their cost is still to arrive."""

SHOWN_FOR = timedelta(days=2)
"""Counters of a revision unused for this long vanish; they continue if it is used again."""

_TOLD_SOON = frozenset(row.name for row in USAGE_TABLE if row.period_seconds < 3600)
"""Meters that are known up to a few minutes ago; those that are read by the hour are later on purpose."""

_SHOWN_UNITS = {"memory": GIBIBYTE, "egress": GIBIBYTE}
"""How many of a meter's units make the unit in which its rate is shown, where these differ."""


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """Live usage, with the data to price it."""

    rates: RateBook
    billed: list[SkuDay]
    daily: list[DailyUsage]
    settled_through: date


def read_live_usage(view: LedgerView, usage: UsageView, now: datetime, card: RateCard | None) -> PricedUsage:
    """Read the bill and the usage of the last weeks and learn the rates."""
    today = now.astimezone(UTC).date()
    since, settled_through = now - RATES_LEARNT_FROM, today - timedelta(days=SETTLING_DAYS)
    services = {SERVICE_NAMES.get(row.service_id, row.service_id) for row in USAGE_TABLE if row.skus}
    billed = sku_days(view, since, now, sorted(services))
    daily = usage.daily(since, now)
    month = today.replace(day=1)
    used: dict[str, float] = {}
    for each in daily:
        if each.day >= month:
            used[each.meter] = used.get(each.meter, 0.0) + each.amount
    rates = learn_rates(
        billed,
        daily,
        settled_through,
        today=today,
        card=card,
        used_this_month=lambda meter: used.get(meter, 0.0),
    )
    return PricedUsage(rates, billed, daily, settled_through)


def read_billing_modes(view: LedgerView, usage: UsageView, now: datetime) -> BillingModes:
    """Read how Cloud Run bills each service, as far as bill and usage show it."""
    since, settled_through = now - MODES_LEARNT_FROM, now.astimezone(UTC).date() - timedelta(SETTLING_DAYS)
    billed = sku_days(view, since, now, [RUN])
    return learn_rates(billed, usage.daily(since, now), settled_through).modes


def prices(totals: Iterable[UsageTotal], rates: RateBook) -> dict[int, float]:
    """Return US dollars per unit, by id, of the series with usage that is not priced yet."""
    found = {}
    for each in totals:
        if each.unpriced > 0:
            rate = rates.rate(each.meter, each.project_id, each.region_id, each.resource, each.dimension)
            if rate is not None:
                found[each.usage_series_id] = rate.usd_per_unit
    return found


@dataclass(frozen=True, slots=True)
class LiveUsageFigures:
    """The families of live usage, and Cloud Run as a whole."""

    families: tuple[FamilySamples, ...] = ()
    cloud_run: CloudRunHour | None = None
    """All Cloud Run services over the trailing hour."""


NOTHING_LIVE = LiveUsageFigures()


def live_figures(usage: UsageView, live: PricedUsage, now: datetime) -> LiveUsageFigures:
    """Return the families of live usage, and Cloud Run as a whole."""
    hour = cloud_run_hour(usage.trailing_hour(TRAILING_METERS), live.rates)
    return LiveUsageFigures(tuple(live_usage_families(usage, live, now)), hour)


def live_usage_families(usage: UsageView, live: PricedUsage, now: datetime) -> list[FamilySamples]:
    """Return all families of live usage; nothing where no usage was ever read."""
    totals = usage.totals(now - SHOWN_FOR)
    trailing = usage.trailing_hour([row.name for row in USAGE_TABLE])
    services = cloud_run_costs(usage.trailing_hour(TRAILING_METERS), live.rates)
    return [
        *_counters(totals),
        *_unit_costs(services),
        *_meters(trailing, live.rates),
        _rates(services, live.rates),
        _billing_modes(services, live.rates),
        *_coverage(usage, trailing, live),
    ]


def _counters(totals: list[UsageTotal]) -> list[FamilySamples]:
    by_meter: dict[str, tuple[Family, float]] = {
        "cloud_run_requests": (metrics.SPEND_CLOUD_RUN_REQUESTS_TOTAL, 1.0),
        "cloud_run_cpu_seconds": (metrics.SPEND_CLOUD_RUN_CPU_SECONDS_TOTAL, 1.0),
        "cloud_run_memory_byte_seconds": (metrics.SPEND_CLOUD_RUN_MEMORY_TOTAL, GIBIBYTE),
        "cloud_run_billable_instance_seconds": (metrics.SPEND_CLOUD_RUN_BILLABLE_SECONDS_TOTAL, 1.0),
        "cloud_run_egress_bytes": (metrics.SPEND_CLOUD_RUN_EGRESS_BYTES_TOTAL, 1.0),
        "cloud_run_cold_starts": (metrics.SPEND_CLOUD_RUN_COLD_STARTS_TOTAL, 1.0),
    }
    found = []
    for meter, (family, size) in by_meter.items():
        coded = "response_code_class" in family.labels
        parts: list[Counted] = [
            (
                (*_revision(each), each.dimension) if coded else _revision(each),
                each.total / size,
                each.counted_from,
                each.unseen,
            )
            for each in totals
            if each.meter == meter
        ]
        found.append(summed(family, parts))
    estimated: list[Counted] = [
        ((*_revision(each), COMPONENT_METERS[each.meter]), each.usd_total, each.counted_from, each.unseen)
        for each in totals
        if each.meter in COMPONENT_METERS and (each.usd_total > 0 or each.unpriced == 0)
    ]
    found.append(summed(metrics.SPEND_CLOUD_RUN_ESTIMATED_USD_TOTAL, estimated))
    return found


def _unit_costs(services: list[ServiceCost]) -> list[FamilySamples]:
    def each(family: Family, value: Callable[[ServiceCost], float | None]) -> FamilySamples:
        pairs = [((one.project_id, one.region_id, one.run_service), value(one)) for one in services]
        return FamilySamples(family, [(labels, number) for labels, number in pairs if number is not None])

    return [
        each(metrics.SPEND_CLOUD_RUN_COST_PER_REQUEST_USD, lambda one: one.cost_per_request_usd),
        each(metrics.SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST, lambda one: one.cpu_seconds_per_request),
        each(metrics.SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD, lambda one: one.cost_per_cpu_second_usd),
        each(metrics.SPEND_CLOUD_RUN_COLD_START_RATIO, lambda one: one.cold_start_ratio),
    ]


def _meters(trailing: list[TrailingUsage], rates: RateBook) -> list[FamilySamples]:
    costs = meter_costs(trailing, rates)
    labels = [(each.project_id, each.region_id, each.resource, each.meter, each.dimension) for each in costs]
    fixed = []
    if rates.card is not None and rates.card.storage_usd_per_day > 0:
        # This is a cost of Cloud Run as a whole, so it has no project and no resource.
        storage = ("", "", "", "cloud_run_fixed_storage", "", "rate_card")
        fixed.append((storage, rates.card.storage_usd_per_day / 24))
    return [
        FamilySamples(
            metrics.SPEND_LIVE_COST_USD_PER_HOUR,
            [
                *(((*key, each.basis), each.usd_per_hour) for key, each in zip(labels, costs, strict=True)),
                *fixed,
            ],
        ),
        FamilySamples(
            metrics.SPEND_LIVE_UNIT_COST_USD,
            [
                ((*key, each.people_unit), each.usd_per_people_unit)
                for key, each in zip(labels, costs, strict=True)
            ],
        ),
    ]


def _rates(services: list[ServiceCost], rates: RateBook) -> FamilySamples:
    modes: dict[tuple[str, str], set[BillingMode]] = {}
    for one in services:
        share = rates.modes.instance_share(one.project_id, one.region_id, one.run_service)
        mine = modes.setdefault((one.project_id, one.region_id), set())
        mine |= {"request"} if share < 1.0 else set()
        mine |= {"instance"} if share > 0.0 else set()
    samples = {}
    for (project_id, region_id), used in modes.items():
        for meter, component in COMPONENT_METERS.items():
            for mode, rate in rates.rates_by_mode(meter, project_id, region_id, used).items():
                shown = rate.usd_per_unit * _SHOWN_UNITS.get(component, 1.0)
                samples[project_id, region_id, component, mode, str(rate.basis)] = shown
    return FamilySamples(metrics.SPEND_CLOUD_RUN_RATE_USD, sorted(samples.items()))


def _billing_modes(services: list[ServiceCost], rates: RateBook) -> FamilySamples:
    """How each service is billed; nothing under a rate card, which knows no modes."""
    named = [(one.project_id, one.region_id, one.run_service) for one in services if rates.card is None]
    shares = [(labels, rates.modes.instance_share(*labels)) for labels in named]
    return FamilySamples(metrics.SPEND_CLOUD_RUN_INSTANCE_BASED_RATIO, shares)


def _coverage(usage: UsageView, trailing: list[TrailingUsage], live: PricedUsage) -> list[FamilySamples]:
    through = [
        ((project_id, meter), moment.timestamp())
        for project_id, meter, moment in usage.read_through()
        if meter in _TOLD_SOON
    ]
    newest: dict[tuple[str, ...], float] = {}
    for each in trailing:
        rate = live.rates.rate(each.meter, each.project_id, each.region_id, each.resource, each.dimension)
        if rate is not None and rate.newest_day is not None:
            day_start = datetime.combine(rate.newest_day, datetime.min.time(), UTC).timestamp()
            newest[(each.meter,)] = max(day_start, newest.get((each.meter,), 0.0))
    compared = agreements(live.billed, live.daily, live.rates, live.settled_through)
    ratios = [(("gcp", each.service_name), each.estimate_to_billed_ratio) for each in compared]
    return [
        FamilySamples(metrics.SPEND_USAGE_THROUGH, sorted(through)),
        FamilySamples(metrics.SPEND_RATE_BILLED_THROUGH, sorted(newest.items())),
        FamilySamples(
            metrics.SPEND_USAGE_UNPRICED_RESOURCES,
            [
                ((each.project_id, each.region_id, each.meter), float(each.resources))
                for each in unpriced(trailing, live.rates)
            ],
        ),
        FamilySamples(
            metrics.SPEND_ESTIMATE_TO_BILLED_RATIO,
            [(labels, ratio) for labels, ratio in ratios if ratio is not None],
        ),
        FamilySamples(
            metrics.SPEND_ESTIMATE_EXPLAINED_RATIO,
            [(("gcp", each.service_name), each.explained_ratio) for each in compared],
        ),
    ]


def _revision(each: UsageTotal) -> tuple[str, str, str, str]:
    return each.project_id, each.region_id, each.resource, each.revision
