"""Overview, first screen: the month, its end, last full day, burn rate, budgets, growth, cost by day."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import history, links, reasons
from grafana.source.boards import BILL_BEGINS, BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.charts import by_day, over_time
from grafana.source.fields import DOLLARS, OF_LIMIT, Query
from grafana.source.history import GRAPH
from grafana.source.links import To, by_board
from grafana.source.overview_details import BY, BY_PROVIDER, DAYS, PROVIDER, changes, now, trust
from grafana.source.panel_parts import Placed
from grafana.source.panels import last_full_day, number, ranking

MONTH_LIMIT: Final = 'spend_budget_limit_usd{period="month"}'
BUDGETS_SHOWN: Final = 6


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.OVERVIEW,
        "What we spend, how fast, on what, whether it will last, and what changed. Click for details.",
        [Choice("provider", "spend_nowcast_today_usd", "Provider")],
        [
            Section("", [*_figures(), _growth(), _days()]),
            Section("Changes and services", changes()),
            Section("Burn rate and alerts", now()),
            Section("Savings and data quality", trust()),
        ],
        events=[BILL_BEGINS, BUDGET_CROSSINGS],
    )


def _figures() -> list[Placed]:
    return [
        number(
            "Month, USD",
            "Cost of the month in which the time range ends: billed, and used but not billed yet. Days are "
            "the provider's billing days. A purple line in the graphs marks a bill that begins later.",
            Query(
                history.now_or_history(
                    f"sum(spend_nowcast_month_to_date_usd{{{PROVIDER}}})", history.month_so_far(DAYS)
                )
            ),
            empty=reasons.NO_NOWCAST,
            reading=DOLLARS,
            link=To(links.GOOGLE_CLOUD),
            size=(5, 5),
        ),
        number(
            "Month end, USD",
            "Median of the forecast for the whole month; of a past month, what it has cost.",
            Query(history.month_end(DAYS, _forecast("0.5"))),
            empty=reasons.NO_NOWCAST,
            reading=DOLLARS,
            link=To(links.BUDGETS),
            size=(5, 5),
        ),
        last_full_day(DAYS, link=To(links.GOOGLE_CLOUD), size=(5, 5)),
        number(
            "Burn rate",
            "Cost per hour of all services at the end of the time range. Without tax and corrections.",
            Query(f"sum(spend_burn_rate_usd_per_hour{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD),
            size=(4, 5),
        ),
        ranking(
            "Budget forecast",
            "Forecast for the whole period as a share of the limit, the highest six. Orange from 90 %, red "
            "when the limit will be exceeded.",
            Query(
                f"topk({BUDGETS_SHOWN}, max by (budget, period) (spend_budget_forecast_usd)"
                " / max by (budget, period) (spend_budget_limit_usd))",
                "{{budget}}",
            ),
            empty=reasons.NO_BUDGETS,
            reading=OF_LIMIT,
            link=To(links.BUDGETS, ("budget", "period")),
            track=True,
            size=(5, 5),
        ),
    ]


def _forecast(quantile: str) -> str:
    """The forecast of all providers, once most of the cost has one: a part would be taken for all."""

    def total(of: str) -> str:
        return f'sum(spend_forecast_month_end_usd{{{PROVIDER}, quantile="{of}"}})'

    so_far = f"sum(spend_nowcast_month_to_date_usd{{{PROVIDER}}})"
    return f"({total(quantile)} and on () ({total('0.5')} > on () 0.9 * {so_far}))"


def _growth() -> Placed:
    """The forecast and the limit are those at the end of the range, drawn over the days of its month."""

    def at_the_end(expr: str) -> str:
        # By the minute for a range that ends now, less often for one that ends with the month.
        end = f"@ end(){GRAPH.offset}"
        latest = f"last_over_time({expr}[25h:1m] {end}) or last_over_time({expr}[31d:10m] {end})"
        return f"(({latest}) {history.in_month(history.NOON)})"

    return over_time(
        "Month and last month",
        "Net cost from the start of the month, day by day, and on the same days of the month before. The "
        "band is the forecast for the month's end, from its 10 % to its 90 % quantile; the limit is that "
        "of the highest monthly budget.",
        Query(f"{history.month_so_far(DAYS, moment=GRAPH)} and on () {history.day(DAYS)}", "This month"),
        Query(history.last_month_so_far(DAYS), "Last month", dashed=True),
        Query(at_the_end(f"max({MONTH_LIMIT})"), "Limit", dashed=True),
        Query(at_the_end(_forecast("0.9")), "High"),
        Query(at_the_end(_forecast("0.1")), "Low"),
        empty=reasons.NO_HISTORY,
        reading=DOLLARS,
        link=To(links.BUDGETS),
        filled=("This month",),
        band=("High", "Low"),
        step=history.DAILY_STEP,
        size=(10, 11),
    )


def _days() -> Placed:
    return by_day(
        "Billed net cost of each billing day, by service.",
        DAYS,
        "service_name",
        by=BY,
        shown=by_board,
        link=BY_PROVIDER,
    )
