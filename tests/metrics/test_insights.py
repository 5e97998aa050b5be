"""What people are told of: budgets, spikes above the floors, the largest savings; the most severe first."""

from __future__ import annotations

from typing import Any

from exporter.metrics.insights import insights
from exporter.metrics.summary_schema import BudgetUse

FLOORS = {("hourly_spike_usd",): 10.0, ("spike_score",): 6.0}
RUN = ("gcp", "Cloud Run", "")
SKU = ("gcp", "Cloud Run", "CPU")
QUERY = ("gcp", "BigQuery", "")


def budget(name: str, used: float | None, forecast: float | None, **more: Any) -> BudgetUse:
    return BudgetUse.model_validate(
        {
            "budget": name,
            "period": "month",
            "limit_usd": 100.0,
            "used_usd": used,
            "used_ratio": None if used is None else used / 100,
            "forecast_usd": forecast,
            "partial": False,
            "covered_from": None,
            **more,
        }
    )


def test_budgets_above_their_limit_come_before_those_that_will_be_and_those_nearly_used() -> None:
    found = insights(
        {},
        [
            budget("calm", 10, 50),
            budget("near", 92, None),
            budget("soon", 60, 140.4, period="custom"),
            budget("over", 130, 200),
            budget("unknown", None, None),
        ],
    )
    assert [(each.severity, each.text) for each in found] == [
        ("critical", "Budget over is above its limit of $100: $130 used"),
        ("warning", "Budget soon will be above its limit of $100: $140 expected by the end of its period"),
        ("warning", "Budget near is nearly used: 92% of its limit of $100"),
    ]
    assert [each.usd for each in found] == [30.0, 40.400000000000006, None]


def test_spikes_of_whole_services_above_both_floors_are_told() -> None:
    found = insights(
        {
            "spend_alert_threshold": FLOORS,
            "spend_spike_usd": {RUN: 12.5, SKU: 12.0, QUERY: 40.0},
            "spend_spike_score": {RUN: 7.0, SKU: 9.0, QUERY: 3.0},
            "spend_spike_hour_usd": {RUN: 15.0},
            "spend_spike_hour_timestamp_seconds": {RUN[:2]: 1_795_000_000.0 // 3600 * 3600},
        },
        [],
    )
    assert [(each.text, each.usd) for each in found] == [
        ("Cloud Run: $15.00 an hour, $12.50 above normal at 11:00 UTC", 12.5)
    ]
    assert found[0].at == "2026-11-18T11:00:00.000Z"


def test_without_floors_nothing_is_a_spike() -> None:
    assert insights({"spend_spike_usd": {RUN: 12.5}, "spend_spike_score": {RUN: 7.0}}, []) == []


def test_the_five_largest_savings_are_told_in_the_words_of_their_advice() -> None:
    labels = [("gcp", "p", "r", f"disk-{number}", "") for number in range(7)]
    found = insights(
        {
            "spend_recommendation_savings_usd_per_month": {each: float(n) for n, each in enumerate(labels)},
            "spend_recommendation_info": {(*each, f"delete {each[3]}"): 1.0 for each in labels},
        },
        [],
    )
    assert [each.text for each in found] == [f"delete disk-{number}" for number in (6, 5, 4, 3, 2)]
    assert {each.severity for each in found} == {"info"}
