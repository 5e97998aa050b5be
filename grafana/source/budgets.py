"""Budgets and forecast: how much is used, whether it will last, and what is out of the ordinary."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE, RED
from grafana.source.fields import RATIO, USD, WHEN, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

CHOSEN: Final = 'budget="$budget", period="$period"'
USED_RATIO: Final = Reading(RATIO, 0, ((0, GREEN), (0.9, ORANGE), (1, RED)), minimum=0)


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.BUDGETS,
        "How much of each budget is used, whether it will last, and what the month will cost.",
        [
            Choice("budget", "spend_budget_limit_usd", "Budget", one=True),
            Choice("period", 'spend_budget_limit_usd{budget="$budget"}', "Period", one=True),
        ],
        [
            Section("All budgets", _all()),
            Section("The budget $budget of the $period", _chosen()),
            Section("What will the month cost", _forecast()),
            Section("Out of the ordinary", _spikes()),
        ],
        events=[BUDGET_CROSSINGS],
        since="now-7d",
    )


def _all() -> list[Placed]:
    def figure(metric: str) -> str:
        return f"max by (budget, period) (spend_budget_{metric})"

    return [
        ranking(
            "How much is used?",
            "Used share of each limit, billed and estimated. Orange from 90 %, red when it is spent.",
            Query(figure("used_ratio"), "{{budget}} ({{period}})"),
            empty=reasons.NO_BUDGETS,
            reading=USED_RATIO,
            link=To(links.BUDGETS, ("budget", "period")),
            by_value=True,
            size=(8, 9),
        ),
        listing(
            "Which budgets will not last?",
            "Forecast is the whole period. Spent at: when the limit is reached at today's pace; empty: not "
            "in this period.",
            {"budget": "Budget", "period": "Period"},
            Column("Used", figure("used_ratio"), USED_RATIO),
            Column("Planned", figure("expected_ratio"), Reading(RATIO, 0)),
            Column("Limit", figure("limit_usd")),
            Column("Left", figure("remaining_usd"), Reading(USD, 2, ((0, RED), (0, GREEN)))),
            Column("Forecast", figure("forecast_usd")),
            Column("Spent at", f"1000 * {figure('exhausted_timestamp_seconds')}", Reading(WHEN, None)),
            empty=reasons.NO_BUDGETS,
            links={"budget": To(links.BUDGETS, ("budget",))},
            size=(16, 9),
        ),
    ]


def _chosen() -> list[Placed]:
    def figure(metric: str, more: str = "") -> str:
        return f"max(spend_budget_{metric}{{{CHOSEN}{more}}})"

    return [
        over_time(
            "Is it on plan?",
            "What is used, the limit, and the plan: what the usual season would have used by now.",
            Query(figure("used_usd"), "Used"),
            Query(
                f"max(spend_budget_expected_ratio{{{CHOSEN}}} * spend_budget_limit_usd{{{CHOSEN}}})",
                "Plan",
                dashed=True,
            ),
            Query(figure("limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
        ),
        over_time(
            "What will the whole period cost?",
            "Median of the forecast, its 10 % to 90 % band, and the limit.",
            Query(figure("forecast_quantile_usd", ', quantile="0.9"'), "High"),
            Query(figure("forecast_quantile_usd", ', quantile="0.5"'), "Median"),
            Query(figure("forecast_quantile_usd", ', quantile="0.1"'), "Low"),
            Query(figure("limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            band=("High", "Low"),
        ),
        over_time(
            "What is billed, what is estimated?",
            "The two parts of what is used.",
            Query(figure("billed_usd"), "Billed"),
            Query(figure("estimated_usd"), "Estimated"),
            empty=reasons.NO_BUDGETS,
            stacked=True,
            size=(16, 8),
        ),
        number(
            "When is it spent?",
            "When the limit is, or was, reached at today's pace. Empty: not within this period.",
            Query(f"1000 * {figure('exhausted_timestamp_seconds')}"),
            empty="Not in this period, or no budget",
            reading=Reading(WHEN, None, ((0, ORANGE),)),
            size=(8, 8),
        ),
    ]


def _forecast() -> list[Placed]:
    return [
        over_time(
            "What will the month cost, all providers?",
            "Forecast of the whole billing month. The band adds up each provider's quantiles, so it is a "
            "little wide.",
            *(
                Query(f'sum(spend_forecast_month_end_usd{{quantile="{quantile}"}})', legend)
                for legend, quantile in (("High", "0.9"), ("Median", "0.5"), ("Low", "0.1"))
            ),
            Query("sum(spend_nowcast_month_to_date_usd)", "So far"),
            empty=reasons.NO_NOWCAST,
            link=To(links.OVERVIEW),
            band=("High", "Low"),
        ),
        listing(
            "What will it cost, by provider?",
            "So far and at the end of the month: the median, and the values that it will be above and "
            "below with 90 %.",
            {"provider": "Provider"},
            Column("Month end", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.5"})'),
            Column("Low", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.1"})'),
            Column("High", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.9"})'),
            Column("So far", "sum by (provider) (spend_nowcast_month_to_date_usd)"),
            Column("Whole of today", "sum by (provider) (spend_forecast_day_usd)"),
            empty=reasons.NO_NOWCAST,
            links={"provider": To(links.OVERVIEW, ("provider",))},
            size=(12, 8),
        ),
    ]


def _spikes() -> list[Placed]:
    def spike(metric: str) -> str:
        return f"max by (provider, service_name, sku) (spend_spike_{metric})"

    return [
        listing(
            "Which hour cost more than it should?",
            "The latest hour that can be judged, against the same hour of earlier days. No SKU: the whole "
            "service.",
            {"provider": "Provider", "service_name": "Service", "sku": "SKU"},
            Column("Above normal", spike("usd"), Reading(USD, 2, ((0, GREEN), (10, ORANGE), (100, RED)))),
            Column("The hour", spike("hour_usd")),
            Column("Normal", spike("normal_usd")),
            Column("Score", spike("score"), Reading("none", 1)),
            empty="No hour can be judged yet",
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",))},
            size=(16, 9),
        ),
        listing(
            "From where on do alerts fire?",
            "Thresholds that the rules compare with, from the key `alerts` of the configuration.",
            {"name": "Threshold"},
            Column("Value", "max by (name) (spend_alert_threshold)", Reading("none", 2, ((0, BLUE),))),
            empty="The exporter tells no thresholds: is it an older version?",
            size=(8, 9),
        ),
    ]
