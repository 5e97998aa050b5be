"""From the outlooks of budgets to metric families, and the thresholds of alert rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from exporter.metrics import families as metrics
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook

_Sample = tuple[Family, tuple[str, ...], float]


def budget_families(budgets: Sequence[BudgetOutlook], now: datetime) -> list[FamilySamples]:
    """Return the state of each budget at `now`. Without any data: only its limit and thresholds."""
    found: dict[Family, list[tuple[tuple[str, ...], float]]] = {}
    for each in budgets:
        labels = (each.budget.name, each.budget.period)
        for family, more, value in (*_settings(each), *_state(each, now)):
            found.setdefault(family, []).append(((*labels, *more), value))
    return [FamilySamples(family, samples) for family, samples in found.items()]


def threshold_family(thresholds: Mapping[str, float]) -> FamilySamples:
    """Return the thresholds of alert rules, by name."""
    return FamilySamples(
        metrics.SPEND_ALERT_THRESHOLD, [((name,), value) for name, value in sorted(thresholds.items())]
    )


def _settings(each: BudgetOutlook) -> Iterator[_Sample]:
    begin, end = each.period
    yield metrics.SPEND_BUDGET_PERIOD_START, (), begin.timestamp()
    yield metrics.SPEND_BUDGET_PERIOD_END, (), end.timestamp()
    if each.limit_usd is not None:
        yield metrics.SPEND_BUDGET_LIMIT_USD, (), float(each.limit_usd)
    for threshold in each.budget.thresholds:
        labels = (threshold.severity, threshold.basis)
        yield metrics.SPEND_BUDGET_THRESHOLD_RATIO, labels, threshold.ratio


def _state(each: BudgetOutlook, now: datetime) -> Iterator[_Sample]:
    state = each.state(now)
    if state is None:
        return
    yield metrics.SPEND_BUDGET_BILLED_USD, (), _shown(state.billed_usd)
    yield metrics.SPEND_BUDGET_ESTIMATED_USD, (), _shown(state.estimated_usd)
    yield metrics.SPEND_BUDGET_USED_USD, (), _shown(state.used_usd)
    yield metrics.SPEND_BUDGET_REMAINING_USD, (), _shown(state.remaining_usd)
    yield metrics.SPEND_BUDGET_USED_RATIO, (), state.used_ratio
    yield metrics.SPEND_BUDGET_PARTIAL, (), float(each.covered_from is not None)
    yield metrics.SPEND_BUDGET_EXPECTED_RATIO, (), state.expected_ratio
    yield metrics.SPEND_BUDGET_FORECAST_USD, (), state.forecast_usd[0.5]
    for quantile, usd in state.forecast_usd.items():
        yield metrics.SPEND_BUDGET_FORECAST_QUANTILE_USD, (f"{quantile:g}",), usd
    if state.exhausted_at is not None:
        yield metrics.SPEND_BUDGET_EXHAUSTED, (), state.exhausted_at.timestamp()
    for service, part in sorted(each.used(now).items()):
        yield metrics.SPEND_BUDGET_SERVICE_USED_USD, service, _shown(part.used_usd)


def _shown(amount: Decimal) -> float:
    """Convert an exact decimal to the nearest float, at the 15 digits that a float keeps of any decimal."""
    return float(f"{amount:.15g}")
