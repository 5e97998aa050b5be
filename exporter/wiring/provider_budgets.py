"""From budgets that sources read from their providers to budgets of the exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from exporter.analysis.bill.attribution import Match
from exporter.config.budgets import DAILY_LIMIT_NAME, OPENAI_LIMIT_NAME
from exporter.metrics.outlooks.budget import Basis, Budget, Severity, Threshold
from exporter.sources.base import Source
from exporter.sources.provider_budgets import ProviderBudget
from exporter.wiring.budgets import default_thresholds


def provider_budgets(sources: Iterable[Source], taken: Iterable[str] = ()) -> list[Budget]:
    """Return the budgets of all sources; where a name is taken, the id is added to it."""
    names = {*taken, DAILY_LIMIT_NAME}
    found: list[Budget] = []
    for source in sources:
        for each in source.provider_budgets():
            reserved = each.name == OPENAI_LIMIT_NAME and each.budget_id != OPENAI_LIMIT_NAME
            name = f"{each.name} ({each.budget_id})" if each.name in names or reserved else each.name
            names.add(name)
            found.append(replace(_budget(each), name=name))
    return found


def _budget(found: ProviderBudget) -> Budget:
    return Budget(
        found.name,
        found.period,
        found.limit,
        Match(
            providers=(found.provider,),
            billing_accounts=found.billing_accounts,
            projects=found.projects,
            services=found.services,
            labels=dict(found.labels),
        ),
        with_credits=found.with_credits,
        thresholds=default_thresholds() if found.thresholds is None else tuple(_thresholds(found.thresholds)),
        custom_period=found.custom_period,
        currency=found.currency,
    )


def _thresholds(rules: Sequence[tuple[Basis, float]]) -> Iterator[Threshold]:
    """The lowest rule of each severity: providers only have shares of the limit."""
    lowest: dict[tuple[Basis, Severity], float] = {}
    for basis, ratio in rules:
        key = (basis, _severity(basis, ratio))
        lowest[key] = min(ratio, lowest.get(key, ratio))
    for (basis, severity), ratio in lowest.items():
        yield Threshold(basis, severity, ratio)


def _severity(basis: Basis, ratio: float) -> Severity:
    if basis == "forecast":
        return "warning" if ratio >= 1.0 else "info"
    return "info" if ratio < 0.9 else "warning" if ratio < 1.0 else "critical"
