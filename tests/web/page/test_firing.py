from dataclasses import replace

from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.web.page.firing import Passed, passed_thresholds, worst_severity
from exporter.wiring.budgets import default_thresholds
from tests.support.outlooks import daily_limit
from tests.support.page_world import EVIL, NOW, evil_snapshot


def budget(limit: str) -> BudgetOutlook:
    """34 dollars are used, 98 are forecast."""
    without = daily_limit(limit, *evil_snapshot().outlooks)
    return replace(without, budget=replace(without.budget, thresholds=default_thresholds()))


def passed(limit: str) -> list[Passed]:
    return passed_thresholds(replace(evil_snapshot(), budgets=(budget(limit),), sources=(), details={}), NOW)


def test_of_each_budget_the_worst_threshold_is_said() -> None:
    name = "gcp daily limit"
    assert passed("30") == [Passed("critical", name, "112% of $30 used; critical from 100% on")]
    assert passed("36") == [Passed("warning", name, "93% of $36 used; warning from 90% on")]
    assert passed("80") == [Passed("warning", name, "forecast $98 of $80; warning from 100% on")]
    assert passed("1000") == []


def test_a_bar_has_the_colour_of_its_worst_threshold() -> None:
    assert [worst_severity(budget(limit), NOW) for limit in ("30", "36", "1000")] == [
        "critical",
        "warning",
        "",
    ]


def test_spikes_above_both_floors_and_failures_are_warnings() -> None:
    found = passed_thresholds(replace(evil_snapshot(), failed_figures=("daily_nowcast",)), NOW)
    assert [(each.severity, each.about) for each in found] == [
        *(("warning", EVIL), ("warning", "daily nowcast"), ("warning", EVIL))
    ]
    low = replace(evil_snapshot(), details={**evil_snapshot().details, "spend_spike_score": {}})
    assert [each.text for each in passed_thresholds(low, NOW)] == [
        "its last refresh failed; see the sources below"
    ]
