"""Budgets and forecast: what is used, what the period will cost, spikes and alert thresholds."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.colours import BLUE, ORANGE, RED
from grafana.source.fields import OF_LIMIT, RATIO, USD, WHEN, Query, Reading
from grafana.source.links import BOARD, To, by_board
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, over_time, ranking
from grafana.source.tables import Column, listing

CHOSEN: Final = 'budget="$budget", period="$period"'


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.BUDGETS,
        "How much of each budget is used, the forecast for its period, and the forecast for the month.",
        [
            Choice("budget", "spend_budget_limit_usd", "Budget", one=True),
            Choice("period", 'spend_budget_limit_usd{budget="$budget"}', "Period", one=True),
        ],
        [
            Section("All budgets", _all()),
            Section("Budget $budget ($period)", _chosen()),
            Section("Month-end forecast", _forecast()),
            Section("Spikes and thresholds", _spikes()),
        ],
        events=[BUDGET_CROSSINGS],
        since="now-7d",
    )


def _all() -> list[Placed]:
    def figure(metric: str) -> str:
        return f"max by (budget, period) (spend_budget_{metric})"

    return [
        ranking(
            "Forecast of limit",
            "Forecast for the whole period as a share of the limit. Orange from 90 %, red from 100 %.",
            Query(f"{figure('forecast_usd')} / {figure('limit_usd')}", "{{budget}} ({{period}})"),
            empty=reasons.NO_BUDGETS,
            reading=OF_LIMIT,
            link=To(links.BUDGETS, ("budget", "period")),
            by_value=True,
            size=(8, 9),
        ),
        listing(
            "Budget status",
            "Forecast is for the whole period, and is judged against the limit. Exhausted is when the "
            "limit is reached at today's pace; empty "
            "if not in this period.",
            {"budget": "Budget", "period": "Period"},
            Column("Of limit", f"{figure('forecast_usd')} / {figure('limit_usd')}", OF_LIMIT),
            Column("Used", figure("used_ratio"), Reading(RATIO, 0)),
            Column("Planned", figure("expected_ratio"), Reading(RATIO, 0)),
            Column("Limit", figure("limit_usd")),
            Column("Remaining", figure("remaining_usd"), Reading(USD, 2, ((0, RED), (0, BLUE)))),
            Column("Forecast", figure("forecast_usd")),
            Column("Exhausted", f"1000 * {figure('exhausted_timestamp_seconds')}", Reading(WHEN, None)),
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
            "Used and planned",
            "The used amount, the limit, and the plan: the usual amount by this time of the period.",
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
            "Period-end forecast",
            "Median of the forecast for the whole period, its 10 % to 90 % band, and the limit.",
            Query(figure("forecast_quantile_usd", ', quantile="0.9"'), "High"),
            Query(figure("forecast_quantile_usd", ', quantile="0.5"'), "Median"),
            Query(figure("forecast_quantile_usd", ', quantile="0.1"'), "Low"),
            Query(figure("limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            band=("High", "Low"),
        ),
        over_time(
            "Billed and estimated",
            "The two parts of the used amount.",
            Query(figure("billed_usd"), "Billed"),
            Query(figure("estimated_usd"), "Estimated"),
            empty=reasons.NO_BUDGETS,
            stacked=True,
            size=(16, 8),
        ),
        number(
            "Budget exhausted",
            "When the limit was reached, or will be at today's pace. Empty if not in this period.",
            Query(f"1000 * {figure('exhausted_timestamp_seconds')}"),
            empty="Not in this period, or no budgets",
            reading=Reading(WHEN, None, ((0, ORANGE),)),
            size=(8, 8),
        ),
    ]


def _forecast() -> list[Placed]:
    return [
        over_time(
            "Month-end forecast, all providers",
            "Forecast for the whole billing month. The band adds up the quantiles of the providers, so it is "
            "slightly too wide.",
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
            "Month-end forecast by provider",
            "Cost so far and at the end of the month: the median, and the 10 % (low) and 90 % (high) "
            "quantiles.",
            {"provider": "Provider"},
            Column("Month end", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.5"})'),
            Column("Low", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.1"})'),
            Column("High", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.9"})'),
            Column("So far", "sum by (provider) (spend_nowcast_month_to_date_usd)"),
            Column("All of today", "sum by (provider) (spend_forecast_day_usd)"),
            empty=reasons.NO_NOWCAST,
            links={"provider": To(links.OVERVIEW, ("provider",))},
            size=(12, 8),
        ),
    ]


def _spikes() -> list[Placed]:
    def spike(metric: str) -> str:
        return by_board(f"max by (provider, service_name, sku) (spend_spike_{metric})")

    return [
        listing(
            "Hourly spikes",
            "The latest hour with enough billed data, compared with the same hour of earlier days. Rows "
            "without a SKU are the whole service.",
            {"provider": "Provider", "service_name": "Service", "sku": "SKU", BOARD: "Board"},
            Column("Above normal", spike("usd"), Reading(USD, 2, ((0, BLUE), (10, ORANGE), (100, RED)))),
            Column("Cost of the hour", spike("hour_usd")),
            Column("Normal", spike("normal_usd")),
            Column("Score", spike("score"), Reading("none", 1)),
            empty="Not enough billed hours to compare yet",
            links={"service_name": To(BOARD, ("provider", "service_name"))},
            size=(16, 9),
        ),
        listing(
            "Alert thresholds",
            "Thresholds of the alert rules, from the key `alerts` of the configuration.",
            {"name": "Threshold"},
            Column("Value", "max by (name) (spend_alert_threshold)", Reading("none", 2, ((0, BLUE),))),
            empty="No thresholds; the exporter may be an older version",
            size=(8, 9),
        ),
    ]
