"""From one state of the ledger to the metric families of the bill.

Billed windows and counters share one choice of labels to fold, so that they agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from exporter.analysis.bill.folding import Labels, fold, folded, kept_labels, own_labels
from exporter.analysis.bill.settlement import (
    LEARNT_FROM,
    LEARNT_UNTIL,
    ArrivalCurve,
    arrival_curve,
    settled_through,
    unsettled_ratio,
)
from exporter.analysis.bill.windows import billing_day, billing_windows
from exporter.ledger.charges.window_rows import SeriesTotals
from exporter.ledger.charges.windows import LABEL_COLUMNS, LedgerView
from exporter.metrics import families as metrics
from exporter.metrics.counters import Start, starts
from exporter.metrics.families import Family, FamilySamples

WINDOW_FAMILIES: Mapping[str, Family] = {
    "today": metrics.SPEND_TODAY_USD,
    "yesterday": metrics.SPEND_YESTERDAY_USD,
    "month_to_date": metrics.SPEND_MONTH_TO_DATE_USD,
    "last_month": metrics.SPEND_LAST_MONTH_USD,
}


@dataclass(frozen=True, slots=True)
class _Counter:
    series: SeriesTotals
    total: Decimal
    base: Decimal
    """Part of the total that was counted in `other` before."""


@dataclass(frozen=True, slots=True)
class _FoldedCounters:
    sums: dict[Labels, Decimal]
    count: int
    """How many are added up as `other`."""
    created: dict[Labels, float]
    beginning: frozenset[Labels]


_PROVIDER = LABEL_COLUMNS.index("provider")
_SERVICE_NAME = LABEL_COLUMNS.index("service_name")
_BILLED_CATEGORIES = ("usage", "purchase", "tax")
_UNSETTLED_DAYS = 7


@dataclass(frozen=True, slots=True)
class BilledFamilies:
    """The families, and what the next snapshot needs to continue their counters."""

    families: list[FamilySamples]
    window_totals: dict[str, Decimal | None]
    """Net US dollars by window over everything; None where nothing is known."""
    month_to_date: dict[tuple[str, str], Decimal]
    """Net US dollars of this month by provider and service."""
    newly_own: list[int]
    """Ids of series that are exposed on their own and were not before."""
    newly_folded: list[int]


def billed_families(
    view: LedgerView, now: datetime, timezones: Mapping[str, str], max_series: int, *, everything_read: bool
) -> BilledFamilies:
    """Return windows and counters at `now`; `timezones` has the billing zone of each provider.

    Until everything has been read once, it is unknown which series will be small. Counters of new series are
    left out until then: if they counted in `other` first, it would fall when they leave it.
    """
    windows: dict[str, list[tuple[Labels, Decimal]]] = {name: [] for name in WINDOW_FAMILIES}
    for provider, timezone in timezones.items():
        for labels, sums in view.window_sums(provider, billing_windows(now, timezone)):
            for name, value in zip(WINDOW_FAMILIES, sums, strict=True):
                if value is not None:
                    windows[name].append((labels, value))
    totals = view.series_totals()
    weights = _weights(windows, totals)
    already = {each.labels for each in totals if each.published == "own"}
    own = own_labels(weights, already, max_series)
    kept = kept_labels(weights, max_series)
    counted = [each for each in totals if everything_read or each.published is not None]
    folded_windows = {family: fold(windows[name], own, kept) for name, family in WINDOW_FAMILIES.items()}
    folded_counters = {
        metrics.SPEND_BILLED_USD_TOTAL: _fold_counters(_billed(counted), own, kept),
        metrics.SPEND_BILLED_CREDIT_USD_TOTAL: _fold_counters(_credits(counted), own, kept),
    }
    families = [FamilySamples(family, _samples(sums)) for family, (sums, _) in folded_windows.items()]
    families += [
        FamilySamples(family, _samples(each.sums), each.created, each.beginning)
        for family, each in folded_counters.items()
    ]
    folded_counts = [((family.name,), float(count)) for family, (_, count) in folded_windows.items()]
    folded_counts += [((family.name,), float(each.count)) for family, each in folded_counters.items()]
    families.append(FamilySamples(metrics.SPEND_SERIES_FOLDED, folded_counts))
    return BilledFamilies(
        families=families,
        window_totals={
            name: sum((value for _, value in rows), Decimal(0)) if rows else None
            for name, rows in windows.items()
        },
        month_to_date=_by_service(windows["month_to_date"]),
        newly_own=_moved(counted, own, "own"),
        newly_folded=_moved(counted, own, "folded"),
    )


def _samples(sums: Mapping[Labels, Decimal]) -> list[tuple[Labels, float]]:
    return [(labels, _shown(value)) for labels, value in sorted(sums.items())]


def _by_service(rows: Iterable[tuple[Labels, Decimal]]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for labels, usd in rows:
        key = (labels[_PROVIDER], labels[_SERVICE_NAME])
        sums[key] = sums.get(key, Decimal(0)) + usd
    return sums


def invoice_families(view: LedgerView) -> list[FamilySamples]:
    """Return cost by invoice month, in the billing currency."""
    samples = [
        (
            (cost.billing_account_id, cost.invoice_month, cost.currency, cost.charge_category),
            _shown(cost.cost),
        )
        for cost in view.invoice_costs()
    ]
    return [FamilySamples(metrics.SPEND_INVOICE_MONTH_COST, samples)]


def lateness_families(view: LedgerView, now: datetime, timezones: Mapping[str, str]) -> list[FamilySamples]:
    """Return how far the bill reaches, what was restated, and how much is still to arrive."""
    through, exported = [], []
    last_export: dict[tuple[str, str], datetime] = {}
    for each in view.freshness():
        labels = (each.provider, each.billing_account_id, each.service_name)
        if each.billed_through is not None:
            through.append((labels, each.billed_through.timestamp()))
        exported.append((labels, each.last_export.timestamp()))
        account = labels[:2]
        last_export[account] = max(each.last_export, last_export.get(account, each.last_export))
    unsettled, settled = [], []
    for account, curve in _curves(view, now).items():
        known_until = min(now, last_export[account])
        settled.append((account, settled_through(curve, known_until).timestamp()))
        for days_ago in range(_UNSETTLED_DAYS):
            day = billing_day(now, timezones[account[0]], days_ago)
            ratio = unsettled_ratio(curve, day, now, known_until)
            if ratio is not None:
                unsettled.append(((*account, str(days_ago)), ratio))
    # Starts at zero, so that the first restatement shows as a rise.
    restated = {(provider, direction): 0.0 for provider, _ in last_export for direction in ("down", "up")}
    restated |= {(provider, direction): _shown(usd) for provider, direction, usd in view.restated()}
    return [
        FamilySamples(metrics.SPEND_BILLED_THROUGH, through),
        FamilySamples(metrics.SPEND_EXPORT_LAST, exported),
        FamilySamples(
            metrics.SPEND_RESTATED_USD_TOTAL, list(restated.items()), _restated_since(view, restated)
        ),
        FamilySamples(metrics.SPEND_UNSETTLED_RATIO, unsettled),
        FamilySamples(metrics.SPEND_SETTLED_THROUGH, settled),
    ]


def _restated_since(view: LedgerView, restated: Iterable[tuple[str, str]]) -> dict[tuple[str, ...], float]:
    """Return when nothing of each provider's bill could have been restated yet."""
    since: dict[str, float] = {}
    for provider, counted_from in view.counted_from():
        since[provider] = min(counted_from, since.get(provider, counted_from))
    return {labels: since[labels[0]] for labels in restated if labels[0] in since}


def settled_times(view: LedgerView, now: datetime) -> dict[tuple[str, str], datetime]:
    """Return the time up to which usage is settled, by provider and billing account, where that is known."""
    last_export: dict[tuple[str, str], datetime] = {}
    for each in view.freshness():
        account = (each.provider, each.billing_account_id)
        last_export[account] = max(each.last_export, last_export.get(account, each.last_export))
    return {
        account: settled_through(curve, min(now, last_export[account]))
        for account, curve in _curves(view, now).items()
    }


def _moved(totals: Iterable[SeriesTotals], own: set[Labels], to: str) -> list[int]:
    """Ids of the series that are now `to` (own or folded) and were not before."""
    return [
        each.series_id for each in totals if each.published != to and (each.labels in own) == (to == "own")
    ]


def _shown(amount: Decimal) -> float:
    """Convert an exact decimal to the nearest float, at the 15 digits that a float keeps of any decimal."""
    return float(f"{amount:.15g}")


def _weights(
    windows: Mapping[str, Sequence[tuple[Labels, Decimal]]], totals: Iterable[SeriesTotals]
) -> dict[Labels, float]:
    """Importance of all known labels: dollars of the two months, then of their whole counters."""
    weights: dict[Labels, float] = {}
    for each in totals:
        moved = float(each.billed_usd + each.credit_usd)
        weights[each.labels] = weights.get(each.labels, 0.0) + moved * 1e-9
    for name in ("month_to_date", "last_month"):
        for labels, value in windows[name]:
            weights[labels] = weights.get(labels, 0.0) + abs(float(value))
    return weights


def _billed(totals: Iterable[SeriesTotals]) -> list[_Counter]:
    return [
        _Counter(each, each.billed_usd, each.billed_base_usd)
        for each in totals
        if each.labels[-1] in _BILLED_CATEGORIES
    ]


def _credits(totals: Iterable[SeriesTotals]) -> list[_Counter]:
    return [
        _Counter(each, each.credit_usd, each.credit_base_usd)
        for each in totals
        if each.credit_usd or each.labels[-1] not in _BILLED_CATEGORIES
    ]


def _fold_counters(counters: Sequence[_Counter], own: set[Labels], kept: Sequence[str]) -> _FoldedCounters:
    """Fold counters so that none falls when one becomes a series of its own: its past stays in `other`."""
    parts: list[tuple[Labels, Decimal]] = []
    past: list[tuple[Labels, Decimal]] = []
    begun: list[Start] = []
    for each in counters:
        series, labels = each.series, each.series.labels
        behind = Decimal(0)
        if labels in own:
            behind = each.total if series.published == "folded" else each.base
        parts.append((labels, each.total - behind))
        begun.append((labels if labels in own else folded(labels, kept), series.counted_from, series.unseen))
        if behind:
            past.append((labels, behind))
            begun.append((folded(labels, kept), series.counted_from, False))
    sums, count = fold(parts, own, kept)
    for labels, value in fold(past, frozenset(), kept)[0].items():
        sums[labels] = sums.get(labels, Decimal(0)) + value
    return _FoldedCounters(sums, count, *starts(begun))


def _curves(view: LedgerView, now: datetime) -> dict[tuple[str, str], ArrivalCurve]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    pairs: dict[tuple[str, str], list[tuple[int, float]]] = {}
    usage_hours: dict[tuple[str, str], int] = {}
    for each in view.arrivals(hour - LEARNT_FROM, hour - LEARNT_UNTIL):
        account = (each.provider, each.billing_account_id)
        pairs.setdefault(account, []).append((each.age_hours, each.usd))
        usage_hours[account] = each.usage_hours
    curves = {account: arrival_curve(pairs[account], usage_hours[account]) for account in pairs}
    return {account: curve for account, curve in curves.items() if curve is not None}
