"""Spikes: the latest hour of each service with enough data, against the same hour of earlier days.

An hour has enough data once most of it is billed, or where live usage covers it. A daily bill has no hours:
there the hours of live usage are judged, at list prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.billing_calendar import hour_at
from exporter.analysis.bill.spikes import COMPARED_DAYS, Spike, spike
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core import llm_meters
from exporter.core.cost_cells import NANO
from exporter.core.source_names import of_kind
from exporter.ledger.charges.spikes import Hours, SpikeView, first_usage_hours, usage_by_resource
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.llm import LlmView
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.metrics.outlooks.daily_nowcast import SERVICE_NAMES
from exporter.metrics.outlooks.outlook import Outlook
from exporter.sources.registry import HOURLY_BILLS, OWNERSHIP

MOSTLY_BILLED: Final = 0.8
"""An hour is judged once this share of its estimate is in the bill."""

LIVE_SHARE: Final = 0.5
"""A service's last hour is judged by its estimate where live usage explains this share of its cost."""

SKU_FLOOR_RATIO: Final = 0.25
"""A SKU of a service with a spike is shown while it is above this share of the service's floor."""

_LATEST_HOURS: Final = 24
"""How many hours back the latest hour is searched: older hours are no reason for an alert."""

_BILLED_BY_HOURS: Final = 12
"""At this age an hour counts as billed; in a month's first hours the nowcast knows no earlier hours."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One hour of a service, or of one of its SKUs."""

    provider: str
    service_name: str
    sku: str
    """Empty for the whole service; the model for language models."""
    hour: int
    """Hours since 1970-01-01 00:00 UTC."""
    spike: Spike


@dataclass(frozen=True, slots=True)
class Floors:
    """The least size of a spike."""

    usd: float
    score: float

    def passed(self, found: Spike) -> bool:
        """Return whether a spike is large enough to be shown."""
        return found.above_usd > self.usd and found.score > self.score


def spike_families(judged: Sequence[Judged]) -> list[FamilySamples]:
    """Return the judged hours as families."""
    labels = [(each.provider, each.service_name, each.sku) for each in judged]
    values = {
        metrics.SPEND_SPIKE_USD: [each.spike.above_usd for each in judged],
        metrics.SPEND_SPIKE_HOUR_USD: [each.spike.hour_usd for each in judged],
        metrics.SPEND_SPIKE_NORMAL_USD: [each.spike.normal_usd for each in judged],
        metrics.SPEND_SPIKE_SCORE: [each.spike.score for each in judged],
    }
    hours = [((each.provider, each.service_name), each.hour * 3600.0) for each in judged if each.sku == ""]
    return [
        *(FamilySamples(family, list(zip(labels, each, strict=True))) for family, each in values.items()),
        FamilySamples(metrics.SPEND_SPIKE_HOUR, hours),
    ]


def billed_spikes(view: LedgerView, outlooks: Sequence[Outlook], floors: Floors) -> list[Judged]:
    """Judge the services of providers that bill by the hour, and the SKUs of services with a spike."""
    found: list[Judged] = []
    for outlook in outlooks:
        if outlook.provider in HOURLY_BILLS:
            found += _Provider(view, outlook).judged(floors)
    return found


def usage_spikes(
    view: LedgerView, usage: LlmView, outlooks: Sequence[Outlook], floors: Floors, now: datetime
) -> list[Judged]:
    """Judge live LLM usage at list prices of providers that bill by the day or not at all, by model."""
    first = first_usage_hours(usage.connection, usage.sources, llm_meters.LIST_USD)
    through = usage.through(now)
    found: list[Judged] = []
    for outlook in outlooks:
        provider = outlook.provider
        reported_by = {source for source, other in first if other == provider}
        owner = OWNERSHIP.counted_usage(provider, reported_by)
        owners = [source for source in of_kind(owner or "", reported_by) if source in through]
        if provider in HOURLY_BILLS or not owners:
            continue
        hour = hour_at(min(through[source] for source in owners)) - 1
        # Before the last of several accounts was known, hours have too little.
        known_from = max(first[source, provider] for source in owners)
        earlier = [at for at in _earlier(hour, "UTC") if at >= known_from]
        models = usage_by_resource(view.connection, owners, provider, llm_meters.LIST_USD, [hour, *earlier])
        name = SERVICE_NAMES.get(provider, llm_meters.STAND_IN_SERVICE_NAME)
        service = name if name in outlook.nowcast.billed else llm_meters.STAND_IN_SERVICE_NAME
        found += _with_models(provider, service, models, [hour, *earlier], floors)
    return found


class _Provider:
    """One provider that bills by the hour."""

    def __init__(self, view: LedgerView, outlook: Outlook) -> None:
        self._outlook = outlook
        self._zone = outlook.nowcast.calendar.timezone
        self._bill = SpikeView(view, outlook.provider)
        self._first = self._bill.first_hour()

    def judged(self, floors: Floors) -> list[Judged]:
        billed = {name: _billed_hour(self._outlook.nowcast, name) for name in self._outlook.nowcast.billed}
        live = self._live_services()
        last = self._outlook.nowcast.as_of - 1
        hours = {name: last if name in live else hour for name, hour in billed.items()}
        costs = self._bill.by_service(self._pairs(hours))
        found: list[Judged] = []
        for name, hour in sorted(hours.items()):
            known = costs.get(name, {})
            usd = max(self._estimate(name, hour), known.get(hour, 0.0))
            judged = _judge((self._outlook.provider, name, ""), hour, usd, known, self._earlier(hour))
            if judged is not None:
                found.append(judged)
        return [*found, *self._skus([each for each in found if floors.passed(each.spike)], billed, floors)]

    def _skus(self, spiking: Sequence[Judged], billed: Mapping[str, int], floors: Floors) -> Iterator[Judged]:
        """The SKUs at the latest hour that is mostly billed: there are no estimates by SKU."""
        hours = {each.service_name: billed[each.service_name] for each in spiking}
        for (name, sku), costs in sorted(self._bill.by_sku(self._pairs(hours)).items() if hours else ()):
            hour = hours[name]
            labels = (self._outlook.provider, name, sku)
            judged = _judge(labels, hour, costs.get(hour, 0.0), costs, self._earlier(hour))
            if judged and sku and judged.spike.above_usd > SKU_FLOOR_RATIO * floors.usd:
                yield judged

    def _live_services(self) -> set[str]:
        """Services for which live usage covered most of the cost at this hour on earlier days."""
        names = {line.service_name for line in self._outlook.live_lines}
        if not names:
            return set()
        earlier = self._earlier(self._outlook.nowcast.as_of - 1)
        whole, live = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
        lines = {tuple(line) for line in self._outlook.live_lines}
        wanted = [(name, hour) for name in sorted(names) for hour in earlier]
        for line, costs in (self._bill.by_line(wanted) if wanted else {}).items():
            usd = sum(max(each, 0.0) for each in costs.values())
            whole[line[2]] += usd
            live[line[2]] += usd if line in lines else 0.0
        return {name for name in names if whole[name] > 0 and live[name] >= LIVE_SHARE * whole[name]}

    def _estimate(self, name: str, hour: int) -> float:
        nowcast = self._outlook.nowcast
        if not nowcast.begin <= hour < nowcast.end:
            return 0.0
        return nowcast.estimate[name][hour - nowcast.begin] / NANO

    def _earlier(self, hour: int) -> list[int]:
        """The same hour of the billing zone's clock on earlier days with a bill."""
        first = self._first
        return [at for at in _earlier(hour, self._zone) if first is not None and at >= first]

    def _pairs(self, hours: Mapping[str, int]) -> list[tuple[str, int]]:
        return [(name, at) for name, hour in hours.items() for at in (hour, *self._earlier(hour))]


def _billed_hour(nowcast: Nowcast, name: str) -> int:
    """The latest hour whose estimate is mostly billed."""
    billed, estimate = nowcast.billed[name], nowcast.estimate[name]
    oldest = max(nowcast.begin, nowcast.as_of - _LATEST_HOURS)
    for hour in range(min(nowcast.as_of, nowcast.end) - 1, oldest - 1, -1):
        at = hour - nowcast.begin
        if 0 < estimate[at] <= billed[at] / MOSTLY_BILLED:
            return hour
    return min(oldest, nowcast.as_of - _BILLED_BY_HOURS) - 1


def _with_models(
    provider: str, service: str, models: Mapping[str, Hours], hours: Sequence[int], floors: Floors
) -> Iterator[Judged]:
    """Compare the first of the hours with the others: all models together, and the models with a spike."""
    hour, *earlier = hours
    whole = {at: sum(costs.get(at, 0.0) for costs in models.values()) for at in hours}
    judged = _judge((provider, service, ""), hour, whole[hour], whole, earlier)
    if judged is None:
        return
    yield judged
    for model, costs in sorted(models.items()) if floors.passed(judged.spike) else ():
        each = _judge((provider, service, model), hour, costs.get(hour, 0.0), costs, earlier)
        if each and model and each.spike.above_usd > SKU_FLOOR_RATIO * floors.usd:
            yield each


def _judge(
    labels: tuple[str, str, str], hour: int, usd: float, costs: Hours, earlier: Sequence[int]
) -> Judged | None:
    """None where the cost is and always was zero, and where too few days can be compared."""
    past = [costs.get(at, 0.0) for at in earlier]
    if usd == 0.0 and not any(past):
        return None
    found = spike(usd, past)
    return Judged(*labels, hour, found) if found else None


def _earlier(hour: int, timezone: str) -> list[int]:
    """The same hour of the zone's clock on each of COMPARED_DAYS earlier days."""
    local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(timezone))
    return [hour_at(local - timedelta(days=back)) for back in range(1, COMPARED_DAYS + 1)]
