"""Overview: spend so far, burn rate, budget and forecast, changes, savings and data quality."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, DEPLOYS, Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE, RED
from grafana.source.fields import OF_LIMIT, RATIO, SECONDS, Query, Reading
from grafana.source.links import BOARD, To, by_board
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, over_time, ranking
from grafana.source.tables import Column, listing, movers

LLM_SERVICES: Final = "Vertex AI|Gemini API|OpenAI API|Claude.*|LLM API|Amazon Bedrock|Azure OpenAI.*"
"""Services that count as language models, from any provider; all of Vertex AI counts."""

BY_PROVIDER: Final = To(BOARD, ("provider", "service_name"))

PROVIDER: Final = 'provider=~"$provider"'
LARGEST_MONTH_BUDGET: Final = (
    "and on (budget, period) topk(1, max by (budget, period) (spend_budget_limit_usd{period='month'}))"
)


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.OVERVIEW,
        "Spend so far, burn rate, budget, forecast and changes. Click a figure for details.",
        [Choice("provider", "spend_nowcast_today_usd", "Provider")],
        [
            Section("Spend so far", _totals()),
            Section("Burn rate and top services", _speed()),
            Section("Budget and forecast", _lasting()),
            Section("Changes and alerts", _changes()),
            Section("Savings and data quality", _trust()),
        ],
        events=[BUDGET_CROSSINGS, DEPLOYS],
    )


def _totals() -> list[Placed]:
    today = f"spend_nowcast_today_usd{{{PROVIDER}"
    return [
        number(
            "Today",
            "Best estimate for today so far: billed cost plus usage that is not billed yet. Days are the "
            "provider's billing days.",
            Query(f"sum({today}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
        ),
        number(
            "Today by type",
            "The parts of today's total. Language models of all providers count, and all of Vertex AI.",
            Query(
                f'sum({today}, provider="gcp", service_name!~"{LLM_SERVICES}"}})',
                "Google Cloud",
                link=To(links.GOOGLE_CLOUD),
            ),
            Query(
                f'sum({today}, service_name=~"{LLM_SERVICES}"}})',
                "Language models",
                link=To(links.LANGUAGE_MODELS, (), ("provider",)),
            ),
            Query(f'sum({today}, provider!="gcp", service_name!~"{LLM_SERVICES}"}})', "Other providers"),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
            size=(8, 4),
        ),
        number(
            "Burn rate",
            "Current cost per hour: from live usage if there is any, otherwise from the bill. Without tax "
            "and corrections.",
            Query(f"sum(spend_burn_rate_usd_per_hour{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD),
        ),
        number(
            "This month",
            "Best estimate for the billing month so far: billed cost plus usage that is not billed yet.",
            Query(f"sum(spend_nowcast_month_to_date_usd{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD),
        ),
        number(
            "Budget",
            "The forecast for the month as a share of the limit, of the monthly budget with the highest "
            "limit. Orange from 90 %, red when the limit will be exceeded.",
            Query(
                "max by (budget, period) (spend_budget_forecast_usd)"
                f" / max by (budget, period) (spend_budget_limit_usd) {LARGEST_MONTH_BUDGET}",
                "{{budget}}",
            ),
            empty=reasons.NO_BUDGETS,
            reading=OF_LIMIT,
            link=To(links.BUDGETS, ("budget", "period")),
        ),
    ]


def _speed() -> list[Placed]:
    return [
        over_time(
            "Burn rate by service",
            "Current cost per hour of each service, stacked. Without tax and corrections.",
            Query(
                by_board(f"sum by (provider, service_name) (spend_burn_rate_usd_per_hour{{{PROVIDER}}})"),
                "{{service_name}}",
            ),
            empty=reasons.NO_NOWCAST,
            link=BY_PROVIDER,
            stacked=True,
            size=(14, 10),
        ),
        ranking(
            "Top services today",
            "The ten services with the highest cost today, billed and estimated.",
            Query(
                by_board(
                    f"topk(10, sum by (provider, service_name) (spend_nowcast_today_usd{{{PROVIDER}}}))"
                ),
                "{{service_name}}",
            ),
            empty=reasons.NO_NOWCAST,
            link=BY_PROVIDER,
            size=(10, 10),
        ),
    ]


def _lasting() -> list[Placed]:
    def of_largest(expr: str) -> str:
        return f"max by (budget, period) ({expr}) {LARGEST_MONTH_BUDGET}"

    return [
        over_time(
            "Largest monthly budget",
            "The used amount, the limit, and the plan: the usual amount by this time of the month.",
            Query(of_largest("spend_budget_used_usd"), "Used"),
            Query(of_largest("spend_budget_expected_ratio * spend_budget_limit_usd"), "Plan", dashed=True),
            Query(of_largest("spend_budget_limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            link=To(links.BUDGETS),
            size=(8, 8),
        ),
        _forecast("Forecast of today", "day", "spend_forecast_day_end_usd"),
        _forecast("Month-end forecast", "month", "spend_forecast_month_end_usd"),
    ]


def _forecast(title: str, span: str, metric: str) -> Placed:
    return over_time(
        title,
        f"Forecast for the whole billing {span}. The band adds up the 10 % and 90 % quantiles of the "
        "providers, so it is slightly too wide.",
        *_quantiles(metric),
        empty=reasons.NO_NOWCAST,
        link=To(links.BUDGETS),
        band=("High", "Low"),
        size=(8, 8),
    )


def _quantiles(metric: str) -> list[Query]:
    return [
        Query(f'sum({metric}{{{PROVIDER}, quantile="{quantile}"}})', legend)
        for legend, quantile in (("High", "0.9"), ("Median", "0.5"), ("Low", "0.1"))
    ]


def _changes() -> list[Placed]:
    def settled(days_before: int) -> str:
        day = f'spend_settled_day_usd{{{PROVIDER}, days_before="{days_before}"}}'
        return f"sum by (provider, service_name) ({day})"

    moved = f"({settled(0)} - {settled(1)})"
    return [
        over_time(
            "Cost by day and service",
            "Billed net cost of the last 30 days, by the provider's billing days. Recent days still grow.",
            Query(
                by_board(
                    "sum by (provider, service_name) "
                    f"(sum_over_time(spend_daily_usd{{{PROVIDER}}}[1d] offset -1d))"
                ),
                "{{service_name}}",
            ),
            empty=reasons.NO_HISTORY,
            link=BY_PROVIDER,
            stacked=True,
            bars=True,
            step="1d",
            days=30,
            total=True,
            size=(24, 10),
        ),
        movers(
            "Largest changes by service",
            "Change from the day before to the newest settled day: the five largest increases and decreases.",
            "service_name",
            by_board(f"(topk(5, {moved} > 0) or bottomk(5, {moved} < 0))"),
            empty=reasons.NO_SETTLED_DAYS,
            link=BY_PROVIDER,
        ),
        listing(
            "Firing alerts",
            "Spend alerts that fire now. Prometheus must load the rules in prometheus/rules.",
            {"alertname": "Alert", "severity": "Severity"},
            Column(
                "Firing",
                'count by (alertname, severity) (ALERTS{alertname=~"Spend.*", alertstate="firing"})',
                Reading("none", 0, ((0, ORANGE),)),
            ),
            empty="No alerts are firing",
            size=(14, 8),
        ),
    ]


def _trust() -> list[Placed]:
    return [
        number(
            "Possible savings",
            "Savings from all current recommendations together, in an average month.",
            Query(f"sum(spend_recommendation_savings_usd_per_month{{{PROVIDER}}})"),
            empty=reasons.NO_FINDINGS,
            link=To(links.GOOGLE_CLOUD),
            size=(6, 4),
        ),
        number(
            "Bill age",
            "Time since each provider last added to its bill. Some hours are normal; more than a day and a "
            "half is a problem.",
            Query(
                f"time() - max by (provider) (spend_export_last_timestamp_seconds{{{PROVIDER}}})",
                "{{provider}}",
            ),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, ((0, GREEN), (86400, ORANGE), (129600, RED))),
            link=To(links.EXPORTER),
            size=(6, 4),
        ),
        number(
            "Estimate error",
            "Mean absolute error of a whole day's estimate, made at noon, as a share of the day's final "
            "bill.",
            Query(f'spend_nowcast_absolute_error_ratio{{{PROVIDER}, made_at="12:00"}}', "{{provider}}"),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, ((0, GREEN), (0.1, ORANGE), (0.25, RED))),
            link=To(links.EXPORTER),
            size=(6, 4),
        ),
        number(
            "Not billed yet",
            "Share of yesterday's final cost that is not in the bill yet, learned from how late this "
            "account's charges usually arrive.",
            Query(f'max(spend_unsettled_ratio{{{PROVIDER}, days_ago="1"}})'),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 0, ((0, BLUE),)),
            link=To(links.GOOGLE_CLOUD),
            size=(6, 4),
        ),
    ]
