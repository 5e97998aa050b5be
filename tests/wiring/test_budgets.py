"""From the configuration to budgets, and to the labels and tags that they need of every bill."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.config.budgets import DAILY_LIMIT_NAME
from exporter.config.model import Config, parse
from exporter.wiring.budgets import alert_thresholds, budget_rules, kept_tags

BILL = {"billing_export": {"files": ["exports/*.parquet"]}}
LIMITS = {"daily_limit_usd": 100.25, "hourly_spike_threshold": 7.5}


def config(*, gcp: dict[str, Any] | None = None, **more: Any) -> Config:
    return parse(json.dumps({"gcp": {**BILL, **(gcp or {})}, **more}), Path("/etc"))


def test_the_daily_limit_is_the_first_budget_and_exact() -> None:
    budgets = [{"name": "all", "period": "month", "limit_usd": 0.1}]
    found = budget_rules(config(gcp={"budget_alerts": LIMITS}, budgets=budgets)).budgets
    assert [(each.name, each.period, each.limit) for each in found] == [
        (DAILY_LIMIT_NAME, "day", Decimal("100.25")),
        ("all", "month", Decimal("0.1")),
    ]
    assert found[0].match.providers == ("gcp",)
    assert found[1].match.providers == ()


def test_google_cloud_that_is_off_has_no_daily_limit() -> None:
    logs = {"usage_logs": ["*.jsonl"]}
    assert budget_rules(config(gcp={"budget_alerts": LIMITS, "enabled": False}, llm=logs)).budgets == ()


@pytest.mark.parametrize(
    ("more", "usd"),
    [({}, 7.5), ({"alerts": {"spike_score": 5}}, 7.5), ({"alerts": {"hourly_spike_usd": 3}}, 3)],
)
def test_the_alerts_own_spike_comes_before_that_of_google_cloud(more: dict[str, Any], usd: float) -> None:
    assert alert_thresholds(config(gcp={"budget_alerts": LIMITS}, **more))["hourly_spike_usd"] == usd


def test_labels_and_tags_of_budgets_are_kept_with_those_of_rules() -> None:
    match = {"labels": {"team": "shop"}, "tags": {"env": "prod"}}
    found = config(
        budgets=[
            {"name": "shop", "period": "month", "limit_usd": 1, "match": match},
            {"name": "all", "period": "month", "limit_usd": 1},
        ],
        label_costs=["branch"],
    )
    assert kept_tags(found) == ("label:branch", "label:team", "tag:env")
