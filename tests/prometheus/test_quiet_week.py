"""A calm week with a month's end in it fires no alert; the same week with a runaway cost does."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.prometheus.rule_files import RULE_FILES, rule_groups
from tests.prometheus.test_rules import THRESHOLDS
from tests.support.programs import needs

pytestmark = needs("promtool", "prometheus")

STEP_SECONDS: Final = 900
DAY: Final = 86400
DAYS: Final = 8
MONTH_ENDS: Final = 4 * DAY
MONTH: Final = 30 * DAY
TARGET: Final = 'job="spend-exporter",instance="exporter:9877"'

FIRED: Final = 'ALERTS{alertstate="firing"}'

Value = Callable[[int], float]
Seen = Callable[[int], float | None]
"""By seconds since the week began; None while the series does not exist."""


def season(second: int) -> float:
    """Spending as a multiple of the mean: quiet nights, busy days."""
    return 1 + 0.7 * math.sin(2 * math.pi * (second % DAY) / DAY - math.pi / 2)


def spent(since: int, until: int) -> float:
    """Mean hours' worth of spending between two moments: the integral of the season."""

    def reached(second: int) -> float:
        return second - 0.7 * DAY / (2 * math.pi) * math.cos(2 * math.pi * second / DAY - math.pi / 2)

    return (reached(until) - reached(since)) / 3600


def period_start(second: int) -> int:
    return MONTH_ENDS if second >= MONTH_ENDS else MONTH_ENDS - MONTH


def always(value: float) -> Value:
    return lambda second: value


def settled_day(mean_usd: float, days_before: int) -> Value:
    """A day's cost within a tenth of the mean; it is another day's after each midnight."""
    return lambda second: mean_usd * (1 + 0.1 * math.sin(second // DAY - days_before))


def calm_series() -> dict[str, Value]:
    """A company that spends $2.50 an hour in the mean, 87 % of its budget, with a bill some hours late."""

    def month(hourly_usd: float) -> Value:
        return lambda second: hourly_usd * spent(period_start(second), second)

    def hour(hourly_usd: float) -> Value:
        return lambda second: hourly_usd * season(second)

    def counter(hourly: float) -> Value:
        return lambda second: hourly * spent(0, second)

    budget, run = (
        'budget="all",period="month"',
        'project_id="shop",region_id="europe-west1",run_service="api"',
    )
    limit = 2.5 * spent(0, MONTH) / 0.87
    used = month(2.5)
    series: dict[str, Value] = {
        "up": lambda second: 1,
        'spend_exporter_build_info{version="1",python_version="3.13"}': lambda second: 1,
        f"spend_budget_limit_usd{{{budget}}}": lambda second: limit,
        f"spend_budget_used_usd{{{budget}}}": used,
        f"spend_budget_used_ratio{{{budget}}}": lambda second: used(second) / limit,
        f"spend_budget_expected_ratio{{{budget}}}": (
            lambda second: spent(period_start(second), second) / spent(0, MONTH)
        ),
        f"spend_budget_forecast_usd{{{budget}}}": lambda second: limit * (0.86 + 0.02 * season(second)),
        f"spend_budget_period_start_timestamp_seconds{{{budget}}}": period_start,
        f"spend_budget_period_end_timestamp_seconds{{{budget}}}": lambda second: period_start(second) + MONTH,
        'spend_category_month_to_date_usd{category="ai_ml"}': month(2.2),
        'spend_category_month_to_date_usd{category="unattributed"}': month(0.3),
        'spend_source_up{source="bigquery"}': lambda second: float(second % DAY != 7200),
        'spend_source_last_success_timestamp_seconds{source="bigquery"}': lambda second: second - 600,
        'spend_source_update_interval_seconds{source="bigquery"}': lambda second: 900,
        'spend_figure_success{figure="budgets"}': lambda second: float(second % DAY != 7200),
        "spend_exporter_cost_usd_per_month": lambda second: 3,
        'spend_idle_instances{project_id="shop",region_id="europe-west1"}': lambda second: 0,
        'spend_llm_estimated_usd_total{provider="openai",model="gpt-4o"}': counter(8),
        'spend_llm_proxy_usd_total{provider="openai",team="a",key_alias="b",model="gpt-4o"}': counter(7),
        f'spend_cloud_run_requests_total{{{run},revision="1",response_code_class="2xx"}}': counter(40000),
        f"spend_cloud_run_cost_per_request_usd{{{run}}}": lambda second: 0.00002 / season(second),
        f"spend_cloud_run_cold_start_ratio{{{run}}}": lambda second: 0.01 / season(second),
        'spend_nowcast_error_ratio{provider="gcp",made_at="20:00"}': lambda second: 0.03,
    }
    for service, share in (("Vertex AI", 0.7), ("Cloud Run", 0.3)):
        of = f'provider="gcp",service_name="{service}"'
        series |= {
            f"spend_burn_rate_usd_per_hour{{{of}}}": hour(2.5 * share),
            f'spend_spike_usd{{{of},sku=""}}': lambda second: 0.4 * math.sin(second),
            f'spend_spike_score{{{of},sku=""}}': lambda second: 2 * math.sin(second),
            f"spend_spike_hour_timestamp_seconds{{{of}}}": lambda second: second - 7200,
            f'spend_export_last_timestamp_seconds{{{of},billing_account_id="01AB23"}}': (
                lambda second: second - second % 21600
            ),
            f"spend_estimate_to_billed_ratio{{{of}}}": lambda second: 0.97,
            f"spend_estimate_explained_ratio{{{of}}}": lambda second: 0.9,
        }
        for days_before in (0, 1, 7):
            labels = f'{of},days_before="{days_before}"'
            series[f"spend_settled_day_usd{{{labels}}}"] = settled_day(60 * share, days_before)
    for severity, ratio in (("warning", 0.9), ("critical", 1.0)):
        labels = f'{budget},severity="{severity}",basis="actual"'
        series[f"spend_budget_threshold_ratio{{{labels}}}"] = always(ratio)
    series[f'spend_budget_threshold_ratio{{{budget},severity="warning",basis="forecast"}}'] = always(1)
    for name, value in THRESHOLDS.items():
        series[f'spend_alert_threshold{{name="{name}"}}'] = always(value)
    return series


def firing(series: Mapping[str, Seen], folder: Path) -> set[str]:
    """Names of the alerts that fired at any step."""
    return {each["alertname"] for each in fired(series, folder)}


def fired(series: Mapping[str, Seen], folder: Path) -> list[dict[str, str]]:
    """Labels of the alerts that fired at any step: promtool lists them when it expects none."""
    moments = range(0, DAYS * DAY + 1, STEP_SECONDS)
    groups = rule_groups()
    document = {
        "rule_files": [str(path) for path in RULE_FILES],
        # Alerts use what was recorded in the same step. A group that is not listed would come first.
        "group_eval_order": [
            group["name"] for group in sorted(groups, key=lambda group: "alert" in group["rules"][0])
        ],
        "evaluation_interval": f"{STEP_SECONDS}s",
        "tests": [
            {
                "interval": f"{STEP_SECONDS}s",
                "input_series": [
                    {
                        "series": re.sub(r"\{|$", f"{{{TARGET},", name, count=1)
                        + ("" if "{" in name else "}"),
                        "values": " ".join(_written(value(moment)) for moment in moments),
                    }
                    for name, value in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f"last_over_time({FIRED}[{DAYS}d])",
                        "eval_time": f"{DAYS}d",
                        "exp_samples": [],
                    }
                ],
            }
        ],
    }
    cases = folder / "week.yml"
    cases.write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, text=True, check=False)
    found = [
        dict(re.findall(r'(\w+)="([^"]*)"', labels))
        for labels in re.findall(r"\{([^{}]*alertname=[^{}]*)\}", tested.stdout + tested.stderr)
    ]
    assert bool(found) == (tested.returncode != 0), tested.stdout + tested.stderr
    return found


def _written(value: float | None) -> str:
    return "_" if value is None else f"{value:.9g}"


@pytest.mark.slow
def test_a_calm_week_fires_no_alert(tmp_path: Path) -> None:
    fired = firing(calm_series(), tmp_path)
    print(f"alerts that fired in {DAYS} calm days: {len(fired)}")  # noqa: T201
    assert fired == set()


@pytest.mark.slow
def test_a_runaway_cost_in_the_same_week_fires_the_alerts_of_its_cause(tmp_path: Path) -> None:
    series = calm_series()
    began = 6 * DAY
    model = 'spend_llm_estimated_usd_total{provider="openai",model="gpt-4o"}'
    calm = series[model]
    series[model] = lambda second: calm(second) + max(0, second - began) / 3600 * 60
    spike = 'spend_spike_usd{provider="gcp",service_name="Vertex AI",sku=""}'
    series[spike] = lambda second: 60 if second > began else 0
    series[spike.replace("_usd{", "_score{")] = lambda second: 40 if second > began else 0
    budget = 'spend_budget_used_usd{budget="all",period="month"}'
    used = series[budget]
    series[budget] = lambda second: used(second) + max(0, second - began) / 3600 * 60
    assert firing(series, tmp_path) == {
        "SpendLlmModelRunningAway",
        "SpendHourlySpike",
        "SpendBudgetBurningFast",
        "SpendBudgetBurning",
    }
