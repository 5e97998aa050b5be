"""The keys of budgets and of the figures for alerts: what is accepted, and how every mistake is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.config.budgets import Alerts
from exporter.config.model import Config, parse
from exporter.config.problems import ConfigError
from tests.support.config_documents import BY_NAME, FROM_FILES, with_value

BUDGET: dict[str, Any] = {"name": "ml", "limit_usd": 2000}


def parsed(budgets: object, **more: object) -> Config:
    return parse(json.dumps({**BY_NAME, "budgets": budgets, **more}), Path("/etc"))


def problems(budgets: object, **more: object) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        parsed(budgets, **more)
    return [(problem.key, problem.text) for problem in caught.value.problems]


def test_a_budget_needs_a_name_and_a_limit_and_has_a_default_for_all_else() -> None:
    [budget] = parsed([BUDGET]).budgets or ()
    assert (budget.name, budget.period, budget.limit_usd) == ("ml", "month", 2000.0)
    assert budget.match is None
    assert budget.credits
    assert budget.timezone is None
    actual, forecast = budget.thresholds.actual, budget.thresholds.forecast
    assert (actual.info, actual.warning, actual.critical) == (0.5, 0.9, 1.0)
    assert (forecast.info, forecast.warning, forecast.critical) == (None, 1.0, None)


def test_every_key_of_a_budget_is_taken() -> None:
    [budget] = (
        parsed(
            [
                {
                    **BUDGET,
                    "period": "week",
                    "match": {"providers": ["openai"], "category": "ml", "labels": {"team": "a"}},
                    "credits": False,
                    "thresholds": {"actual": {"info": None, "warning": 0.8}, "forecast": {"critical": 2}},
                    "timezone": "Europe/Berlin",
                }
            ],
            cost_attribution={"ml": ["aiplatform"]},
        ).budgets
        or ()
    )
    assert budget.match is not None
    assert (budget.match.providers, budget.match.category) == (("openai",), ("ml",))
    assert not budget.credits
    assert budget.timezone == "Europe/Berlin"
    assert (budget.thresholds.actual.info, budget.thresholds.actual.critical) == (None, 1.0)
    assert budget.thresholds.forecast.critical == 2.0


@pytest.mark.parametrize(
    ("changed", "key", "text"),
    [
        ({"limit_usd": 0}, "budgets[0].limit_usd", "expected a number of dollars above 0, got 0"),
        ({"limit_usd": "7"}, "budgets[0].limit_usd", "for example limit_usd: 2000"),
        ({"period": "hour"}, "budgets[0].period", "day, week, month, quarter or year, got 'hour'"),
        ({"name": ""}, "budgets[0].name", "a name of 1 to 100 characters"),
        ({"name": "a\nb"}, "budgets[0].name", "on one line"),
        ({"timezone": "Mars/Base"}, "budgets[0].timezone", "a time zone by its IANA name, got 'Mars/Base'"),
        ({"match": {}}, "budgets[0].match", "has no condition, so every charge would match"),
        ({"match": {"project": ["a"]}}, "budgets[0].match.project", "did you mean projects"),
        ({"credits": "no"}, "budgets[0].credits", "true or false"),
        ({"thresholds": {"actual": {"info": 0}}}, "budgets[0].thresholds.actual.info", "or null for none"),
        ({"thresholds": {"actual": {"page": 1}}}, "budgets[0].thresholds.actual.page", "no such key"),
        ({"limit": 7}, "budgets[0].limit", "did you mean limit_usd"),
        ({"name": "gcp daily limit"}, "budgets[0].name", "that the exporter makes itself"),
        ({"name": "openai spend limit"}, "budgets[0].name", "that the exporter makes itself"),
        ({"match": {"category": "none"}}, "budgets[0].match.category", "cost_attribution does not have"),
    ],
)
def test_a_mistake_in_a_budget_is_reported_at_its_place(changed: dict[str, Any], key: str, text: str) -> None:
    [(found, reported)] = problems([{**BUDGET, **changed}])
    assert found == key
    assert text in reported


@pytest.mark.parametrize("value", ["ml", {"name": "ml"}, 7, [7], [None]])
def test_budgets_of_another_form_are_refused(value: object) -> None:
    [(key, text)] = problems(value)
    assert key.startswith("budgets")
    assert "expected a list of budgets" in text


def test_what_is_missing_is_reported_together() -> None:
    assert {key for key, _ in problems([{}, BUDGET])} == {"budgets[0].name", "budgets[0].limit_usd"}


def test_two_budgets_of_one_name_are_refused() -> None:
    [(key, text)] = problems([BUDGET, {**BUDGET, "period": "day"}])
    assert key == "budgets[1].name"
    assert "of an earlier budget" in text


def test_a_category_below_gcp_and_the_rest_are_known() -> None:
    gcp = with_value(BY_NAME, ("gcp", "cost_attribution"), {"ml": ["aiplatform"]})["gcp"]
    match = {"category": ["ml", "unattributed"]}
    assert parsed([{**BUDGET, "match": match}], gcp=gcp).budgets


def test_thresholds_of_alerts_are_taken_and_checked() -> None:
    assert parsed(None, alerts={"hourly_spike_usd": 25, "spike_score": 0}).alerts.hourly_spike_usd == 25.0
    [(key, text)] = problems(None, alerts={"day_jump_usd": -1})
    assert (key, "for example day_jump_usd: 20.0" in text) == ("alerts.day_jump_usd", True)
    assert all(field.description and field.default > 0 for field in Alerts.model_fields.values())


def test_cloud_billing_budgets_need_the_account() -> None:
    document = with_value(FROM_FILES, ("gcp", "budgets"), {"enabled": True})
    with pytest.raises(ConfigError, match=r"gcp\.billing_account_id.*is missing"):
        parse(json.dumps(document), Path("/etc"))
    account = with_value(document, ("gcp", "billing_account_id"), "01AB23-4C5D67-89EF01")
    gcp = parse(json.dumps(account), Path("/etc")).gcp
    assert gcp is not None
    assert gcp.budgets.enabled


def test_the_limits_of_the_first_version_have_an_effect() -> None:
    gcp = {**BY_NAME["gcp"], "budget_alerts": {"daily_limit_usd": 100.0, "hourly_spike_threshold": 10.0}}
    assert parsed(None, gcp=gcp).keys_without_effect == ()
