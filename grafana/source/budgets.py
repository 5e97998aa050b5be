"""Budgets and forecast: what is used, what the period will cost, spikes and alert thresholds."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BILL_BEGINS, BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.charts import over_time
from grafana.source.colours import BLUE, ORANGE, RED
from grafana.source.fields import DOLLARS, OF_LIMIT, RATIO, USD, WHEN, WHOLE_USD, Query, Reading
from grafana.source.links import BOARD, To, by_board
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, ranking
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
            Section("", _all()),
            Section("Budget $budget ($period)", _chosen()),
            Section("Month-end forecast", _forecast()),
            Section("Spikes and thresholds", _spikes()),
        ],
        events=[BILL_BEGINS, BUDGET_CROSSINGS],
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
            track=True,
            size=(7, 9),
        ),
        listing(
            "Budget status",
            "Forecast is for the whole period, and is judged against the limit. Exhausted is when the "
            "limit is reached at today's pace; empty "
            "if not in this period. There is no plan while the bill begins after the period does.",
            {"budget": "Budget", "period": "Period"},
            Column("Of limit", f"{figure('forecast_usd')} / {figure('limit_usd')}", OF_LIMIT, pixels=62),
            Column("Used", figure("used_ratio"), Reading(RATIO, 0), pixels=55),
            Column(
                "Planned",
                f"{figure('expected_ratio')} unless {figure('partial')} == 1",
                Reading(RATIO, 0),
                pixels=68,
            ),
            Column("Limit, USD", figure("limit_usd"), DOLLARS, pixels=78),
            Column(
                "Left, USD", figure("remaining_usd"), Reading(WHOLE_USD, 0, ((0, RED), (0, BLUE))), pixels=75
            ),
            Column(
                "Exhausted", f"1000 * {figure('exhausted_timestamp_seconds')}", Reading(WHEN, None), pixels=85
            ),
            empty=reasons.NO_BUDGETS,
            links={"budget": To(links.BUDGETS, ("budget",))},
            size=(17, 9),
        ),
    ]


def _chosen() -> list[Placed]:
    def figure(metric: str, more: str = "") -> str:
        return f"max(spend_budget_{metric}{{{CHOSEN}{more}}})"

    return [
        over_time(
            "Used and planned",
            "The used amount, the limit, and the plan: the usual amount by this time of the period. There is "
            "no plan while the bill begins after the period does.",
            Query(figure("used_usd"), "Used"),
            Query(
                f"max(spend_budget_expected_ratio{{{CHOSEN}}} * spend_budget_limit_usd{{{CHOSEN}}})"
                f" unless {figure('partial')} == 1",
                "Plan",
                dashed=True,
            ),
            Query(figure("limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            reading=DOLLARS,
        ),
        over_time(
            "Period-end forecast",
            "Median of the forecast for the whole period, its 10 % to 90 % band, and the limit.",
            Query(figure("forecast_quantile_usd", ', quantile="0.9"'), "High"),
            Query(figure("forecast_quantile_usd", ', quantile="0.5"'), "Median"),
            Query(figure("forecast_quantile_usd", ', quantile="0.1"'), "Low"),
            Query(figure("limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            reading=DOLLARS,
            band=("High", "Low"),
        ),
        over_time(
            "Billed and estimated",
            "The two parts of the used amount.",
            Query(figure("billed_usd"), "Billed"),
            Query(figure("estimated_usd"), "Estimated"),
            empty=reasons.NO_BUDGETS,
            reading=DOLLARS,
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
            "Month-end forecast",
            "Forecast for the whole billing month. The band adds up the quantiles of the providers, so it is "
            "slightly too wide.",
            *(
                Query(f'sum(spend_forecast_month_end_usd{{quantile="{quantile}"}})', legend)
                for legend, quantile in (("High", "0.9"), ("Median", "0.5"), ("Low", "0.1"))
            ),
            Query("sum(spend_nowcast_month_to_date_usd)", "So far"),
            empty=reasons.NO_NOWCAST,
            link=To(links.OVERVIEW),
            reading=DOLLARS,
            band=("High", "Low"),
            size=(10, 8),
        ),
        listing(
            "Forecast by provider",
            "Cost so far and at the end of the month: the median, and the 10 % (low) and 90 % (high) "
            "quantiles. Day is all of today.",
            {"provider": "Provider"},
            Column(
                "Month end, USD",
                'sum by (provider) (spend_forecast_month_end_usd{quantile="0.5"})',
                DOLLARS,
                pixels=110,
            ),
            Column(
                "Low", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.1"})', DOLLARS, pixels=70
            ),
            Column(
                "High", 'sum by (provider) (spend_forecast_month_end_usd{quantile="0.9"})', DOLLARS, pixels=70
            ),
            Column("So far", "sum by (provider) (spend_nowcast_month_to_date_usd)", DOLLARS, pixels=70),
            Column("Day, USD", "sum by (provider) (spend_forecast_day_usd)", DOLLARS, pixels=75),
            empty=reasons.NO_NOWCAST,
            links={"provider": To(links.OVERVIEW, ("provider",))},
            size=(14, 8),
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
            {"service_name": "Service", "sku": "SKU", "provider": "Provider", BOARD: "Board"},
            Column("Above normal", spike("usd"), Reading(USD, 2, ((0, BLUE), (10, ORANGE), (100, RED)))),
            Column("The hour", spike("hour_usd"), pixels=80),
            Column("Normal", spike("normal_usd"), pixels=80),
            Column("Score", spike("score"), Reading("none", 1), pixels=60),
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
