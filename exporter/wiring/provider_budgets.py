"""The budgets that sources have found at the providers, as budgets of the exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from exporter.analysis.bill.attribution import Match
from exporter.config.budgets import DAILY_LIMIT_NAME, OPENAI_LIMIT_NAME
from exporter.metrics.outlooks.budget import Basis, Budget, Severity, Threshold
from exporter.sources.google.billing_budgets.budgets import CloudBudget
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.llm.openai import OpenAISource
from exporter.wiring.budgets import default_thresholds


def told_budgets(sources: Iterable[object], taken: Iterable[str] = ()) -> list[Budget]:
    """Return the budgets of all sources; one whose name is taken has its id behind it."""
    names = {*taken, DAILY_LIMIT_NAME, OPENAI_LIMIT_NAME}
    found: list[Budget] = []
    for source in sources:
        if isinstance(source, BillingBudgetsSource):
            for each in source.budgets:
                name = each.name if each.name not in names else f"{each.name} ({each.budget_id})"
                names.add(name)
                found.append(replace(_cloud(each), name=name))
        if isinstance(source, OpenAISource) and source.spend_limit_usd is not None:
            match = Match(providers=("openai",))
            limit = source.spend_limit_usd
            found.append(Budget(OPENAI_LIMIT_NAME, "month", limit, match, thresholds=default_thresholds()))
    return found


def _cloud(told: CloudBudget) -> Budget:
    return Budget(
        told.name,
        told.period,
        told.limit,
        Match(providers=("gcp",), projects=told.projects, services=told.services, labels=dict(told.labels)),
        with_credits=told.with_credits,
        thresholds=tuple(_thresholds(told.thresholds)),
        custom_period=told.custom_period,
        currency=told.currency,
    )


def _thresholds(rules: Sequence[tuple[Basis, float]]) -> Iterator[Threshold]:
    """The lowest rule of each severity: Cloud Billing knows shares alone."""
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
