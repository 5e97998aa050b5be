"""From findings of waste, our own and the provider's, to metric families: dollars, advice, idle instances.

A search reads days of usage and weeks of the bill, so it runs only when either has a new hour.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from exporter.analysis.savings.cloud_run import LOOKED_BACK_DAYS, cloud_run_waste
from exporter.analysis.savings.idle_instances import (
    CORES,
    LOOKED_BACK,
    UTILIZATION,
    IdleInstances,
    idle_instances,
)
from exporter.analysis.savings.saving import Kind, Saving, counted_once
from exporter.analysis.savings.unused_resources import BILL_SERVICES, MACHINES_GONE, unused_resources
from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import UsageView, sku_days
from exporter.metrics import families as metrics
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.live_usage import SETTLING_DAYS, read_live_usage
from exporter.sources.base import Source
from exporter.sources.recommendations import Recommendation, Recommendations

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(minutes=5)
"""The shortest time between two searches, while the ledger is still being filled."""

KEPT: Final = timedelta(days=7)
"""Recommendations of a project that could not be read for this long are no longer shown."""

_DATED: Final = timedelta(days=1)
"""Older recommendations show their date."""

_KINDS: Final[dict[str, Kind]] = {
    "instances": "instance",
    "disks": "disk",
    "addresses": "address",
    "services": "run_service",
}
"""Kind of resource, by the plural in its name."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The findings of one time."""

    at: datetime
    known: tuple[object, ...]
    """The state of the ledger then, to the hour."""
    idle: IdleInstances
    savings: tuple[Saving, ...]


class Savings:
    """Keeps its findings until the ledger has a new hour."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._look: _Look | None = None

    def families(
        self, view: LedgerView, usage: UsageView | None, now: datetime, card: RateCard | None
    ) -> list[FamilySamples]:
        """Return the families of possible savings; without live usage, only from the bill."""
        look = self._current(view, usage, now, card)
        theirs = [saving for source in self._sources for saving in recommended(source.recommendations(), now)]
        return savings_families(look.idle, [*look.savings, *theirs])

    def _current(
        self, view: LedgerView, usage: UsageView | None, now: datetime, card: RateCard | None
    ) -> _Look:
        known = _known(view, now)
        last = self._look
        if last is None or (known != last.known and not timedelta(0) <= now - last.at < LOOK_EVERY):
            last = self._look = _look(view, usage, now, card, known)
        return last


def savings_families(idle: IdleInstances, findings: Iterable[Saving]) -> list[FamilySamples]:
    """Return the findings as families, each resource's dollars once."""
    usd: dict[tuple[str, ...], float] = {}
    advice: dict[tuple[str, ...], float] = {}
    for each in counted_once(findings):
        labels = (each.provider, each.project_id, each.recommender, each.resource, each.region_id)
        advice[*labels, each.advice] = 1.0
        if each.usd_per_month is not None:
            usd[labels] = usd.get(labels, 0.0) + each.usd_per_month
    return [
        _samples(metrics.SPEND_IDLE_INSTANCES, {place: float(n) for place, n in idle.counts.items()}),
        _samples(metrics.SPEND_RECOMMENDATION_SAVINGS, usd),
        _samples(metrics.SPEND_RECOMMENDATION_INFO, advice),
    ]


def recommended(found: Recommendations, now: datetime) -> list[Saving]:
    """Return the provider's recommendations as findings, without those that are too old."""
    read_at = found.read_at or {}
    return [
        _theirs(each, read_at[each.project_id], now)
        for each in found.active
        if now - read_at[each.project_id] <= KEPT
    ]


def _theirs(each: Recommendation, read_at: datetime, now: datetime) -> Saving:
    date = f" (as of {read_at:%Y-%m-%d})" if now - read_at > _DATED else ""
    where = f" in {each.location}" if each.location != "global" else ""
    name = f"{each.resource}{where} of {each.project_id}"
    return Saving(
        each.project_id,
        each.region_id,
        _KINDS.get(each.collection, "other"),
        each.resource,
        each.recommender,
        f"{name}: Google advises: {each.advice}{date}",
        float(each.usd_per_month),
        "remove" if each.remove else "change",
    )


def _look(
    view: LedgerView,
    usage: UsageView | None,
    now: datetime,
    card: RateCard | None,
    known: tuple[object, ...],
) -> _Look:
    today = now.astimezone(UTC).date()
    settled_through = today - timedelta(days=SETTLING_DAYS)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = midnight - timedelta(days=SETTLING_DAYS - 1)
    bill = sku_days(view, until - MACHINES_GONE, until, BILL_SERVICES)
    found = unused_resources(bill, settled_through)
    idle = IdleInstances((), {})
    if usage is not None:
        live = read_live_usage(view, usage, now, card)
        idle = idle_instances(usage.instances(now - LOOKED_BACK, now, UTILIZATION, CORES), bill)
        first_day, last_day = today - timedelta(days=LOOKED_BACK_DAYS), today - timedelta(days=1)
        found += [*idle.savings, *cloud_run_waste(live.daily, live.rates, first_day, last_day)]
    logger.debug("searched for savings: %d findings", len(found))
    return _Look(now, known, replace(idle, savings=()), tuple(found))


def _known(view: LedgerView, now: datetime) -> tuple[object, ...]:
    """To the hour: the clock, the latest known usage, and the latest bill."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour, *UsageView(view.connection).latest_hours()


def _samples(family: Family, samples: dict[tuple[str, ...], float]) -> FamilySamples:
    return FamilySamples(family, sorted(samples.items()))
