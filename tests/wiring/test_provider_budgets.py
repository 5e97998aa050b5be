"""Budgets that a provider keeps become budgets of the exporter: with its rules, and a name of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from exporter.config.budgets import DAILY_LIMIT_NAME, OPENAI_LIMIT_NAME
from exporter.metrics.outlooks.budget import Budget, Threshold
from exporter.sources.base import Change, RefreshContext
from exporter.sources.provider_budgets import ProviderBudget
from exporter.wiring.budgets import default_thresholds
from exporter.wiring.provider_budgets import provider_budgets
from tests.support.bill_source import TestedSource


@dataclass
class Keeper(TestedSource):
    """A source that has read some budgets."""

    budgets: list[ProviderBudget]
    name: str = field(default="billing_budgets", init=False)
    provider: str = field(default="gcp", init=False)
    billing_timezone: str = field(default="America/Los_Angeles", init=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        yield from ()

    def provider_budgets(self) -> Sequence[ProviderBudget]:
        return self.budgets


def kept(name: str = "ml", budget_id: str = "b-1", **changes: Any) -> ProviderBudget:
    return ProviderBudget("gcp", budget_id, name, "month", Decimal(100), **changes)


def made(*budgets: ProviderBudget, taken: tuple[str, ...] = ()) -> list[Budget]:
    return provider_budgets([Keeper(list(budgets))], taken)


@pytest.mark.parametrize(
    ("basis", "ratio", "severity"),
    [
        ("actual", 0.5, "info"),
        ("actual", 0.89, "info"),
        ("actual", 0.9, "warning"),
        ("actual", 0.99, "warning"),
        ("actual", 1.0, "critical"),
        ("actual", 1.5, "critical"),
        ("forecast", 0.99, "info"),
        ("forecast", 1.0, "warning"),
        ("forecast", 1.5, "warning"),
    ],
)
def test_a_rule_has_the_severity_of_its_share(basis: Any, ratio: float, severity: Any) -> None:
    [found] = made(kept(thresholds=((basis, ratio),)))
    assert found.thresholds == (Threshold(basis, severity, ratio),)


def test_the_lowest_rule_of_each_severity_counts_in_whatever_order_they_stand() -> None:
    rules: tuple[Any, ...] = (("actual", 0.6), ("actual", 0.4), ("actual", 0.8), ("forecast", 0.4))
    [found] = made(kept(thresholds=rules))
    assert found.thresholds == (Threshold("actual", "info", 0.4), Threshold("forecast", "info", 0.4))


def test_a_budget_without_rules_has_none_and_one_of_unknown_rules_has_the_usual_ones() -> None:
    assert [each.thresholds for each in made(kept(thresholds=()), kept("b", thresholds=None))] == [
        (),
        default_thresholds(),
    ]


def test_a_name_that_is_taken_or_reserved_has_the_id_behind_it() -> None:
    found = made(
        kept(),
        kept(budget_id="b-2"),
        kept("team", "b-3"),
        kept(DAILY_LIMIT_NAME, "b-4"),
        kept(OPENAI_LIMIT_NAME, "b-5"),
        kept(OPENAI_LIMIT_NAME, OPENAI_LIMIT_NAME),
        taken=("team",),
    )
    assert [each.name for each in found] == [
        "ml",
        "ml (b-2)",
        "team (b-3)",
        f"{DAILY_LIMIT_NAME} (b-4)",
        f"{OPENAI_LIMIT_NAME} (b-5)",
        OPENAI_LIMIT_NAME,
    ]
